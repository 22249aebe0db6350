//! The log on disk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A file for the whole log, passed to
/// [`Builder::spool`](crate::Builder::spool).
///
/// It contains the text that waits search, including the guest's escape
/// sequences: lines terminated by `\n`, then an unfinished line. Line numbers
/// are those of [`Match::line`](crate::Match::line).
#[derive(Debug)]
pub struct Spool {
    file: File,
    path: PathBuf,
}

impl Spool {
    /// Creates a file at `path`, accessible only by its owner. An existing file
    /// or symbolic link is removed first, so its mode and target don't matter.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `text`, unbuffered: reads from a busy console are large anyway,
    /// and written text survives a crash of this program.
    pub(crate) fn append(&self, text: &str) -> io::Result<()> {
        (&self.file).write_all(text.as_bytes())
    }

    /// Reads a range of bytes as text.
    pub(crate) fn read(&self, range: Range<u64>) -> io::Result<String> {
        let length = range.end.saturating_sub(range.start);
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(length)
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.resize(length, 0);
        self.file.read_exact_at(&mut bytes, range.start)?;
        // The range may begin within a character, and other programs may have
        // written to the file.
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }
}

#[cfg(test)]
impl Spool {
    /// A spool on a full disk.
    pub(crate) fn full() -> Self {
        let path = PathBuf::from("/dev/full");
        let file = File::options().read(true).write(true).open(&path).unwrap();
        Self { file, path }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::Spool;

    #[test]
    fn is_private_and_does_not_follow_links() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, path) = (dir.path().join("victim"), dir.path().join("log"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &path).unwrap();

        let spool = Spool::create(&path).unwrap();
        spool.append("hello\n").unwrap();

        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&path).unwrap(), "hello\n");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(spool.read(0..4).unwrap(), "hell");
    }
}
