//! The screen.

use std::path::{Path, PathBuf};

use super::Machine;
use super::monitor::monitor_error;
use crate::error::{ErrorKind, Result};

/// # The screen
impl Machine {
    /// Takes a picture of the screen and gives where it is: a PNG file called
    /// `name` in the [output directory](crate::Builder::out_dir), `.png` added
    /// if it has no extension. A `name` with a `/` in it is a path of its own.
    ///
    /// # Errors
    /// [`Screenshot`](ErrorKind::Screenshot) if the file can't be written.
    pub async fn screenshot(&self, name: &str) -> Result<PathBuf> {
        let path = self.screenshot_path(name);
        let step = format!("making screenshot {}", path.display());
        self.step(&step, async {
            let picture = self.take_picture().await?;
            let file = std::fs::File::create(&path);
            file.and_then(|file| picture.write_png(file))
                .map_err(|error| self.no_screenshot(&path, &error))?;
            Ok(path.clone())
        })
        .await
    }

    fn screenshot_path(&self, name: &str) -> PathBuf {
        let mut path = if name.contains('/') {
            PathBuf::from(name)
        } else {
            self.parts.out_dir.join(name)
        };
        if path.extension().is_none() {
            path.set_extension("png");
        }
        path
    }

    async fn take_picture(&self) -> Result<ocr::Image> {
        let path = self.state_dir().join("screen.ppm");
        let arguments = serde_json::json!({ "filename": path });
        self.on_qemu("taking a picture of the screen", async |running| {
            let taken = running.qmp.execute("screendump", arguments).await;
            taken.map_err(|source| monitor_error("taking a picture of the screen", source))
        })
        .await?;
        let bytes = tokio::fs::read(&path).await;
        // Nobody wants to find the last picture in the next one's place.
        let _ = tokio::fs::remove_file(&path).await;
        let bytes = bytes.map_err(|error| self.no_screenshot(&path, &error))?;
        ocr::Image::from_ppm(&bytes).map_err(|error| self.no_screenshot(&path, &error))
    }

    fn no_screenshot(&self, path: &Path, reason: &dyn std::error::Error) -> crate::Error {
        self.error(ErrorKind::Screenshot {
            path: path.to_owned(),
            reason: reason.to_string(),
        })
    }
}
