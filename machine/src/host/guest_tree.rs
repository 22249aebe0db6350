//! Copies between the host's own files and a directory that a guest can write.
//!
//! The guest is not trusted, and may change that directory under our hands. So
//! nothing in it is reached by its path but through `openat2` with
//! `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`, and nothing is opened before it is
//! known to be a file: opening a device or a pipe may have effects, or hang. And it
//! may go on to make files for as long as they are copied or removed, so all that can
//! be [given up](Task).

mod dir;
mod pending;
mod remove;
mod task;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, fstat, readlinkat};
use walkdir::WalkDir;

use dir::GuestDir;
use pending::Pending;
pub(crate) use remove::remove;
pub(crate) use task::Task;

use crate::host::sparse;
use crate::host::state_dir::remove_file_if_exists;

/// Paths within a copy by their modes.
pub(crate) type Modes = BTreeMap<u32, Vec<PathBuf>>;

/// What was not copied; of what may be millions of paths, the first.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    pub(crate) first: Vec<PathBuf>,
    pub(crate) more: u64,
}

impl LeftOut {
    pub(crate) fn add(&mut self, path: PathBuf) {
        const KEPT: usize = 20;
        if self.first.len() < KEPT {
            self.first.push(path);
        } else {
            self.more += 1;
        }
    }
}

/// Copies the host's `source`, a file or a directory with all in it, to `name`
/// in the guest's directory `dir`, and gives the modes that all of it is to have, when
/// it is where it is to be. Symbolic links are followed.
pub(crate) fn copy_in(source: &Path, dir: &Path, name: &Path, task: &Task) -> io::Result<Modes> {
    let guest = GuestDir::open(dir, task)?;
    let mut modes = Modes::new();
    for entry in WalkDir::new(source).follow_links(true) {
        let entry = entry?;
        let inside = entry.path().strip_prefix(source).unwrap_or(Path::new(""));
        let target = join(name, inside);
        let data = entry.metadata()?;
        if data.is_dir() {
            guest.make_dir(&target)?;
        } else if data.is_file() {
            copy_file_in(entry.path(), &guest.create(&target)?, task)?;
        } else {
            return Err(io::Error::other(format!(
                "{} is neither a file nor a directory",
                entry.path().display()
            )));
        }
        let mode = data.permissions().mode() & 0o7777;
        modes.entry(mode).or_default().push(inside.to_owned());
    }
    Ok(modes)
}

/// Without the holes of a file that has some; but what the kernel makes up, as in `/proc`,
/// has no length, or another than there is to read.
fn copy_file_in(source: &Path, mut target: &File, task: &Task) -> io::Result<()> {
    /// How much is copied at once of what may have no end.
    const PIECE: u64 = 1 << 20;
    let source = File::open(source)?;
    let length = source.metadata()?.len();
    if sparse::is_on_disk(&source)? {
        sparse::copy(&source, target, length, || task.goes_on())?;
    } else {
        while io::copy(&mut (&source).take(PIECE), &mut target)? > 0 {
            task.goes_on()?;
        }
    }
    task.has_copied(length);
    Ok(())
}

/// Writes lists to the directory `name` in the guest's directory `dir`: of each mode a
/// file, called like it in octal, of the paths that have it, with a NUL behind each.
pub(crate) fn write_modes(modes: &Modes, dir: &Path, name: &Path, task: &Task) -> io::Result<()> {
    let guest = GuestDir::open(dir, task)?;
    guest.make_dir(name)?;
    for (mode, paths) in modes {
        let mut list = BufWriter::new(guest.create(&name.join(format!("{mode:o}")))?);
        for path in paths {
            list.write_all(Path::new(".").join(path).as_os_str().as_bytes())?;
            list.write_all(b"\0")?;
        }
        list.flush()?;
    }
    Ok(())
}

