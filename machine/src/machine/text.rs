//! The text on the screen.

use std::sync::Arc;
use std::time::Duration;

use ocr::{Image, Interpretations, Progress, ReadError, Rect, Screen};
use tokio::time::Instant;
use tracing::Level;

use super::Machine;
use super::screen::SCREEN_PAUSE;
use super::text_search::TextSearch;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::guest::waiting::Probe;
use crate::host::blocking::blocking;
use crate::sync::Mutex;
use crate::trace::SCREEN;

/// How long QEMU may take for a picture: a wait with a time limit of zero also probes once.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// How long a probe waits for the reading of a screen; then another picture is taken.
const PATIENCE: Duration = Duration::from_millis(50);

/// # Text on the screen
///
/// A text console (VGA's text mode, or the kernel's console on a framebuffer in
/// a font that the host has) is read exactly; everything else by Tesseract, in
/// this process, in several interpretations. A screen that has not changed is not read
/// again.
///
/// Without the feature `ocr`, only text consoles can be read.
impl Machine {
    /// The text on the screen: exact on a text console, else Tesseract's best
    /// interpretation.
    ///
    /// # Errors
    /// [`Ocr`](ErrorKind::Ocr), if there is no language data, say.
    pub async fn get_screen_text(&self) -> Result<String> {
        self.read(Screen::text).await
    }

    /// All interpretations of the text on the screen, the exact one of a text
    /// console first.
    ///
    /// # Errors
    /// As [`get_screen_text`](Self::get_screen_text).
    pub async fn get_screen_text_variants(&self) -> Result<Vec<String>> {
        self.read(|screen| screen.interpretations().into_texts())
            .await
    }

    /// Waits until the regular expression `pattern` matches an interpretation of
    /// the text on the screen; `^` and `$` also match at line ends. The first
    /// interpretation that matches ends the wait. A screen that changes while it is read is
    /// usually left for the new one.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the last text, and the path of a
    /// screenshot in the output directory.
    pub async fn wait_for_text(&self, pattern: &str) -> Result<()> {
        let regex = self.regex(
            &format!("waiting for {pattern} to appear on screen"),
            pattern,
        )?;
        self.wait_for_text_with(pattern, move |text| regex.is_match(text))
            .await
    }

    /// The same with another way to search: waits until `matches` returns true for an
    /// interpretation. It is not called again while the screen stays the same. `wanted`
    /// describes it in errors.
    ///
    /// # Errors
    /// As [`wait_for_text`](Self::wait_for_text).
    pub async fn wait_for_text_with(
        &self,
        wanted: &str,
        matches: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<()> {
        let what = format!("{wanted} to appear on screen");
        let search = &Arc::new(Mutex::new(TextSearch::new(matches)));
        self.step(&format!("waiting for {what}"), async {
            let found = self.wait_pausing(SCREEN_PAUSE, &what, |left| {
                self.probe_text(Arc::clone(search), left)
            });
            self.with_screen(found.await).await
        })
        .await
    }

    /// Takes another picture while the screen is read, to see changes at once.
    async fn probe_text<F: Fn(&str) -> bool + Send + 'static>(
        &self,
        search: Arc<Mutex<TextSearch<F>>>,
        left: Duration,
    ) -> Result<Probe<()>> {
        let begin = Instant::now();
        let picture = self.picture_to_read().await?;
        let is_next = search.lock().is_next(&picture, left.is_zero());
        if is_next {
            let screen = self.screen(picture).await;
            search.lock().begin(screen);
        }
        let is_traced = is_traced();
        let advanced = blocking(move || {
            let mut search = search.lock();
            let mut advanced = search.advance(PATIENCE)?;
            // The last probe searches all interpretations.
            while advanced.0 == Progress::Reading && begin.elapsed() >= left {
                let (progress, screen) = search.advance(Duration::MAX)?;
                advanced = (progress, screen.or(advanced.1));
            }
            let (progress, read) = advanced;
            let read = read.filter(|_| is_traced);
            Ok((progress, read.map(|screen| Traced::of(&screen))))
        });
        let advanced = advanced.await;
        let (progress, traced) = advanced.map_err(|error| self.error(ErrorKind::Ocr(error)))?;
        self.trace(traced);
        let seen = "other text".to_owned();
        Ok(match progress {
            Progress::Found => Probe::Ready(()),
            Progress::NotFound => Probe::Pending(seen),
            // The shortest pause follows.
            _ => Probe::Polled {
                seen,
                probes: 1,
                cost: Duration::ZERO,
            },
        })
    }

