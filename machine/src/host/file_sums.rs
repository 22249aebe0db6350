//! SHA-256 sums of large files, kept in the user's cache: each version of a file is read once.

use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{cache_dir, sha256};

/// A file that was written so recently may be written again without a visible change of its
/// times.
const RECENT: Duration = Duration::from_secs(2);

/// The hexadecimal digits of a file's sum.
pub(crate) fn sum(path: &Path) -> io::Result<String> {
    let path = path.canonicalize()?;
    let metadata = path.metadata()?;
    let version = version(&metadata);
    let cache = cache_file(&path);
    if let Some(cache) = &cache
        && let Ok(known) = fs::read_to_string(cache)
        && let Some(sum) = known.strip_prefix(&version)
    {
        return Ok(sum.to_owned());
    }
    let sum = sha256::of_file(&path)?;
    let age = metadata.modified()?.elapsed().unwrap_or_default();
    if let Some(cache) = cache
        && age > RECENT
        && let Err(error) = write(&cache, &(version + &sum))
    {
        tracing::debug!(%error, path = %cache.display(), "could not keep a file's sum");
    }
    Ok(sum)
}

/// What changes if the file does, as text.
fn version(file: &Metadata) -> String {
    let numbers = [
        file.ino(),
        file.size(),
        file.mtime().cast_unsigned(),
        file.mtime_nsec().cast_unsigned(),
        file.ctime().cast_unsigned(),
        file.ctime_nsec().cast_unsigned(),
    ];
    numbers.iter().map(|number| format!("{number} ")).collect()
}

/// Where the sum of the file at `path` is kept.
fn cache_file(path: &Path) -> Option<PathBuf> {
    let sums = cache_dir::subdirectory("sums").ok()?;
    let name = Sha256::digest(path.as_os_str().as_bytes());
    Some(sums.join(sha256::hex(&name)))
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("/"));
    let mut new = tempfile::NamedTempFile::new_in(dir)?;
    new.write_all(text.as_bytes())?;
    new.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_version_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let old = SystemTime::now() - Duration::from_mins(1);
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            let times = FileTimes::new().set_modified(old);
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_times(times)
                .unwrap();
        };
        write("abc");
        let first = sum(&path).unwrap();
        assert!(first.starts_with("ba7816bf"), "{first}");
        let cache = cache_file(&path.canonicalize().unwrap()).unwrap();
        let known = fs::read_to_string(&cache).unwrap();
        fs::write(&cache, known.replace("ba7816bf", "00000000")).unwrap();
        assert!(
            sum(&path).unwrap().starts_with("00000000"),
            "it is read again"
        );
        // Of the same size and time.
        write("abd");
        assert!(sum(&path).unwrap().starts_with("a52d159f"));
        fs::remove_file(cache).unwrap();
    }
}
