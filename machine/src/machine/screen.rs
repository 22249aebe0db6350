//! The screen: screenshots.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ocr::Image;
use tokio::time::Instant;

use super::Machine;
use crate::error::{ErrorKind, Result};
use crate::guest::waiting::Probe;
use crate::host::blocking::blocking;
use crate::sync::Mutex;
use crate::trace::SCREEN;

/// The longest pause between two probes of the screen.
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
        self.step(&format!("waiting for {what}"), async {
            let last = &Mutex::default();
            let waited = self.wait_pausing(SCREEN_PAUSE, what, |_| async move {
                let picture = self.take_picture().await?;
                Ok(probe_stillness(&mut last.lock(), picture, still))
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
            monitors.picture(dir).await
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

/// Compares a picture with the last different one, and since when that was seen.
fn probe_stillness(
    last: &mut Option<(Image, Instant)>,
    picture: Image,
    still: Duration,
) -> Probe<()> {
    match last {
        Some((same, since)) if *same == picture => {
            let left = still.saturating_sub(since.elapsed());
            let seen = format!("unchanged for less than {still:?}");
            match left {
                Duration::ZERO => Probe::Ready(()),
                left => Probe::PendingUntil { seen, left },
            }
        }
        _ => {
            *last = Some((picture, Instant::now()));
            let seen = "another picture than before".to_owned();
            Probe::PendingUntil { seen, left: still }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::guest::waiting::{self, pause};

    /// Pictures take 30 ms: the first one, and the last one after `still`.
    #[tokio::test(start_paused = true)]
    async fn stillness_is_seen_at_once() {
        for still in [0, 1, 70, 500, 1000].map(Duration::from_millis) {
            let start = Instant::now();
            let last = &Mutex::default();
            let waited = waiting::wait(Duration::from_hours(1), SCREEN_PAUSE, |_| async move {
                pause(Duration::from_millis(30)).await;
                let picture = Image::from_rgb(1, 1, vec![[0; 3]]).unwrap();
                let probe = probe_stillness(&mut last.lock(), picture, still);
                Ok::<_, Infallible>(probe)
            });
            waited.await.unwrap();
            let took = start.elapsed();
            assert!(
                took <= still + Duration::from_millis(61),
                "{still:?}: {took:?}"
            );
        }
    }
}
