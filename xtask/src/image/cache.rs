//! A directory that is built atomically, and rebuilt only if its inputs change.

use std::fs::{self, File, Permissions};
use std::io::ErrorKind::NotFound;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::util::hex;

/// The file with the hash of a complete image's inputs, and the list of its files.
const MANIFEST: &str = "manifest";

/// This file, which is also an input of every image.
const BUILDER: &str = include_str!("cache.rs");

/// Calls `build` to build the directory `image`, unless a complete one made from the same
/// `inputs` exists. `build` gets an empty directory, which is renamed to `image` on success.
/// Other processes that build the same image wait.
pub(crate) fn ensure(
    image: &Path,
    inputs: &[&str],
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let images = image
        .parent()
        .context("the image has no parent directory")?;
    fs::create_dir_all(images)?;
    let lock = File::create(image.with_extension("lock"))?;
    lock.lock()?;

    let hash = hash(inputs);
    if is_complete(image, &hash) {
        return Ok(());
    }
    let name = image.file_name().context("the image has no name")?;
    let prefix = format!(".{}.new-", name.to_string_lossy());
    remove_leftovers(images, &prefix)?;
    let new = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(images)?;
    build(new.path())?;
    fs::write(new.path().join(MANIFEST), manifest(new.path(), &hash)?)?;
    match fs::remove_dir_all(image) {
        Err(error) if error.kind() != NotFound => return Err(error.into()),
        _ => {}
    }
    make_readable(new.path())?;
    fs::rename(new.keep(), image)?;
    Ok(())
}

/// Removes the directories of builders that were killed. The caller holds the lock.
fn remove_leftovers(images: &Path, prefix: &str) -> Result<()> {
    for entry in fs::read_dir(images)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn hash(inputs: &[&str]) -> String {
    let mut hash = Sha256::new_with_prefix(BUILDER);
    for input in inputs {
        hash.update(input.len().to_le_bytes());
        hash.update(input);
    }
    hex(&hash.finalize())
}

/// The hash of the inputs, then each file's size and name, one a line.
fn manifest(dir: &Path, hash: &str) -> Result<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        files.push(format!(
            "{} {}\n",
            entry.metadata()?.len(),
            entry.file_name().to_string_lossy()
        ));
    }
    files.sort();
    Ok(format!("{hash}\n{}", files.concat()))
}

fn is_complete(image: &Path, hash: &str) -> bool {
    let Ok(manifest) = fs::read_to_string(image.join(MANIFEST)) else {
        return false;
    };
    let mut lines = manifest.lines();
    lines.next() == Some(hash)
        && lines.all(|line| {
            line.split_once(' ').is_some_and(|(size, file)| {
                fs::metadata(image.join(file)).is_ok_and(|meta| meta.len().to_string() == size)
            })
        })
}

/// Lets all users read the image: a temporary directory is private to its owner. Makes its
/// files read-only, since many machines use them as their base.
fn make_readable(image: &Path) -> Result<()> {
    for entry in fs::read_dir(image)? {
        let entry = entry?;
        let mode = entry.metadata()?.permissions().mode();
        fs::set_permissions(entry.path(), Permissions::from_mode(mode & 0o555 | 0o444))?;
    }
    fs::set_permissions(image, Permissions::from_mode(0o755))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn an_image_is_rebuilt_if_changed_or_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        let builds = Cell::new(0);
        let ensure = |inputs: &[&str]| {
            ensure(&image, inputs, |dir| {
                builds.set(builds.get() + 1);
                Ok(fs::write(dir.join("disk"), "data")?)
            })
            .unwrap();
        };
        ensure(&["a", "b"]);
        ensure(&["a", "b"]);
        assert_eq!(builds.get(), 1, "the same inputs");
        ensure(&["ab", ""]);
        assert_eq!(builds.get(), 2, "different inputs");
        fs::remove_file(image.join("disk")).unwrap();
        fs::write(image.join("disk"), "cut").unwrap();
        ensure(&["ab", ""]);
        assert_eq!(builds.get(), 3, "a file of a different size");
        fs::remove_file(image.join("disk")).unwrap();
        ensure(&["ab", ""]);
        assert_eq!(builds.get(), 4, "a missing file");
    }

    #[test]
    fn directories_of_killed_builders_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join(".image.new-abc");
        let of_another_image = dir.path().join(".other.new-abc");
        fs::create_dir(&left).unwrap();
        fs::create_dir(&of_another_image).unwrap();
        ensure(&dir.path().join("image"), &[], |_| Ok(())).unwrap();
        assert!(!left.exists());
        assert!(of_another_image.exists(), "its builder may be running");
    }

    #[test]
    fn a_failed_build_leaves_the_old_image() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        ensure(&image, &["old"], |dir| {
            Ok(fs::write(dir.join("disk"), "old")?)
        })
        .unwrap();
        ensure(&image, &["new"], |_| anyhow::bail!("no")).unwrap_err();
        assert_eq!(fs::read_to_string(image.join("disk")).unwrap(), "old");
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "the image and its lock: {left:?}");
    }
}
