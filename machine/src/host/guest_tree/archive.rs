//! A guest's directory as a tar archive.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek as _, Write as _};
use std::path::Path;

use walkdir::WalkDir;

use super::Task;

/// An archive of all files in `dir`, in a temporary file beside it that has no name.
pub(crate) fn pack(dir: &Path, task: &Task) -> io::Result<File> {
    let file = tempfile::tempfile_in(dir.parent().unwrap_or(dir))?;
    let mut archive = tar::Builder::new(BufWriter::new(file));
    archive.follow_symlinks(false);
    for entry in WalkDir::new(dir).min_depth(1).sort_by_file_name() {
        task.check_cancelled()?;
        let entry = entry?;
        let name = entry.path().strip_prefix(dir).map_err(io::Error::other)?;
        archive.append_path_with_name(entry.path(), name)?;
    }
    let mut file = archive.into_inner()?;
    file.flush()?;
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}

/// Unpacks a guest's archive into `dir`. Whatever is in it, nothing outside of `dir` is
/// changed: `tar` resolves no link that leads out. Devices and pipes are omitted.
pub(crate) fn unpack(mut archive: File, dir: &Path, task: &Task) -> io::Result<()> {
    archive.rewind()?;
    let mut archive = tar::Archive::new(BufReader::new(archive));
    for entry in archive.entries()? {
        task.check_cancelled()?;
        let mut entry = entry?;
        // Its holes would be written, of any size.
        if entry.header().entry_type().is_gnu_sparse() {
            let error = "the guest's archive has a sparse file";
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        entry.unpack_in(dir)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_tree_survives() {
        let [from, to] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let name = "n".repeat(120);
        fs::create_dir(from.path().join(&name)).unwrap();
        fs::write(from.path().join(&name).join(&name), "text").unwrap();
        symlink("nowhere", from.path().join("link")).unwrap();
        let task = Task::default();
        unpack(pack(from.path(), &task).unwrap(), to.path(), &task).unwrap();
        let copy = to.path().join(&name).join(&name);
        assert_eq!(fs::read_to_string(copy).unwrap(), "text");
        assert_eq!(
            fs::read_link(to.path().join("link")).unwrap(),
            Path::new("nowhere")
        );
    }

    /// An archive with one file of this path, after a link `out` to another directory.
    fn hostile(path: &[u8], target: &Path) -> File {
        let mut archive = tar::Builder::new(tempfile::tempfile().unwrap());
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        archive.append_link(&mut link, "out", target).unwrap();
        let mut file = tar::Header::new_gnu();
        file.as_old_mut().name[..path.len()].copy_from_slice(path);
        file.set_mode(0o644);
        file.set_size(4);
        file.set_cksum();
        archive.append(&file, &b"evil"[..]).unwrap();
        archive.into_inner().unwrap()
    }

    #[test]
    fn nothing_is_written_outside() {
        let [parent, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let dir = parent.path().join("dir");
        fs::create_dir(&dir).unwrap();
        let task = Task::default();
        for path in [
            &b"../file"[..],
            b"out/file",
            b"/file-of-vmwright",
            b"a/../../file",
        ] {
            let _ = unpack(hostile(path, other.path()), &dir, &task);
        }
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
        assert!(!Path::new("/file-of-vmwright").exists());
    }

    #[test]
    fn a_sparse_file_is_refused() {
        let mut archive = tar::Builder::new(tempfile::tempfile().unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_path("sparse").unwrap();
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_size(0);
        header.as_gnu_mut().unwrap().set_real_size(1 << 50);
        header.set_cksum();
        archive.append(&header, io::empty()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let error = unpack(archive.into_inner().unwrap(), dir.path(), &Task::default());
        error.unwrap_err();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn it_can_be_cancelled() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "text").unwrap();
        let task = Task::default();
        task.cancellation().cancel();
        assert!(pack(dir.path(), &task).is_err());
    }
}
