//! The text on the screen.

use std::sync::Arc;

use ocr::console::{self, Fonts, vga_screen};
use ocr::{Image, Place, ReadError, Reader, Reading};
use regex::Regex;
use serde_json::json;
use tracing::{Level, dispatcher};

use crate::error::{ErrorKind, Result};
use crate::guest::waiting::Look;
use crate::machine::Machine;
use crate::machine::screen_reading::Seen;
use crate::trace::SCREEN;

/// Where a VGA in text mode has its text, and how much of it.
const VGA_MEMORY: (u64, u64) = (0xb8000, 0x8000);

/// A screen, and how to read it.
#[derive(Clone)]
pub(crate) struct Screen {
    pub(crate) image: Image,
    /// A text console that was read exactly. A character that the host's fonts have
    /// not is U+FFFD.
    pub(crate) console: Option<console::Screen>,
    reader: Reader,
}

/// What a screen may say, and why some of it could not be read.
struct Interpretations {
    texts: Vec<String>,
    failure: Option<ReadError>,
}

impl Screen {
    /// A text console is read from the VGA's memory, if it is in text mode, or else by the
    /// glyphs of the host's fonts. In memory, characters are numbers, which mean others if
    /// the guest has loaded a font: then the glyphs say so.
    fn new(image: Image, vga_memory: Option<&[u8]>, reader: Reader) -> Self {
        let in_memory = vga_memory.and_then(|memory| vga_screen(&image, memory));
        let console = match (in_memory, Fonts::host().read(&image)) {
            (Some(memory), Some(glyphs)) if glyphs.unknown() == 0 => {
                Some(if says_the_same(&memory, &glyphs) {
                    memory
                } else {
                    glyphs
                })
            }
            (memory, glyphs) => memory.or(glyphs),
        };
        Self {
            image,
            console,
            reader,
        }
    }

    /// Tesseract's interpretations, which are begun now.
    pub(crate) fn reading(&self) -> Reading {
        self.reader.read(&self.image)
    }

    pub(crate) fn text(&self) -> Result<String, ReadError> {
        match &self.console {
            Some(console) => Ok(console.text()),
            None => self.reading().text(),
        }
    }

    /// All of them, the exact one first.
    fn interpretations(&self) -> Interpretations {
        let mut texts: Vec<String> = self.console.iter().map(console::Screen::text).collect();
        let mut failure = None;
        for variant in self.reading().variants() {
            match variant {
                Ok(variant) => texts.push(variant.text),
                Err(error) => failure = Some(error),
            }
        }
        Interpretations { texts, failure }
    }

