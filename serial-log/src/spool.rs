//! The whole log on disk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A file that takes the whole log, to be handed to
/// [`Builder::spool`](crate::Builder::spool).
///
/// It holds the log as text: every line followed by `\n`, then the last line
/// as far as it has come. So line numbers are those of
/// [`Match::line`](crate::Match::line), and `less` and `grep` show what a wait
/// sees, guest's escapes included.
#[derive(Debug)]
pub struct Spool {
    file: File,
    path: PathBuf,
}

impl Spool {
    /// Makes a new file at `path`, readable and writable by its owner only. A
    /// file that stands there already is removed first, so neither its mode
    /// nor a link at its place matters.
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

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `text`. Nothing is held back in the program: reads from a
    /// console that is flooding come in big pieces anyway, and what has been
    /// handed to the system survives however the program ends.
    pub(crate) fn append(&self, text: &str) -> io::Result<()> {
        (&self.file).write_all(text.as_bytes())
    }

    /// Those bytes of it.
    pub(crate) fn read(&self, range: Range<u64>) -> io::Result<String> {
        let length = range.end.saturating_sub(range.start);
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(length)
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.resize(length, 0);
        self.file.read_exact_at(&mut bytes, range.start)?;
        // It may begin within a character, or somebody else may have written to the file.
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }
}

#[cfg(test)]
impl Spool {
    /// A disk that has no space left.
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
    fn is_private_and_follows_no_link() {
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
