//! Dumps of the screen, which QEMU writes to files.

use std::io;
use std::path::Path;

use ocr::Image;
use ocr::console::{VGA_TEXT_MEMORY, has_vga_text_size};
use serde_json::{Value, json};

use super::Monitors;
use crate::error::{ErrorKind, Result};

/// The size of the largest screen that is read, with its header: the guest chooses it.
const MAX_DUMP: u64 = (3 << 26) + 64;

impl Monitors<'_> {
    /// Takes a picture of the screen, by a file in `dir`.
    pub(crate) async fn picture(&self, dir: &Path) -> Result<Image, ErrorKind> {
        let bytes = self.dump("screendump", json!({}), dir).await?;
        Image::from_ppm(&bytes).map_err(|error| ErrorKind::ScreenDump(io::Error::other(error)))
    }

    /// Reads the VGA's text memory, by a file in `dir`. `None` if a screen with this picture
    /// can't be in text mode, or QEMU does not provide the memory.
    pub(crate) async fn vga_memory(&self, picture: &Image, dir: &Path) -> Option<Vec<u8>> {
        if !has_vga_text_size(picture) {
            return None;
        }
        let memory = json!({
            "val": VGA_TEXT_MEMORY.start,
            "size": VGA_TEXT_MEMORY.end - VGA_TEXT_MEMORY.start,
        });
        self.dump("pmemsave", memory, dir).await.ok()
    }

    /// Has QEMU write a file in `dir` by a QMP command, and returns its contents.
    async fn dump(
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
        read(file.path()).await.map_err(ErrorKind::ScreenDump)
    }
}

async fn read(file: &Path) -> io::Result<Vec<u8>> {
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
        let error = read(file.path()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
