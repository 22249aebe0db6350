//! Tesseract's engines, in this process.

use std::ffi::{CStr, CString, c_int};
use std::path::PathBuf;
use std::sync::Once;

use leptess::capi;
use leptess::tesseract::TessApi;
use tesseract_plumbing::TessBaseApi;

use super::{Content, Source, language};
use crate::grey::Grey;
use crate::mutex::Mutex;
use crate::{Engine, ReadError};

/// The engines of one thread. They are kept, because starting one takes as long as
/// reading a screen.
pub(crate) struct Engines {
    started: [Option<TessApi>; Engine::ALL.len()],
}

impl Engines {
    /// Must be called on the thread that reads.
    pub(crate) fn new() -> Self {
        use_one_thread();
        Self {
            started: [const { None }; _],
        }
    }

    /// The table (TSV) of words. Returns `None` if the language data does not contain this
    /// engine.
    pub(crate) fn read(
        &mut self,
        source: &Source,
        engine: Engine,
        picture: &Grey,
        content: Content,
    ) -> Result<Option<String>, ReadError> {
        let slot = &mut self.started[engine as usize];
        if slot.is_none() {
            *slot = start(source, engine)?;
        }
        let Some(api) = slot else { return Ok(None) };
        recognize(api, picture, content)
            .ok_or(ReadError::Recognition { engine })
            .map(Some)
    }

    /// Drops an engine whose state is unknown after a failure.
    pub(crate) fn discard(&mut self, engine: Engine) {
        self.started[engine as usize] = None;
    }
}

fn recognize(api: &mut TessApi, picture: &Grey, content: Content) -> Option<String> {
    // Whether to read the negative of each line as well.
    let invert = match content {
        Content::Line | Content::DarkOnLight => c"0",
        Content::Any => c"1",
    };
    let layout = match content {
        Content::Line => SINGLE_LINE,
        Content::DarkOnLight | Content::Any => SPARSE_TEXT,
    };
    api.raw.set_variable(c"tessedit_do_invert", invert).ok()?;
    api.raw
        .set_variable(c"tessedit_pageseg_mode", layout)
        .ok()?;
    let [width, height] = [picture.width, picture.height].map(|side| c_int::try_from(side).ok());
    api.raw
        .set_image(&picture.pixels, width?, height?, 1, width?)
        .ok()?;
    api.set_source_resolution(DOTS_PER_INCH);
    // `TessApi`'s own methods panic where these return an error.
    api.raw.recognize().ok()?;
    let table = api.raw.get_tsv_text(0).ok()?;
    Some(table.as_ref().to_string_lossy().into_owned())
}

/// A screen has no resolution; without one, Tesseract guesses and prints a warning.
const DOTS_PER_INCH: c_int = 150;

/// The mode of page segmentation that finds as much text as possible, in no particular
/// order.
const SPARSE_TEXT: &CStr = c"11";

/// The mode for a picture of one line.
const SINGLE_LINE: &CStr = c"7";

/// The variables of every engine. What an engine learns from a screen must not change
/// how it reads the next one.
const SETTINGS: [(&CStr, &CStr); 2] = [
    (c"classify_enable_learning", c"0"),
    (c"tessedit_enable_doc_dict", c"0"),
];

/// Held while an engine starts: engines can run concurrently, but write to global
/// variables when they start.
static STARTING: Mutex<()> = Mutex::new(());

/// Returns `None` if the language data does not contain this engine.
fn start(source: &Source, engine: Engine) -> Result<Option<TessApi>, ReadError> {
    let _starting = STARTING.lock();
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
        // A version without this variable reads worse, but it reads.
        if raw.set_variable(name, value).is_err() {
            tracing::debug!(?name, "unknown variable of Tesseract");
        }
    }
    Ok(Some(TessApi { raw }))
}

/// Discards the messages of all instances; calls return what matters. This is done once
/// only, because running engines read the variable.
fn silence() {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let _ = TessBaseApi::create().set_variable(c"debug_file", c"/dev/null");
        // SAFETY: sets a variable of the library; any number is allowed.
        unsafe { capi::setMsgSeverity(SEVERITY_NONE) };
    });
}

/// Leptonica's `L_SEVERITY_NONE`.
const SEVERITY_NONE: c_int = 6;

fn c_strings(source: &Source) -> Result<(CString, Option<CString>), ReadError> {
    let invalid = |_| ReadError::Languages {
        languages: source.languages.clone(),
    };
    let languages = CString::new(source.languages.as_str()).map_err(invalid)?;
    let directory = source.directory.as_ref();
    let directory = directory.map(|path| CString::new(path.as_os_str().as_encoded_bytes()));
    Ok((languages, directory.transpose().map_err(invalid)?))
}

/// Checks that the language data exists.
pub(crate) fn check(source: &Source) -> Result<(), ReadError> {
    let directory = source.directory.clone().unwrap_or_else(default_directory);
    language::check(&source.languages, &directory)
}

/// The directory in which the library looks for language data by default:
/// `$TESSDATA_PREFIX`, or the one it was built with.
fn default_directory() -> PathBuf {
    let _starting = STARTING.lock();
    silence();
    let mut found = PathBuf::new();
    // SAFETY: the handle is new, used by this thread only, and deleted once, after the
    // last use of the string that belongs to it. An instance knows its directory only
    // after an attempt to start, hence the start with an invalid language, which
    // fails. Null means "no directory given".
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

/// Disables OpenMP on this thread, if the process has it: Tesseract would distribute
/// the lines of one screen over threads, which is several times slower than one thread.
fn use_one_thread() {
    // SAFETY: the name is a C string, and `dlsym` only looks it up in the process.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"omp_set_max_active_levels".as_ptr()) };
    if symbol.is_null() {
        return;
    }
    // SAFETY: the OpenMP standard reserves the name and defines this signature.
    let set_max_active_levels: extern "C" fn(c_int) = unsafe { std::mem::transmute(symbol) };
    set_max_active_levels(0);
}
