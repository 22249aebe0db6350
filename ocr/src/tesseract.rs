//! Tesseract, in this process: the only file that knows its libraries.

use std::ffi::{CStr, CString, c_int};
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError};

use leptess::capi;
use leptess::tesseract::TessApi;
use tesseract_plumbing::TessBaseApi;

use crate::preprocess::Grey;
use crate::{Engine, ReadError};

/// Which language data is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// As Tesseract takes them: `eng+deu`.
    pub(crate) languages: String,
    /// `None` where the library looks by itself.
    pub(crate) directory: Option<PathBuf>,
}

/// What an engine made of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recognized {
    pub(crate) text: String,
    pub(crate) tsv: String,
}

/// What is known of the text in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    /// All that matters is darker than its background.
    DarkOnLight,
    /// Some may be lighter: that takes twice as long.
    Any,
}

/// The engines of one thread. They are kept, for starting one takes as long as
/// reading a screen.
pub(crate) struct Engines {
    started: [Option<TessApi>; Engine::ALL.len()],
}

impl Engines {
    /// Call this on the thread that will read.
    pub(crate) fn new() -> Self {
        use_one_thread();
        Self {
            started: [const { None }; _],
        }
    }

    /// `None` if the language data has no such engine.
    pub(crate) fn read(
        &mut self,
        source: &Source,
        engine: Engine,
        picture: &Grey,
        text: Text,
    ) -> Result<Option<Recognized>, ReadError> {
        let kept = &mut self.started[engine as usize];
        if kept.is_none() {
            *kept = start(source, engine)?;
        }
        let Some(api) = kept else { return Ok(None) };
        recognize(api, picture, text)
            .ok_or(ReadError::Recognition { engine })
            .map(Some)
    }

    /// Does not keep an engine of which one cannot know in which state it is.
    pub(crate) fn forget(&mut self, engine: Engine) {
        self.started[engine as usize] = None;
    }
}

fn recognize(api: &mut TessApi, picture: &Grey, text: Text) -> Option<Recognized> {
    // Each line a second time, its negative.
    let invert = match text {
        Text::DarkOnLight => c"0",
        Text::Any => c"1",
    };
    api.raw.set_variable(c"tessedit_do_invert", invert).ok()?;
    let [width, height] = [picture.width, picture.height].map(|side| c_int::try_from(side).ok());
    api.raw
        .set_image(&picture.pixels, width?, height?, 1, width?)
        .ok()?;
    api.set_source_resolution(DOTS_PER_INCH);
    // Not TessApi's: those panic where these return an error.
    api.raw.recognize().ok()?;
    let text = api.raw.get_utf8_text().ok()?;
    let tsv = api.raw.get_tsv_text(0).ok()?;
    Some(Recognized {
        text: text.as_ref().to_string_lossy().trim().to_owned(),
        tsv: tsv.as_ref().to_string_lossy().into_owned(),
    })
}

/// A screen has none; without a number Tesseract guesses, and tells of it.
const DOTS_PER_INCH: c_int = 150;

/// For every engine: what it learns from a screen must not change how it reads
/// the next one.
const SETTINGS: [(&CStr, &CStr); 3] = [
    // Sparse text: as much of it as can be found, in no special order.
    (c"tessedit_pageseg_mode", c"11"),
    (c"classify_enable_learning", c"0"),
    (c"tessedit_enable_doc_dict", c"0"),
];

/// Engines may run side by side, but they write to common variables when they
/// start.
static STARTING: Mutex<()> = Mutex::new(());

/// `None` if the language data has no such engine.
fn start(source: &Source, engine: Engine) -> Result<Option<TessApi>, ReadError> {
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let (languages, directory) = c_strings(source)?;
    silence();
    let mut raw = TessBaseApi::create();
    let mode = match engine {
        Engine::Legacy => 0,
        Engine::Lstm => 1,
        Engine::Both => 2,
    };
    if raw
        .init_4(directory.as_deref(), Some(&languages), mode)
        .is_err()
    {
        return Ok(None);
    }
    for (name, value) in SETTINGS {
        // A version without one of them reads worse, but it reads.
        if raw.set_variable(name, value).is_err() {
            tracing::debug!(?name, "Tesseract does not know this variable");
        }
    }
    Ok(Some(TessApi { raw }))
}

/// Its messages go nowhere, from all instances: what matters, calls return.
/// Once only, for engines that run look at the variable.
fn silence() {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let _ = TessBaseApi::create().set_variable(c"debug_file", c"/dev/null");
        // SAFETY: sets a variable of the library's; any number is allowed.
        unsafe { capi::setMsgSeverity(SEVERITY_NONE) };
    });
}

/// Leptonica's `L_SEVERITY_NONE`.
const SEVERITY_NONE: c_int = 6;

fn c_strings(source: &Source) -> Result<(CString, Option<CString>), ReadError> {
    let wrong = |_| ReadError::Languages {
        languages: source.languages.clone(),
    };
    let languages = CString::new(source.languages.as_str()).map_err(wrong)?;
    let directory = source.directory.as_ref();
    let directory = directory.map(|path| CString::new(path.as_os_str().as_encoded_bytes()));
    Ok((languages, directory.transpose().map_err(wrong)?))
}

/// Where the library looks for language data unless it is told: in
/// `$TESSDATA_PREFIX`, or where it was built to.
pub(crate) fn default_directory() -> PathBuf {
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    silence();
    let mut found = PathBuf::new();
    // SAFETY: the handle is new, used by this thread only, and deleted once,
    // after the last use of the string that belongs to it. Only an instance
    // that has tried to start knows its directory, hence the start of no
    // language, which fails. Null stands for "no directory given".
    unsafe {
        let api = capi::TessBaseAPICreate();
        if api.is_null() {
            return found;
        }
        capi::TessBaseAPIInit3(api, std::ptr::null(), c"-".as_ptr());
        let path = capi::TessBaseAPIGetDatapath(api);
        if !path.is_null() {
            found = CStr::from_ptr(path).to_string_lossy().into_owned().into();
        }
        capi::TessBaseAPIDelete(api);
    }
    found
}

/// Tesseract would share the lines of one screen out among threads, which makes
/// it several times slower than one thread is: none on this thread. Without
/// OpenMP in the process there is nothing to do.
fn use_one_thread() {
    // SAFETY: the name is a C string, and only what is found in the process is
    // returned.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"omp_set_max_active_levels".as_ptr()) };
    if symbol.is_null() {
        return;
    }
    // SAFETY: OpenMP's standard reserves the name and gives it this signature.
    let set_max_active_levels: extern "C" fn(c_int) = unsafe { std::mem::transmute(symbol) };
    set_max_active_levels(0);
}
