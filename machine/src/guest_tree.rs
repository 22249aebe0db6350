//! Copies between the host's own files and a directory that a guest can write.
//!
//! The guest is not trusted, and may change that directory under our hands. So
//! nothing in it is reached by its path but through `openat2` with
//! `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`, and nothing is opened before it is
//! known to be a file: opening a device or a pipe may have effects, or hang.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::fs::{fstat, mkdirat, open, openat2, readlinkat};
use walkdir::WalkDir;

/// Paths within a copy by their modes.
pub(crate) type Modes = BTreeMap<u32, Vec<PathBuf>>;

/// Copies the host's `source`, a file or a directory with all in it, to `name`
/// in the guest's directory `dir`, and gives the modes that all of it is to have, when
/// it is where it is to be. Symbolic links are followed.
pub(crate) fn copy_in(source: &Path, dir: &Path, name: &Path) -> io::Result<Modes> {
    let guest = GuestDir::open(dir)?;
    let mut modes = Modes::new();
    for entry in WalkDir::new(source).follow_links(true) {
        let entry = entry?;
        let inside = entry.path().strip_prefix(source).unwrap_or(Path::new(""));
        let target = join(name, inside);
        let data = entry.metadata()?;
        if data.is_dir() {
            guest.make_dir(&target)?;
        } else if data.is_file() {
            io::copy(&mut File::open(entry.path())?, &mut guest.create(&target)?)?;
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

/// Writes lists to the directory `name` in the guest's directory `dir`: of each mode a
/// file, called like it in octal, of the paths that have it, with a NUL behind each.
pub(crate) fn write_modes(modes: &Modes, dir: &Path, name: &Path) -> io::Result<()> {
    let guest = GuestDir::open(dir)?;
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
pub(crate) fn copy_out(dir: &Path, name: &Path, target: &Path) -> io::Result<Vec<PathBuf>> {
    let guest = GuestDir::open(dir)?;
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut left_out = Vec::new();
    let mut to_do = vec![PathBuf::new()];
    while let Some(inside) = to_do.pop() {
        let path = join(name, &inside);
        let entry = guest.look(&path)?;
        let target = join(target, &inside);
        match FileType::from_raw_mode(fstat(&entry)?.st_mode) {
            FileType::Directory => {
                match fs::create_dir(&target) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error)?,
                    _ => {}
                }
                to_do.extend(guest.list(&path)?.into_iter().map(|name| inside.join(name)));
            }
            FileType::RegularFile => copy_file_out(&entry, &target)?,
            FileType::Symlink if inside.parent().is_some() => {
                let link = readlinkat(&entry, "", Vec::new())?;
                let link = PathBuf::from(OsString::from_vec(link.into_bytes()));
                if stays_inside(&inside, &link) {
                    remove_link_or_file(&target)?;
                    symlink(link, &target)?;
                } else {
                    left_out.push(inside);
                }
            }
            _ if inside.as_os_str().is_empty() => {
                return Err(io::Error::other("it is neither a file nor a directory"));
            }
            _ => left_out.push(inside),
        }
    }
    Ok(left_out)
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
fn copy_file_out(entry: &OwnedFd, target: &Path) -> io::Result<()> {
    let file = File::open(format!("/proc/self/fd/{}", entry.as_raw_fd()))?;
    let data = file.metadata()?;
    remove_link_or_file(target)?;
    let mut copy = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)?;
    // No more than it had: the guest may go on to write.
    io::copy(&mut file.take(data.len()), &mut copy)?;
    copy.set_permissions(Permissions::from_mode(data.permissions().mode() & 0o777))
}

/// Makes way for a new file, which must not be written through an old link.
fn remove_link_or_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `inside` beneath `path`; `path` itself, without a slash, if it is empty.
fn join(path: &Path, inside: &Path) -> PathBuf {
    if inside.as_os_str().is_empty() {
        path.to_owned()
    } else {
        path.join(inside)
    }
}

/// A directory in which a guest may do as it likes.
struct GuestDir(OwnedFd);

impl GuestDir {
    /// `path` is ours, but its last component may have become a link.
    fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(open(path, flags, Mode::empty())?))
    }

    fn open_beneath(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        Ok(openat2(&self.0, path, flags, mode, resolve)?)
    }

    /// What is at `path`, not opened.
    fn look(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open_beneath(path, OFlags::PATH, Mode::empty())
    }

    /// The names in a directory.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let dir = self.open_beneath(path, flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&dir)? {
            let name = entry?.file_name().to_owned();
            if !matches!(name.to_bytes(), b"." | b"..") {
                names.push(PathBuf::from(OsString::from_vec(name.into_bytes())));
            }
        }
        Ok(names)
    }

    /// A new file.
    fn create(&self, path: &Path) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(self.open_beneath(path, flags, mode)?.into())
    }

    /// A new directory.
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => {
                let parent = self.open_beneath(parent, flags, Mode::empty())?;
                mkdirat(parent, name, Mode::RWXU)?;
            }
            _ => mkdirat(&self.0, path, Mode::RWXU)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A directory that holds `guest/` and `secret`.
    fn world() -> (tempfile::TempDir, PathBuf) {
        let world = tempfile::tempdir().unwrap();
        let guest = world.path().join("guest");
        fs::create_dir(&guest).unwrap();
        fs::write(world.path().join("secret"), "the host's").unwrap();
        (world, guest)
    }

    #[test]
    fn a_tree_comes_out_as_it_is() {
        let (world, guest) = world();
        fs::create_dir_all(guest.join("tree/sub")).unwrap();
        fs::write(guest.join("tree/sub/file"), "text").unwrap();
        fs::set_permissions(guest.join("tree/sub/file"), Permissions::from_mode(0o4751)).unwrap();
        symlink("sub/file", guest.join("tree/link")).unwrap();
        symlink("../link", guest.join("tree/sub/up")).unwrap();
        let out = world.path().join("out/tree");
        assert!(
            copy_out(&guest, Path::new("tree"), &out)
                .unwrap()
                .is_empty()
        );
        assert_eq!(fs::read_to_string(out.join("link")).unwrap(), "text");
        assert_eq!(fs::read_to_string(out.join("sub/up")).unwrap(), "text");
        let mode = fs::metadata(out.join("sub/file"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(
            mode & 0o7777,
            0o751,
            "no program of the guest's is setuid here"
        );
        // Once more over what is there.
        fs::write(guest.join("tree/sub/file"), "new").unwrap();
        copy_out(&guest, Path::new("tree"), &out).unwrap();
        assert_eq!(fs::read_to_string(out.join("link")).unwrap(), "new");
    }

    #[test]
    fn nothing_leads_outside() {
        let (world, guest) = world();
        let tree = guest.join("tree");
        fs::create_dir_all(tree.join("sub")).unwrap();
        for (at, to) in [
            ("absolute", "/etc/passwd"),
            ("up", "../../secret"),
            ("sub/up", "../../secret"),
            ("here", "."),
            ("through", "here/here/../../../secret"),
            ("sub/dots", "./../../secret"),
        ] {
            symlink(to, tree.join(at)).unwrap();
        }
        let status = Command::new("mkfifo").arg(tree.join("pipe")).status();
        assert!(status.unwrap().success());
        let out = world.path().join("out");
        let mut left_out = copy_out(&guest, Path::new("tree"), &out).unwrap();
        left_out.sort();
        let expected = ["absolute", "pipe", "sub/dots", "sub/up", "through", "up"];
        assert_eq!(left_out, expected.map(PathBuf::from));
        assert!(out.join("here").is_symlink());
    }

    #[test]
    fn what_is_asked_for_is_no_way_outside_either() {
        let (world, guest) = world();
        symlink("../secret", guest.join("link")).unwrap();
        symlink("..", guest.join("dir")).unwrap();
        let out = world.path().join("out");
        copy_out(&guest, Path::new("link"), &out).unwrap_err();
        copy_out(&guest, Path::new("dir/secret"), &out).unwrap_err();
        assert!(!out.exists());
        // The way in is guarded as well.
        copy_in(&world.path().join("secret"), &guest, Path::new("dir/new")).unwrap_err();
        copy_in(&world.path().join("secret"), &guest, Path::new("link")).unwrap_err();
        assert!(!world.path().join("new").exists());
    }

    #[test]
    fn an_old_link_is_not_written_through() {
        let (world, guest) = world();
        fs::write(guest.join("file"), "the guest's").unwrap();
        let out = world.path().join("out");
        symlink(world.path().join("secret"), &out).unwrap();
        copy_out(&guest, Path::new("file"), &out).unwrap();
        assert_eq!(fs::read_to_string(&out).unwrap(), "the guest's");
        let secret = fs::read_to_string(world.path().join("secret")).unwrap();
        assert_eq!(secret, "the host's");
    }

    #[test]
    fn a_tree_goes_in_with_what_its_links_lead_to() {
        let (world, guest) = world();
        let source = world.path().join("source");
        fs::create_dir_all(source.join("sub")).unwrap();
        fs::write(source.join("sub/run"), "#!").unwrap();
        fs::set_permissions(source.join("sub/run"), Permissions::from_mode(0o750)).unwrap();
        symlink("sub/run", source.join("link")).unwrap();
        copy_in(&source, &guest, Path::new("copy")).unwrap();
        assert!(!guest.join("copy/link").is_symlink());
        assert_eq!(fs::read_to_string(guest.join("copy/link")).unwrap(), "#!");
    }

    #[test]
    fn modes_are_listed_and_hinder_nobody() {
        let (world, guest) = world();
        let source = world.path().join("source");
        fs::create_dir_all(source.join("sub")).unwrap();
        fs::write(source.join("sub/run"), "#!").unwrap();
        let set = |path: &str, mode| {
            fs::set_permissions(source.join(path), Permissions::from_mode(mode)).unwrap();
        };
        set("sub/run", 0o4555);
        set("sub", 0o555);
        set("", 0o1777);
        let modes = copy_in(&source, &guest, Path::new("copy")).unwrap();
        write_modes(&modes, &guest, Path::new("modes")).unwrap();
        let list = |mode: &str| fs::read_to_string(guest.join("modes").join(mode)).unwrap();
        assert_eq!(list("4555"), "./sub/run\0");
        assert_eq!(list("555"), "./sub\0");
        assert_eq!(list("1777"), "./\0");
        assert_eq!(fs::read_dir(guest.join("modes")).unwrap().count(), 3);
        let mode = |path: &str| fs::metadata(guest.join(path)).unwrap().permissions().mode();
        assert_eq!(mode("copy/sub") & 0o777, 0o700);
        assert_eq!(mode("copy/sub/run") & 0o777, 0o600);
        // So that it can be removed.
        set("sub", 0o700);
    }

    #[test]
    fn a_circle_of_links_is_an_error() {
        let (world, guest) = world();
        let source = world.path().join("source");
        fs::create_dir(&source).unwrap();
        symlink(".", source.join("again")).unwrap();
        let error = copy_in(&source, &guest, Path::new("copy")).unwrap_err();
        assert!(error.to_string().contains("loop"), "{error}");
    }
}
