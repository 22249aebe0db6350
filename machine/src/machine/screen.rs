//! The screen.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ocr::Image;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::error::{ErrorKind, Result};
use crate::guest::waiting::Look;
use crate::machine::Machine;
use crate::trace::SCREEN;

/// # The screen
/// The largest screen that is read, and its header: a guest chooses how large it is.
const MAX_DUMP: u64 = (3 << 26) + 64;

impl Machine {
    /// Takes a picture of the screen and gives where it is: a PNG file called
    /// `name` in the [output directory](crate::Builder::out_dir), `.png` added
    /// if it has no extension. A `name` with a `/` in it is a path of its own.
    ///
    /// # Errors
    /// [`Screenshot`](ErrorKind::Screenshot) if the file can't be written.
    pub async fn screenshot(&self, name: &str) -> Result<PathBuf> {
        let path = self.screenshot_path(name)?;
        let step = format!("making screenshot {}", path.display());
        self.step(&step, async {
            let picture = self.take_picture().await?;
            self.save(&picture, &path)?;
            Ok(path.clone())
        })
        .await
    }

    /// Waits until the screen has looked the same for as long as `still`.
    ///
    /// What blinks on it keeps it from that.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the text on the screen, and the path of a
    /// screenshot that is left in the output directory.
    pub async fn wait_for_still_screen(&self, still: Duration) -> Result<()> {
        let what = "the screen to stand still";
        // The last picture, and since when it has been the same.
        let last = Mutex::new(None::<(Image, Instant)>);
        let last = &last;
        self.step(&format!("waiting for {what}"), async {
            let waited = self.wait(what, |_| async move {
                let picture = self.take_picture().await?;
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(match &*last {
                    Some((same, since)) if *same == picture && since.elapsed() >= still => {
                        Look::Done(())
                    }
                    Some((same, _)) if *same == picture => {
                        Look::NotYet("the same picture, but not for long".to_owned())
                    }
                    _ => {
                        *last = Some((picture, Instant::now()));
                        Look::NotYet("another picture than before".to_owned())
                    }
                })
            });
            self.with_screen(waited.await).await
        })
        .await
    }

    fn screenshot_path(&self, name: &str) -> Result<PathBuf> {
        if name.ends_with('/') || Path::new(name).file_name().is_none() {
            let reason = io::Error::new(io::ErrorKind::InvalidInput, "that is no name of a file");
            return Err(self.no_screenshot(Path::new(name), &reason));
        }
        let mut path = if name.contains('/') {
            PathBuf::from(name)
        } else {
            self.parts.out_dir.join(name)
        };
        if path.extension().is_none() {
            path.set_extension("png");
        }
        Ok(path)
    }

    pub(crate) async fn take_picture(&self) -> Result<Image> {
        self.check_conditions().await?;
        let bytes = self.dump("screendump", json!({})).await?;
        Image::from_ppm(&bytes).map_err(|error| self.no_screenshot("a screendump".as_ref(), &error))
    }

    /// Has QEMU write a file, and gives what is in it.
    pub(crate) async fn dump(&self, command: &str, mut arguments: Value) -> Result<Vec<u8>> {
        let file = tempfile::Builder::new()
            .prefix(command)
            .tempfile_in(self.state_dir())
            .map_err(|error| self.no_screenshot(self.state_dir(), &error))?;
        arguments["filename"] = json!(file.path());
        self.qmp(command, arguments).await?;
        read_dump(file.path())
            .await
            .map_err(|error| self.no_screenshot(file.path(), &error))
    }

    pub(crate) fn save(&self, picture: &Image, path: &Path) -> Result<()> {
        let mut png = Vec::new();
        let written = picture.write_png(&mut png);
        written
            .and_then(|()| fs::write(path, &png))
            .map_err(|error| self.no_screenshot(path, &error))?;
        let path = path.display();
        tracing::trace!(target: SCREEN, machine = self.name(), %path, png = &png[..]);
        Ok(())
    }

    /// Saves the screen that a wait in vain saw last, beside those of others.
    pub(crate) fn keep_last_screen(&self, picture: &Image) -> Result<PathBuf> {
        for number in 1.. {
            let name = format!("{}-last-screen-{number}.png", self.name());
            let path = self.out_dir().join(name);
            match File::create_new(&path) {
                Ok(_) => return self.save(picture, &path).map(|()| path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.no_screenshot(&path, &error)),
            }
        }
        unreachable!("the loop has no end but its returns")
    }

    fn no_screenshot(&self, path: &Path, reason: &dyn std::error::Error) -> crate::Error {
        self.error(ErrorKind::Screenshot {
            path: path.to_owned(),
            reason: reason.to_string(),
        })
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
    async fn a_screen_larger_than_any_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_DUMP + 1).unwrap();
        let error = read_dump(file.path()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
