//! A root's tree on the host, unpacked from archives.
//!
//! An archive is not trusted: whatever is in it, nothing outside of the tree is changed, and
//! paths and links are resolved as in the guest. The host's files get no other owners and no
//! special modes; those are kept in a list, for the file system that is made from the tree.

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, linkat, mkdirat, mknodat, openat, openat2,
    statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};

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
mod tests {
    use std::fs;

    use tar::{Builder, Header};

    use super::*;

    /// An archive of entries: the kind, the path, and the contents or the link's target.
    fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        for (kind, path, text) in entries {
            let mut header = Header::new_gnu();
            // `set_path` refuses some.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o4711);
            header.set_uid(7);
            header.set_gid(8);
            let contents = if matches!(kind, Link | Symlink) {
                header.set_link_name_literal(text).unwrap();
                ""
            } else {
                text
            };
            header.set_size(contents.len() as u64);
            header.set_cksum();
            archive.append(&header, contents.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap()
    }

    use EntryType::{Char, Directory, Fifo, Link, Regular, Symlink};

    #[test]
    fn links_lead_nowhere_but_into_the_tree() {
        let [root, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let mut tree = Tree::new(root.path()).unwrap();
        let outside = other.path().to_str().unwrap();
        let entries = [
            (Directory, "usr/", ""),
            (Symlink, "bin", "/usr/bin"),
            (Regular, "bin/sh", "shell"),
            (Link, "bin/bash", "/usr/bin/sh"),
            (Symlink, "out", outside),
            (Regular, "out/file", "evil"),
            (Fifo, "run/pipe", ""),
            (Char, "dev/null", ""),
        ];
        // `usr/bin` is missing: where a link leads is not created.
        tree.unpack(&*archive(&entries), Kind::Root).unwrap_err();
        let entries = [&[(Directory, "usr/bin", "")][..], &entries].concat();
        let _ = tree.unpack(&*archive(&entries), Kind::Root);
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
        let shell = root.path().join("usr/bin/bash");
        assert_eq!(fs::read_to_string(&shell).unwrap(), "shell");
        let file = shell.metadata().unwrap();
        assert_eq!(file.mode() & 0o7777, 0o600, "the host has no such programs");
        let attributes = Attributes {
            uid: 7,
            gid: 8,
            mode: 0o4711,
        };
        assert_eq!(tree.attributes(&file), attributes);
        let implied = tree.attributes(&root.path().metadata().unwrap());
        assert_eq!((implied.uid, implied.mode), (0, 0o755));
    }

    #[test]
    fn what_could_harm_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("root");
        fs::create_dir(&root).unwrap();
        let mut tree = Tree::new(&root).unwrap();
        for (entry, reason) in [
            ((Regular, "../file", ""), "`..`"),
            ((Regular, "a/../../file", ""), "`..`"),
            ((Link, "a", "../file"), "`..`"),
            ((Char, "null", ""), "devices"),
        ] {
            let error = tree.unpack(&*archive(&[entry]), Kind::Root).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(reason) && error.contains(entry.1), "{error}");
        }
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn layers_replace_and_remove() {
        let root = tempfile::tempdir().unwrap();
        let mut tree = Tree::new(root.path()).unwrap();
        let below = [
            (Regular, "etc/old", ""),
            (Regular, "etc/kept", "old"),
            (Regular, "var/below", ""),
            (Regular, "opt/dir/file", ""),
        ];
        let above = [
            (Regular, "etc/.wh.old", ""),
            (Regular, "etc/.wh.never", ""),
            (Regular, "etc/kept", "new"),
            (Regular, "var/above", ""),
            (Regular, "var/.wh..wh..opq", ""),
            (Symlink, "opt", "etc"),
        ];
        for layer in [&below[..], &above] {
            tree.unpack(&*archive(layer), Kind::Layer).unwrap();
        }
        let list = |dir: &str| {
            let entries = fs::read_dir(root.path().join(dir)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect::<Vec<_>>()
        };
        assert_eq!(
            (list("etc"), list("var")),
            (vec!["kept".to_owned()], vec!["above".to_owned()])
        );
        assert_eq!(
            fs::read_to_string(root.path().join("opt/kept")).unwrap(),
            "new"
        );
        // In an archive that is no layer, they are files.
        tree.unpack(&*archive(&[(Regular, ".wh.a", "")]), Kind::Root)
            .unwrap();
        assert!(root.path().join(".wh.a").exists());
    }
}
