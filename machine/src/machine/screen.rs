//! The screen: screenshots.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ocr::Image;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Machine;
use crate::error::{ErrorKind, Result};
use crate::guest::waiting::Probe;
use crate::host::blocking::blocking;
use crate::instance::Monitors;
use crate::sync::Mutex;
use crate::trace::SCREEN;

/// The size of the largest screen that is read, with its header: the guest chooses it.
const MAX_DUMP: u64 = (3 << 26) + 64;

/// The longest pause between two looks at the screen.
pub(super) const SCREEN_PAUSE: Duration = Duration::from_millis(80);

/// # The screen
impl Machine {
    /// Takes a screenshot and returns its path: a PNG file `name` in the
    /// [output directory](crate::Builder::out_dir), with `.png` added if it has no
    /// extension. A `name` with a `/` in it is a path of its own.
    ///
    /// # Errors
    /// [`Screenshot`](ErrorKind::Screenshot) if the file can't be written.
    ///
    /// # Cancellation
    /// The file may be written all the same.
    pub async fn screenshot(&self, name: &str) -> Result<PathBuf> {
        let path = self.screenshot_path(name)?;
        let step = format!("making screenshot {}", path.display());
        self.step(&step, async {
            let picture = self.take_picture().await?;
            self.save_picture(picture, path.clone()).await?;
            Ok(path.clone())
        })
        .await
    }

    /// Waits until the screen has not changed for the duration `still`. Blinking keeps it
    /// waiting.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the text on the screen, and the path of a
    /// screenshot in the output directory.
    pub async fn wait_for_still_screen(&self, still: Duration) -> Result<()> {
        let what = "the screen to stand still";
        // The last picture, and since when it has been the same.
        let last = Mutex::new(None::<(Image, Instant)>);
        let last = &last;
        self.step(&format!("waiting for {what}"), async {
            let waited = self.wait_pausing(SCREEN_PAUSE, what, |_| async move {
                let picture = self.take_picture().await?;
                let mut last = last.lock();
                Ok(match &*last {
                    Some((same, since)) if *same == picture && since.elapsed() >= still => {
                        Probe::Ready(())
                    }
                    Some((same, _)) if *same == picture => {
                        Probe::Pending("the same picture, but not for long".to_owned())
                    }
                    _ => {
                        *last = Some((picture, Instant::now()));
                        Probe::Pending("another picture than before".to_owned())
                    }
                })
            });
            self.with_screen(waited.await).await
        })
        .await
    }

    fn screenshot_path(&self, name: &str) -> Result<PathBuf> {
        if name.ends_with('/') || Path::new(name).file_name().is_none() {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "that is not a file name");
            return Err(self.no_screenshot(Path::new(name), error));
        }
        let mut path = if name.contains('/') {
            PathBuf::from(name)
        } else {
            self.out_dir().join(name)
        };
        if path.extension().is_none() {
            path.set_extension("png");
        }
        Ok(path)
    }

    pub(super) async fn take_picture(&self) -> Result<Image> {
        let dir = self.state_dir();
        self.on_qemu("taking a picture of the screen", async |monitors| {
            let bytes = monitors.dump("screendump", json!({}), dir).await?;
            Image::from_ppm(&bytes).map_err(|error| ErrorKind::ScreenDump(io::Error::other(error)))
        })
        .await
    }

    /// Writes a picture as a PNG file, and emits it.
    async fn save_picture(&self, picture: Image, path: PathBuf) -> Result<()> {
        let file = path.clone();
        let written = blocking(move || {
            let mut png = Vec::new();
            picture.write_png(&mut png)?;
            std::fs::write(&file, &png)?;
            Ok(png)
        });
        let png = written
            .await
            .map_err(|error| self.no_screenshot(&path, error))?;
        let path = path.display();
        tracing::trace!(target: SCREEN, machine = self.name(), %path, png = &png[..]);
        Ok(())
    }

    /// Saves the last screen of a wait that timed out, under a new name.
    pub(super) async fn save_last_screen(&self, picture: Image) -> Result<PathBuf> {
        let mut number = 1;
        loop {
            let name = format!("{}-last-screen-{number}.png", self.name());
            let path = self.out_dir().join(name);
            match File::create_new(&path) {
                Ok(_) => {
                    self.save_picture(picture, path.clone()).await?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(self.no_screenshot(&path, error)),
            }
        }
    }

    fn no_screenshot(&self, path: &Path, source: io::Error) -> crate::error::Error {
        self.error(ErrorKind::Screenshot {
            path: path.to_owned(),
            source,
        })
    }
}

impl Monitors<'_> {
    /// Has QEMU write a file in `dir` by a QMP command, and returns its contents.
    pub(super) async fn dump(
        &self,
        command: &str,
        mut arguments: Value,
        dir: &Path,
    ) -> Result<Vec<u8>, ErrorKind> {
        let file = tempfile::Builder::new()
            .prefix(command)
            .tempfile_in(dir)
            .map_err(ErrorKind::ScreenDump)?;
        arguments["filename"] = json!(file.path());
        self.qmp(command, arguments).await?;
        read_dump(file.path()).await.map_err(ErrorKind::ScreenDump)
    }
}

async fn read_dump(file: &Path) -> io::Result<Vec<u8>> {
    let size = tokio::fs::metadata(file).await?.len();
    if size > MAX_DUMP {
        let reason = format!("{size} bytes are more than any screen has");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    tokio::fs::read(file).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn too_large_a_screen_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_DUMP + 1).unwrap();
        let error = read_dump(file.path()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
