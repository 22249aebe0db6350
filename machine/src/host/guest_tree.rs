//! Copies between the host's own files and a directory that a guest can write.
//!
//! The guest is not trusted and may change the directory at any time. Paths in it are only
//! resolved by `openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`, and a file is only
//! opened once it is known to be a regular file: opening a device or a pipe may have side
//! effects, or hang. A guest may create files faster than they are copied or removed, so
//! each operation can be [cancelled](Task).

mod archive;
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

pub(crate) use archive::{pack, unpack};
use dir::GuestDir;
use pending::Pending;
pub(crate) use remove::remove;
pub(crate) use task::Task;

use crate::host::files::remove_file_if_exists;
use crate::host::sparse;

/// The paths in a copy, by mode.
pub(crate) type Modes = BTreeMap<u32, Vec<PathBuf>>;

/// The paths that were not copied. Only the first are kept: there may be millions.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    pub(crate) first: Vec<PathBuf>,
    pub(crate) more: u64,
}

impl LeftOut {
    pub(crate) fn add(&mut self, path: PathBuf) {
        const MAX: usize = 20;
        if self.first.len() < MAX {
            self.first.push(path);
        } else {
            self.more += 1;
        }
    }
}

/// Copies the host's `source`, a file or a directory tree, to `name` in the guest's
/// directory `dir`. Symbolic links are followed. Returns the modes of the sources, which the
/// copies do not have yet.
pub(crate) fn copy_in(source: &Path, dir: &Path, name: &Path, task: &Task) -> io::Result<Modes> {
    let guest = GuestDir::open(dir, task)?;
    let mut modes = Modes::new();
    for entry in WalkDir::new(source).follow_links(true) {
        let entry = entry?;
        let inside = entry.path().strip_prefix(source).unwrap_or(Path::new(""));
        let target = join(name, inside);
        let data = entry.metadata()?;
        if data.is_dir() {
            guest.create_dir(&target)?;
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

/// Skips holes, except in files of `/proc` and the like, whose lengths are not those of their
/// contents.
fn copy_file_in(source: &Path, mut target: &File, task: &Task) -> io::Result<()> {
    /// The bytes between two checks for cancellation.
    const CHUNK: u64 = 1 << 20;
    let source = File::open(source)?;
    let length = source.metadata()?.len();
    if sparse::is_on_disk(&source)? {
        sparse::copy(&source, target, length, || task.check_cancelled())?;
    } else {
        while io::copy(&mut (&source).take(CHUNK), &mut target)? > 0 {
            task.check_cancelled()?;
        }
    }
    task.count_copied(length);
    Ok(())
}

/// Writes one file per mode to the directory `name` in the guest's directory `dir`. The
/// file is named by the mode in octal, and lists the paths, each terminated by a NUL.
pub(crate) fn write_modes(modes: &Modes, dir: &Path, name: &Path, task: &Task) -> io::Result<()> {
    let guest = GuestDir::open(dir, task)?;
    guest.create_dir(name)?;
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

/// Copies `name` in the guest's directory `dir` to the host's `target`. Returns the paths
/// that were left out: all but files, directories, and links to paths inside the copy.
pub(crate) fn copy_out(dir: &Path, name: &Path, target: &Path, task: &Task) -> io::Result<LeftOut> {
    let guest = GuestDir::open(dir, task)?;
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(|error| {
            let what = format!(
                "the directory {} can't be created: {error}",
                parent.display()
            );
            io::Error::new(error.kind(), what)
        })?;
    }
    let entry = guest.open_path(name)?;
    match file_type(&entry)? {
        FileType::Directory => copy_dir_out(&guest, name, target),
        FileType::RegularFile => copy_file_out(&entry, target, task).map(|()| LeftOut::default()),
        _ => Err(io::Error::other("neither a file nor a directory")),
    }
}

fn copy_dir_out(guest: &GuestDir<'_>, name: &Path, target: &Path) -> io::Result<LeftOut> {
    let mut left_out = LeftOut::default();
    let mut pending = Pending::default();
    pending.push(PathBuf::new())?;
    while let Some(dir) = pending.pop() {
        ensure_dir(&join(target, &dir))?;
        // Not collected: there may be millions of names.
        guest.for_each_name(&join(name, &dir), |file_name| {
            let inside = dir.join(file_name);
            let entry = guest.open_path(&name.join(&inside))?;
            let target = target.join(&inside);
            match file_type(&entry)? {
                FileType::Directory => pending.push(inside)?,
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

/// Creates a directory unless there is one. A link, which an earlier copy may have created,
/// is replaced: it may lead to another depth.
fn ensure_dir(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => Ok(()),
        Ok(data) if data.is_symlink() => fs::remove_file(path).and_then(|()| fs::create_dir(path)),
        _ => fs::create_dir(path),
    }
}

/// Whether a link at `inside` leads to a path inside the directory that `inside` is relative
/// to.
///
/// `..` is allowed only at the beginning, where it leads from one real directory to another.
/// The rest of the path may contain links, which are copied only if they stay inside, too.
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
    // A new file: an existing one may be a link.
    remove_file_if_exists(target)?;
    let copy = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)?;
    // Not until its end: the guest may append to it.
    sparse::copy(&file, &copy, data.len(), || task.check_cancelled())?;
    task.count_copied(data.len());
    copy.set_permissions(Permissions::from_mode(data.permissions().mode() & 0o777))
}

/// `inside` relative to `path`. Without a trailing slash if `inside` is empty.
fn join(path: &Path, inside: &Path) -> PathBuf {
    if inside.as_os_str().is_empty() {
        path.to_owned()
    } else {
        path.join(inside)
    }
}

#[cfg(test)]
pub(crate) mod tests;
