//! A root's tree on the host, unpacked from archives.
//!
//! An archive is not trusted: whatever is in it, nothing outside of the tree is changed, and
//! paths and links are resolved as in the guest. The host's files get no other owners and no
//! special modes at first; those are kept in a list, for the file system that is made from the
//! tree.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, linkat, mkdirat, mknodat, openat, openat2,
    statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};
use walkdir::WalkDir;

/// What a layer's files begin with that remove others: the files of the rest of their name, or
/// all of the layers below.
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// The owner and mode that a file has in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) uid: u64,
    pub(super) gid: u64,
    /// Without the file's type.
    pub(super) mode: u32,
}

/// A tree that is being unpacked.
#[derive(Debug)]
pub(super) struct Tree {
    root: File,
    /// By the number of the file's inode.
    attributes: HashMap<u64, Attributes>,
}

/// What an archive is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole root.
    Root,
    /// One of several layers, which may remove files of those below.
    Layer,
}

impl Tree {
    /// The empty directory `dir`.
    pub(super) fn new(dir: &Path) -> io::Result<Self> {
        Ok(Self {
            root: File::open(dir)?,
            attributes: HashMap::new(),
        })
    }

    /// The owner and mode of a file: root's, if it is a directory that no archive describes.
    pub(super) fn attributes(&self, file: &Metadata) -> Attributes {
        let implied = Attributes {
            uid: 0,
            gid: 0,
            mode: 0o755,
        };
        self.attributes.get(&file.ino()).copied().unwrap_or(implied)
    }

    /// Gives the files of the unpacked tree, which is at `dir`, their owners and modes. Needs
    /// root.
    pub(super) fn set_attributes(&self, dir: &Path) -> io::Result<()> {
        for entry in WalkDir::new(dir) {
            let entry = entry?;
            let (path, metadata) = (entry.path(), entry.metadata()?);
            let attributes = self.attributes(&metadata);
            let [user, group] = [attributes.uid, attributes.gid].map(|id| u32::try_from(id).ok());
            let owned = lchown(path, user, group);
            let changed = owned.and_then(|()| {
                if metadata.is_symlink() {
                    return Ok(());
                }
                fs::set_permissions(path, Permissions::from_mode(attributes.mode))
            });
            changed.map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
        }
        Ok(())
    }

    /// Unpacks an archive over what is there.
    pub(super) fn unpack(&mut self, archive: impl Read, kind: Kind) -> io::Result<()> {
        let mut new = HashSet::new();
        for entry in Archive::new(archive).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            let unpacked = self.unpack_entry(&mut entry, &path, kind, &mut new);
            unpacked.map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        }
        Ok(())
    }

    fn unpack_entry(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        path: &Path,
        kind: Kind,
        new: &mut HashSet<u64>,
    ) -> io::Result<()> {
        if matches!(entry.header().entry_type(), EntryType::XGlobalHeader) {
            return Ok(());
        }
        let path = relative(path)?;
        let Some(name) = path.file_name().map(|name| name.as_bytes().to_owned()) else {
            // The root itself.
            return Ok(());
        };
        let dir = self.parent(&path)?;
        if kind == Kind::Layer && name == OPAQUE {
            return remove_children(&dir, new);
        }
        if kind == Kind::Layer
            && let Some(removed) = name.strip_prefix(WHITEOUT)
        {
            return remove(&dir, removed);
        }
        if !self.create(entry, &dir, &name, &path)? {
            return Ok(());
        }
        let inode = statat(&dir, &*name, AtFlags::SYMLINK_NOFOLLOW)?.st_ino;
        new.insert(inode);
        let header = entry.header();
        if header.entry_type() != EntryType::Link {
            let attributes = Attributes {
                uid: header.uid()?,
                gid: header.gid()?,
                mode: header.mode()? & 0o7777,
            };
            self.attributes.insert(inode, attributes);
        }
        Ok(())
    }

    /// Creates the file of an entry; returns whether it did.
    fn create(
        &self,
        entry: &mut Entry<'_, impl Read>,
        dir: &OwnedFd,
        name: &[u8],
        path: &Path,
    ) -> io::Result<bool> {
        let kind = entry.header().entry_type();
        if kind == EntryType::Directory {
            make_dir(dir, name)?;
            return Ok(true);
        }
        if matches!(kind, EntryType::Char | EntryType::Block) {
            // The guest's kernel provides those.
            let is_expected = path.starts_with("dev");
            return if is_expected {
                Ok(false)
            } else {
                Err(io::Error::other("devices are only expected in /dev"))
            };
        }
        remove(dir, name)?;
        match kind {
            EntryType::Symlink => symlinkat(link_target(entry)?.as_os_str(), dir, name)?,
            EntryType::Link => {
                let target = relative(&link_target(entry)?)?;
                let target_name = target.file_name().unwrap_or_default();
                linkat(
                    self.parent(&target)?,
                    target_name,
                    dir,
                    name,
                    AtFlags::empty(),
                )?;
            }
            EntryType::Fifo => {
                mknodat(dir, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                let file = openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?;
                io::copy(entry, &mut File::from(file))?;
            }
            other => return Err(io::Error::other(format!("unknown kind of file: {other:?}"))),
        }
        Ok(true)
    }

    /// The directory in which a path ends, created if it is missing.
    fn parent(&self, path: &Path) -> io::Result<OwnedFd> {
        let parent = path.parent().unwrap_or(Path::new(""));
        match self.open_dir(parent) {
            Err(Errno::NOENT) => {
                let above = self.parent(parent)?;
                make_dir(&above, parent.file_name().unwrap_or_default().as_bytes())?;
                Ok(self.open_dir(parent)?)
            }
            opened => Ok(opened?),
        }
    }

    fn open_dir(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let path = if path == Path::new("") {
            Path::new(".")
        } else {
            path
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.root, path, flags, Mode::empty(), resolve)
    }
}

