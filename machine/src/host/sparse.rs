//! Copies of sparse files that keep the holes.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::seek;
use rustix::io::Errno;

/// Copies the first `length` bytes of a file, except for holes: a sparse file may be larger
/// than the disk. An error of `check_cancelled`, which is called repeatedly, ends the copy.
pub(crate) fn copy(
    mut source: &File,
    mut target: &File,
    length: u64,
    check_cancelled: impl Fn() -> io::Result<()>,
) -> io::Result<()> {
    /// The bytes between two checks for cancellation.
    const CHUNK: u64 = 64 << 20;
    target.set_len(length)?;
    let mut done = 0;
    while let Some((begin, end)) = next_data(source, done)?
        && begin < length
    {
        check_cancelled()?;
        done = end.min(length).min(begin + CHUNK);
        source.seek(SeekFrom::Start(begin))?;
        target.seek(SeekFrom::Start(begin))?;
        let copied = io::copy(&mut source.take(done - begin), &mut target)?;
        if copied < done - begin {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Whether the length of a file is that of its contents. A file of `/proc` or `/sys` has an
/// arbitrary length, often zero.
pub(crate) fn is_on_disk(mut file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    if metadata.len() == 0 {
        return Ok(false);
    }
    let Ok(first) = next_data(file, 0) else {
        return Ok(false);
    };
    file.rewind()?;
    Ok(first.is_none() || metadata.blocks() > 0)
}

/// The next range of data at or after `from`.
fn next_data(file: &File, from: u64) -> io::Result<Option<(u64, u64)>> {
    match seek(file, rustix::fs::SeekFrom::Data(from)) {
        Ok(begin) => {
            let end = seek(file, rustix::fs::SeekFrom::Hole(begin))?;
            Ok((end > begin).then_some((begin, end)))
        }
        // The rest of the file is a hole.
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::FileExt as _;

    use super::*;

    #[test]
    fn holes_are_not_copied() {
        const LENGTH: u64 = 1 << 40;
        let dir = tempfile::tempdir().unwrap();
        let [source, target] = ["source", "target"].map(|name| dir.path().join(name));
        let file = File::create_new(&source).unwrap();
        file.set_len(LENGTH).unwrap();
        let parts = [
            (b"begins", 0),
            (b"middle", 1 << 39),
            (b"ending", LENGTH - 6),
        ];
        for (text, place) in parts {
            file.write_all_at(text, place).unwrap();
        }
        let source = File::open(&source).unwrap();
        let target_file = File::create_new(&target).unwrap();
        copy(&source, &target_file, LENGTH, || Ok(())).unwrap();

        let data = fs::metadata(&target).unwrap();
        assert_eq!(data.len(), LENGTH);
        assert!(data.blocks() < 1000, "{} blocks", data.blocks());
        let copied = File::open(&target).unwrap();
        for (text, place) in parts {
            let mut read = [0; 6];
            copied.read_exact_at(&mut read, place).unwrap();
            assert_eq!(&read, text);
        }
    }
}