    /// Whether the pattern matches an interpretation. What is exact needs no
    /// other.
    fn matches(&self, matches: impl Fn(&str) -> bool) -> Result<bool, ReadError> {
        if let Some(console) = &self.console {
            let is_match = matches(&console.text());
            if is_match || console.unknown() == 0 {
                return Ok(is_match);
            }
        }
        let mut failure = None;
        let mut has_read = self.console.is_some();
        for variant in self.reading().variants() {
            match variant {
                // Lines are whole in one form, and apart in the other.
                Ok(variant) => {
                    has_read = true;
                    let lines: Vec<String> = variant.lines().collect();
                    if matches(&variant.text) || matches(&lines.join("\n")) {
                        return Ok(true);
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if !has_read => Err(error),
            _ => Ok(false),
        }
    }

    fn find(&self, regex: &Regex) -> Result<Vec<Place>, ReadError> {
        let Some(console) = &self.console else {
            return self.reading().find_text(regex);
        };
        let on_row = |(number, row): (usize, &String)| {
            let matches = regex.find_iter(row).filter(|found| !found.is_empty());
            let places = matches.map(|found| {
                let column = row[..found.start()].chars().count();
                console.area(column, number, found.as_str().chars().count())
            });
            places.collect::<Vec<_>>()
        };
        Ok(console.rows().iter().enumerate().flat_map(on_row).collect())
    }
}

impl Interpretations {
    /// One is enough.
    fn into_texts(self) -> Result<Vec<String>, ReadError> {
        match self.failure {
            Some(failure) if self.texts.is_empty() => Err(failure),
            _ => Ok(self.texts),
        }
    }
}

/// # Text on the screen
///
/// A text console (VGA's text mode, or the kernel's console on a framebuffer in
/// a font that the host has) is read exactly; everything else by Tesseract, in
/// this process, side by side in several interpretations. A screen that has not
/// changed is not read again.
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
    /// the text on the screen; `^` and `$` match at the lines' ends, too. The
    /// first one that it matches ends the wait.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the last text, and the path of a
    /// screenshot that is left in the output directory.
    pub async fn wait_for_text(&self, pattern: &str) -> Result<()> {
        let regex = self.regex(&format!("{pattern} to appear on screen"), pattern)?;
        self.wait_for_text_with(pattern, move |text| regex.is_match(text))
            .await
    }

    /// The same for other ways to search: waits until `matches` is true of an
    /// interpretation. `wanted` says what it looks for.
    ///
    /// # Errors
    /// As [`wait_for_text`](Self::wait_for_text).
    pub async fn wait_for_text_with(
        &self,
        wanted: &str,
        matches: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<()> {
        let what = format!("{wanted} to appear on screen");
        let matches = Arc::new(matches);
        self.step(&format!("waiting for {what}"), async {
            let found = self.wait(&what, |_| async {
                let matches = Arc::clone(&matches);
                let found = self.read(move |screen| screen.matches(&*matches)).await?;
                Ok(if found {
                    Look::Done(())
                } else {
                    Look::NotYet("other text".to_owned())
                })
            });
            self.with_screen(found.await).await
        })
        .await
    }

    /// Where the regular expression `pattern` matches text on the screen; empty
    /// if nowhere. A match does not span lines.
    ///
    /// # Errors
    /// As [`get_screen_text`](Self::get_screen_text).
    pub async fn find_text(&self, pattern: &str) -> Result<Vec<Place>> {
        let regex = self.regex("text to find", pattern)?;
        self.read(move |screen| screen.find(&regex)).await
    }

    /// Adds the text on the screen, and a screenshot, to the error of a wait
    /// that was in vain; or why they are missing.
    pub(crate) async fn with_screen<T>(&self, waited: Result<T>) -> Result<T> {
        let error = match waited {
            Err(error) if error.is_timeout() => error,
            other => return other,
        };
        // It is no step of the test's that conditions could forbid.
        let screen = match self.unchecked().look_at_screen().await {
            Ok(screen) => screen,
            Err(failure) => return Err(error.with_evidence("screenshot", &failure.gist())),
        };
        let picture = match self.keep_last_screen(&screen.image) {
            Ok(path) => path.display().to_string(),
            Err(failure) => failure.gist(),
        };
        let Interpretations { mut texts, failure } =
            blocking(move || screen.interpretations()).await;
        texts.retain(|text| !text.trim().is_empty());
        if texts.is_empty() && failure.is_none() {
            texts.push("(none)".to_owned());
        }
        let mut error = texts.iter().fold(error, |error, text| {
            error.with_evidence("text on the screen", text)
        });
        if let Some(failure) = failure {
            error = error.with_evidence("reading the screen", &failure.to_string());
        }
        Err(error.with_evidence("screenshot", &picture))
    }

    /// Reads the screen as it is now.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Screen) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T> {
        let screen = self.look_at_screen().await?;
        let tells = tracing::enabled!(target: SCREEN, Level::TRACE);
        let (read, seen) = blocking(move || {
            let read = read(&screen);
            (read, tells.then(|| Seen::on(&screen)))
        })
        .await;
        if let Some(Seen { png, text, words }) = seen {
            let (png, words) = (&png[..], words.as_str());
            tracing::trace!(target: SCREEN, machine = self.name(), png, text, words);
        }
        read.map_err(|error| self.error(ErrorKind::Ocr(error)))
    }

    async fn look_at_screen(&self) -> Result<Screen> {
        let image = self.take_picture().await?;
        let memory = self.vga_memory(&image).await;
        let reader = self.parts.reader.clone();
        Ok(blocking(move || Screen::new(image, memory.as_deref(), reader)).await)
    }

    /// The text memory, if the screen may be a VGA's in text mode, and QEMU gives it.
    async fn vga_memory(&self, image: &Image) -> Option<Vec<u8>> {
        if image.height() != 400 {
            return None;
        }
        let (val, size) = VGA_MEMORY;
        let dumped = self.dump("pmemsave", json!({ "val": val, "size": size }));
        dumped.await.ok()
    }
}

/// Whether two readings have the same letters and digits. Blocks and lines look alike, and a
/// cursor like an underscore.
fn says_the_same(one: &console::Screen, other: &console::Screen) -> bool {
    let chars = |screen: &console::Screen| screen.rows().concat();
    let (one, other) = (chars(one), chars(other));
    let mut pairs = one.chars().zip(other.chars());
    pairs.all(|(a, b)| a == b || !(a.is_alphanumeric() || b.is_alphanumeric()))
}

/// Does what takes its time where that holds nobody up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // What is told there is for whoever listens here.
    let listening = dispatcher::get_default(Clone::clone);
    let work = move || dispatcher::with_default(&listening, work);
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is going down, and this task with it.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A console of 1024×768 pixels in a font of 16×32, cut to 600 rows of them: it ends
    /// within a row of characters.
    #[test]
    fn cells_are_as_large_as_they_were_read() {
        let corpus = "../ocr/corpus/console/framebuffer-terminus32x16";
        let picture = Image::from_png(&std::fs::read(format!("{corpus}.png")).unwrap()).unwrap();
        let pixels = &picture.pixels()[..1024 * 600];
        let ppm = [b"P6 1024 600 255\n", pixels.as_flattened()].concat();
        let screen = Screen::new(Image::from_ppm(&ppm).unwrap(), None, Reader::new());

        let text = std::fs::read_to_string(format!("{corpus}.txt")).unwrap();
        let row = text.lines().nth(17).unwrap();
        let places = screen.find(&Regex::new(&regex::escape(row)).unwrap());
        let place = places.unwrap().into_iter().next_back().unwrap();
        let width = u32::try_from(16 * row.chars().count()).unwrap();
        assert_eq!(
            (place.x, place.y, place.width, place.height),
            (0, 17 * 32, width, 32)
        );
    }
}