/// The path without a leading `/` and `.`.
fn relative(path: &Path) -> io::Result<PathBuf> {
    let mut relative = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => relative.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(io::Error::other(
                    "a path with `..` may lead out of the root",
                ));
            }
        }
    }
    Ok(relative)
}

fn link_target(entry: &Entry<'_, impl Read>) -> io::Result<PathBuf> {
    let target = entry.link_name()?;
    let target = target.ok_or_else(|| io::Error::other("a link without a target"))?;
    Ok(target.into_owned())
}

/// Makes a directory, unless it exists.
fn make_dir(dir: &OwnedFd, name: &[u8]) -> io::Result<()> {
    if let Ok(stat) = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Ok(());
        }
        unlinkat(dir, name, AtFlags::empty())?;
    }
    Ok(mkdirat(dir, name, Mode::RWXU)?)
}

/// Removes a file or a directory, if it exists.
fn remove(dir: &OwnedFd, name: &[u8]) -> io::Result<()> {
    if matches!(name, b"" | b"." | b"..") {
        return Err(io::Error::other("no name of a file to be removed"));
    }
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let removed = openat(dir, name, flags, Mode::empty())?;
            remove_children(&removed, &HashSet::new())?;
            Ok(unlinkat(dir, name, AtFlags::REMOVEDIR)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes what is in a directory, except for the files with these inodes.
fn remove_children(dir: &OwnedFd, kept: &HashSet<u64>) -> io::Result<()> {
    let entries: Vec<_> = rustix::fs::Dir::read_from(dir)?.collect::<Result<_, _>>()?;
    for entry in entries {
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." && !kept.contains(&entry.ino()) {
            remove(dir, name)?;
        }
    }
    Ok(())
}

/// The attributes of a file in a directory that the user has made: the user is root in the
/// guest.
pub(super) fn own_attributes(file: &Metadata) -> Attributes {
    let user = u64::from(rustix::process::geteuid().as_raw());
    let group = u64::from(rustix::process::getegid().as_raw());
    let in_guest = |id: u32, own: u64| if u64::from(id) == own { 0 } else { id.into() };
    Attributes {
        uid: in_guest(file.uid(), user),
        gid: in_guest(file.gid(), group),
        mode: file.mode() & 0o7777,
    }
}

#[cfg(test)]
mod tests;
