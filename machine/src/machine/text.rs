//! The text on the screen.

use std::sync::Arc;

use ocr::console::{Fonts, vga_screen};
use ocr::{Image, Place, ReadError, Reader, Reading};
use regex::Regex;
use serde_json::json;
use tracing::Level;

use super::Machine;
use super::seen::Seen;
use crate::error::{ErrorKind, Result};
use crate::telling::SCREEN;
use crate::waiting::Look;

/// Where a VGA in text mode has its text, and how much of it.
const VGA_MEMORY: (u64, u64) = (0xb8000, 0x8000);

/// A text console that was read exactly: its rows.
pub(super) type Rows = Vec<String>;

/// A screen, and how to read it.
#[derive(Clone)]
pub(super) struct Screen {
    pub(super) image: Image,
    pub(super) console: Option<Rows>,
    reader: Reader,
}

impl Screen {
    /// Tesseract's interpretations, which are begun now.
    pub(super) fn reading(&self) -> Reading {
        self.reader.read(&self.image)
    }

    pub(super) fn text(&self) -> Result<String, ReadError> {
        match &self.console {
            Some(rows) => Ok(rows_to_text(rows)),
            None => self.reading().text(),
        }
    }

    fn variants(&self) -> Result<Vec<String>, ReadError> {
        let exact = self.console.iter().map(|rows| Ok(rows_to_text(rows)));
        let read = self.reading().variants();
        exact
            .chain(read.map(|variant| variant.map(|variant| variant.text)))
            .collect()
    }

    /// Whether the pattern matches an interpretation. What is exact needs no
    /// other.
    fn matches(&self, matches: impl Fn(&str) -> bool) -> Result<bool, ReadError> {
        if let Some(rows) = &self.console {
            let text = rows_to_text(rows);
            let is_match = matches(&text);
            if is_match || !text.contains(char::REPLACEMENT_CHARACTER) {
                return Ok(is_match);
            }
        }
        let mut failure = None;
        let mut has_read = false;
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
        let Some(rows) = &self.console else {
            return self.reading().find_text(regex);
        };
        let columns = rows.first().map_or(1, |row| row.chars().count().max(1));
        let cell = |pixels: u32, cells: usize| pixels / u32::try_from(cells).unwrap_or(1).max(1);
        let width = cell(self.image.width(), columns);
        let height = cell(self.image.height(), rows.len());
        let on_row = |(number, row): (usize, &String)| {
            let matches = regex.find_iter(row).filter(|found| !found.is_empty());
            let places = matches.map(|found| {
                let cells = |text: &str| u32::try_from(text.chars().count()).unwrap_or(0);
                Place {
                    x: width * cells(&row[..found.start()]),
                    y: height * u32::try_from(number).unwrap_or(0),
                    width: width * cells(found.as_str()),
                    height,
                }
            });
            places.collect::<Vec<_>>()
        };
        Ok(rows.iter().enumerate().flat_map(on_row).collect())
    }
}

/// The rows of a text console: of its memory, if it is a VGA's, or else by the
/// glyphs of the host's fonts. A character that these have not is U+FFFD.
fn read_console(image: &Image, vga_memory: Option<&[u8]>) -> Option<Rows> {
    let text = vga_memory.and_then(|memory| vga_screen(image, memory));
    if let Some(text) = text {
        return Some(text.rows().to_vec());
    }
    let screen = Fonts::host().read(image)?;
    Some(screen.rows().to_vec())
}

fn rows_to_text(rows: &[String]) -> String {
    let rows: Vec<&str> = rows.iter().map(|row| row.trim_end()).collect();
    rows.join("\n").trim_end_matches('\n').to_owned()
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
        self.read(Screen::variants).await
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
    /// that was in vain.
    pub(super) async fn with_screen<T>(&self, waited: Result<T>) -> Result<T> {
        let error = match waited {
            Err(error) if error.is_timeout() => error,
            other => return other,
        };
        let Ok(screen) = self.look_at_screen().await else {
            return Err(error);
        };
        let path = self.screenshot_path(&format!("{}-last-screen", self.name()));
        let saved = self.save(&screen.image, &path);
        let texts = blocking(move || screen.variants())
            .await
            .unwrap_or_default();
        let mut error = if texts.iter().all(|text| text.trim().is_empty()) {
            error.with_evidence("text on the screen", "(none)")
        } else {
            texts.iter().fold(error, |error, text| {
                error.with_evidence("text on the screen", text)
            })
        };
        if saved.is_ok() {
            error = error.with_evidence("screenshot", &path.to_string_lossy());
        }
        Err(error)
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
        let memory = self.vga_memory(&image).await?;
        let reader = self.parts.reader.clone();
        let screen = blocking(move || Screen {
            console: read_console(&image, memory.as_deref()),
            image,
            reader,
        });
        Ok(screen.await)
    }

    /// The text memory, if the screen may be a VGA's in text mode.
    async fn vga_memory(&self, image: &Image) -> Result<Option<Vec<u8>>> {
        if image.height() != 400 {
            return Ok(None);
        }
        let (val, size) = VGA_MEMORY;
        let dumped = self.dump("pmemsave", json!({ "val": val, "size": size }));
        dumped.await.map(Some)
    }
}

/// Does what takes its time where that holds nobody up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is going down, and this task with it.
        Err(_) => std::future::pending().await,
    }
}
