//! Disk images made from roots, in the user's cache.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use super::ext4;
use super::root::{Root, missing_shell};
use super::root_archive::CACHE;
use super::tree::{Tree, own_attributes};
use crate::host::{cache_dir, sha256};

/// Part of the name of images: another one if they are made otherwise.
const FORMAT: &str = "1";

/// Finds the image of a root in the cache, or makes it. Other processes that need the same one
/// wait.
pub(super) fn find_or_make(root: &Root, needs_bash: bool) -> io::Result<PathBuf> {
    let bash = if needs_bash { "-bash" } else { "" };
    let name = format!("{}{bash}.ext4", digest(root)?);
    cache_dir::find_or_make(CACHE, &name, |work| {
        tracing::info!("making a disk image of the root (once)");
        let image = work.join("image");
        make(root, work, &image, needs_bash)?;
        File::open(&image)?.sync_all()?;
        Ok(image)
    })
}

/// A sum of everything that the image depends on.
pub(super) fn digest(root: &Root) -> io::Result<String> {
    let mut sum = Sha256::new_with_prefix(FORMAT);
    match root {
        Root::Dir(dir) => hash_dir(&mut sum, dir)?,
        Root::Archive(archive) => archive.hash(&mut sum)?,
        Root::Missing | Root::Host | Root::Initrd(_) => {}
    }
    Ok(sha256::hex(&sum.finalize()))
}

/// What changes if a file in the directory does: its contents are not read.
fn hash_dir(sum: &mut Sha256, dir: &Path) -> io::Result<()> {
    for entry in WalkDir::new(dir).sort_by_file_name() {
        let entry = entry?;
        let file = entry.metadata()?;
        let numbers = [
            u64::from(file.mode()),
            u64::from(file.uid()),
            u64::from(file.gid()),
            file.size(),
            file.ino(),
            file.mtime().cast_unsigned(),
            file.mtime_nsec().cast_unsigned(),
            file.ctime().cast_unsigned(),
            file.ctime_nsec().cast_unsigned(),
        ];
        sum.update(entry.path().as_os_str().as_bytes());
        sum.update([0]);
        for number in numbers {
            sum.update(number.to_le_bytes());
        }
    }
    Ok(())
}

fn make(root: &Root, work: &Path, image: &Path, needs_bash: bool) -> io::Result<()> {
    if let Root::Dir(dir) = root {
        check(dir, needs_bash)?;
        return ext4::make(dir, image, own_attributes);
    }
    let dir = work.join("tree");
    fs::create_dir(&dir)?;
    let mut tree = Tree::new(&dir)?;
    if let Root::Archive(archive) = root {
        archive.unpack(&mut tree)?;
    }
    check(&dir, needs_bash)?;
    ext4::make(&dir, image, |file| tree.attributes(file))
}

/// Checks that the root shell finds its programs in the tree.
pub(super) fn check(root: &Path, needs_bash: bool) -> io::Result<()> {
    match missing_shell(root, needs_bash)? {
        None => Ok(()),
        Some(program) => Err(io::Error::other(format!(
            "it has no /{program}, which the root shell needs"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_of_a_directory_is_another_root() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "a").unwrap();
        let root = Root::Dir(dir.path().to_owned());
        let digest = || digest(&root).unwrap();
        let first = digest();
        assert_eq!(first, digest());
        fs::write(&file, "b").unwrap();
        assert_ne!(first, digest());
    }

    #[test]
    fn a_root_without_a_shell_leaves_nothing() {
        let [dir, work] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let image = work.path().join("image");
        let root = Root::Dir(dir.path().to_owned());
        let error = make(&root, work.path(), &image, false).unwrap_err();
        assert!(error.to_string().contains("no /bin/sh"), "{error}");
        assert_eq!(fs::read_dir(work.path()).unwrap().count(), 0);
    }

    #[test]
    fn files_have_their_attributes_in_the_file_system() {
        let [dir, work] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        fs::create_dir(dir.path().join("bin")).unwrap();
        fs::write(dir.path().join("bin/sh"), "").unwrap();
        fs::write(dir.path().join("a \"b\""), "").unwrap();
        let image = work.path().join("image");
        ext4::make(dir.path(), &image, |file| super::super::tree::Attributes {
            uid: 70_000,
            mode: if file.is_dir() { 0o755 } else { 0o4711 },
            ..own_attributes(file)
        })
        .unwrap();
        let listed = std::process::Command::new("/sbin/debugfs")
            .args(["-R", "ls -l /"])
            .arg(&image)
            .output()
            .unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let line = listed.lines().find(|line| line.ends_with("a \"b\""));
        let line = line.unwrap_or_else(|| panic!("{listed}"));
        assert!(
            line.contains("104711") && line.contains(" 70000 "),
            "{line}"
        );
    }
}