/// Copies `name` in the guest's directory `dir` to the host's `target`, and
/// gives the paths that were left out because they are neither files nor
/// directories nor links to what is copied as well.
pub(crate) fn copy_out(dir: &Path, name: &Path, target: &Path, task: &Task) -> io::Result<LeftOut> {
    let guest = GuestDir::open(dir, task)?;
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    let entry = guest.look(name)?;
    match file_type(&entry)? {
        FileType::Directory => copy_dir_out(&guest, name, target),
        FileType::RegularFile => copy_file_out(&entry, target, task).map(|()| LeftOut::default()),
        _ => Err(io::Error::other("it is neither a file nor a directory")),
    }
}

fn copy_dir_out(guest: &GuestDir<'_>, name: &Path, target: &Path) -> io::Result<LeftOut> {
    let mut left_out = LeftOut::default();
    let mut to_do = Pending::default();
    to_do.push(PathBuf::new())?;
    while let Some(dir) = to_do.pop() {
        make_dir(&join(target, &dir))?;
        // One by one: there may be millions.
        guest.each(&join(name, &dir), |file_name| {
            let inside = dir.join(file_name);
            let entry = guest.look(&name.join(&inside))?;
            let target = target.join(&inside);
            match file_type(&entry)? {
                FileType::Directory => to_do.push(inside)?,
                FileType::RegularFile => copy_file_out(&entry, &target, guest.task)?,
                FileType::Symlink => {
                    let link = readlinkat(&entry, "", Vec::new())?;
                    let link = PathBuf::from(OsString::from_vec(link.into_bytes()));
                    if stays_inside(&inside, &link) {
                        remove_file_if_exists(&target)?;
                        symlink(link, &target)?;
                    } else {
                        left_out.add(inside);
                    }
                }
                _ => left_out.add(inside),
            }
            Ok(())
        })?;
    }
    Ok(left_out)
}

fn file_type(entry: &OwnedFd) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(fstat(entry)?.st_mode))
}

/// Makes a directory, or takes one that is there. In the place of a link, which may
/// have been copied before and lead to another depth, it makes one.
fn make_dir(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => Ok(()),
        Ok(data) if data.is_symlink() => fs::remove_file(path).and_then(|()| fs::create_dir(path)),
        _ => fs::create_dir(path),
    }
}

/// Whether a link at `inside` leads to somewhere beneath the directory that
/// `inside` is relative to.
///
/// `..` may only come first, where it leads from one real directory to another:
/// after that the way may lead through other links, but through none that does
/// not stay inside, either.
fn stays_inside(inside: &Path, link: &Path) -> bool {
    let mut depth = inside.components().count() - 1;
    let mut components = link.components().peekable();
    while components
        .next_if(|c| matches!(c, Component::ParentDir | Component::CurDir))
        .is_some_and(|c| c != Component::CurDir)
    {
        let Some(up) = depth.checked_sub(1) else {
            return false;
        };
        depth = up;
    }
    components.all(|c| matches!(c, Component::Normal(_)))
}

/// `entry` is a regular file, opened as a path only.
fn copy_file_out(entry: &OwnedFd, target: &Path, task: &Task) -> io::Result<()> {
    let file = File::open(format!("/proc/self/fd/{}", entry.as_raw_fd()))?;
    let data = file.metadata()?;
    // A new file, which can't be written through an old link.
    remove_file_if_exists(target)?;
    let copy = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)?;
    // No more than it had: the guest may go on to write.
    sparse::copy(&file, &copy, data.len(), || task.goes_on())?;
    task.has_copied(data.len());
    copy.set_permissions(Permissions::from_mode(data.permissions().mode() & 0o777))
}

/// `inside` beneath `path`; `path` itself, without a slash, if it is empty.
fn join(path: &Path, inside: &Path) -> PathBuf {
    if inside.as_os_str().is_empty() {
        path.to_owned()
    } else {
        path.join(inside)
    }
}

#[cfg(test)]
pub(crate) mod tests;