    /// The rectangles in which the regular expression `pattern` matches text on the
    /// screen; empty if there are none. A match does not span lines.
    ///
    /// # Errors
    /// As [`get_screen_text`](Self::get_screen_text).
    pub async fn find_text(&self, pattern: &str) -> Result<Vec<Rect>> {
        let regex = self.regex("finding text on the screen", pattern)?;
        self.read(move |screen| screen.find(&regex)).await
    }

    /// Adds the text on the screen, and a screenshot, to the error of a wait
    /// that timed out; or why they are missing.
    pub(super) async fn with_screen<T>(&self, waited: Result<T>) -> Result<T> {
        match waited {
            Err(error) if error.is_timeout() => Err(self.with_screen_evidence(error).await),
            other => other,
        }
    }

    async fn with_screen_evidence(&self, error: Error) -> Error {
        // Conditions apply to the test's own steps only.
        let screen = match self.unchecked().take_screen().await {
            Ok(screen) => screen,
            Err(failure) => return error.with_evidence("screenshot", &failure.summary_line()),
        };
        let picture = match self.save_last_screen(screen.image().clone()).await {
            Ok(path) => path.display().to_string(),
            Err(failure) => failure.summary_line(),
        };
        let text = blocking(move || screen.interpretations()).await;
        with_text(error, text).with_evidence("screenshot", &picture)
    }

    /// Reads the screen as it is now.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Screen) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T> {
        let screen = self.take_screen().await?;
        let is_traced = is_traced();
        let (read, traced) = blocking(move || {
            let read = read(&screen);
            (read, is_traced.then(|| Traced::of(&screen)))
        })
        .await;
        self.trace(traced);
        read.map_err(|error| self.error(ErrorKind::Ocr(error)))
    }

    fn trace(&self, traced: Option<Traced>) {
        if let Some(Traced { png, text, words }) = traced {
            let (png, words) = (&png[..], words.as_str());
            tracing::trace!(target: SCREEN, machine = self.name(), png, text, words);
        }
    }

    async fn take_screen(&self) -> Result<Screen> {
        let picture = self.picture_to_read().await?;
        Ok(self.screen(picture).await)
    }

    async fn picture_to_read(&self) -> Result<Image> {
        let vm = self.with_guest(self.guest.limited(self.limit().max(PROBE_LIMIT)));
        vm.take_picture().await
    }

    /// The screen that shows this picture.
    async fn screen(&self, picture: Image) -> Screen {
        let vm = self.with_guest(self.guest.limited(self.limit().max(PROBE_LIMIT)));
        let memory = vm.vga_memory(&picture).await;
        let reader = self.parts.reader.clone();
        blocking(move || Screen::new(picture, memory.as_deref(), &reader)).await
    }

    /// The text memory, if the screen may be a VGA in text mode and QEMU provides it.
    async fn vga_memory(&self, image: &Image) -> Option<Vec<u8>> {
        let doing = "reading the VGA's memory";
        let instance = self.unchecked_instance(doing).ok()?;
        let memory = instance.request(&self.guest, doing, async |monitors| {
            Ok(monitors.vga_memory(image, self.state_dir()).await)
        });
        memory.await.ok().flatten()
    }
}

fn is_traced() -> bool {
    tracing::enabled!(target: SCREEN, Level::TRACE)
}

/// Adds the text that was read on the screen, and why the rest could not be read.
fn with_text(error: Error, read: Interpretations) -> Error {
    let Interpretations {
        mut texts, failure, ..
    } = read;
    texts.retain(|text| !text.trim().is_empty());
    if texts.is_empty() && failure.is_none() {
        texts.push("(none)".to_owned());
    }
    let error = texts.iter().fold(error, |error, text| {
        error.with_evidence("text on the screen", text)
    });
    match failure {
        Some(failure) => error.with_evidence("reading the screen", &chain(&failure)),
        None => error,
    }
}

/// A screen that was read, as it is emitted.
struct Traced {
    png: Vec<u8>,
    text: String,
    /// In JSON: of each word its text, the left, top, width and height of its box in
    /// pixels, and the confidence in percent.
    words: String,
}

impl Traced {
    /// Uses what was read of the screen just now.
    fn of(screen: &Screen) -> Self {
        let mut png = Vec::new();
        // Writing to memory can't fail, and a screen without text is no failure.
        let _ = screen.image().write_png(&mut png);
        let words = screen.words().unwrap_or_default().into_iter().map(|word| {
            let Rect {
                x,
                y,
                width,
                height,
            } = word.rect;
            (word.text, x, y, width, height, word.confidence)
        });
        Self {
            png,
            text: screen.text().unwrap_or_default(),
            words: serde_json::to_string(&words.collect::<Vec<_>>()).unwrap_or_default(),
        }
    }
}
