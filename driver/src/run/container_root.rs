//! What a container starts from, by its path.

use std::path::Path;

use super::check;

/// What a container starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContainerRoot {
    OciLayout,
    Directory,
    /// A tar archive.
    Archive,
    StartScript,
}

impl ContainerRoot {
    pub(crate) fn at(path: &Path) -> Self {
        if path.join("oci-layout").exists() {
            Self::OciLayout
        } else if path.is_dir() {
            Self::Directory
        } else if archive_stem(path).is_some() {
            Self::Archive
        } else {
            Self::StartScript
        }
    }
}

/// Checks that a container can start from a file or a directory.
pub(super) fn check(path: &Path) -> Result<(), String> {
    match ContainerRoot::at(path) {
        ContainerRoot::OciLayout | ContainerRoot::Directory => Ok(()),
        ContainerRoot::Archive => check::file(path),
        ContainerRoot::StartScript => check::executable(path),
    }
}

/// NAME of run-NAME-nspawn or NAME.tar.xz, or the name of a directory.
pub(super) fn default_name(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let script = file.strip_suffix("-nspawn");
    let script = script.and_then(|it| it.split_once("run-"));
    let script = script.map(|(_, name)| name);
    let name = script.filter(|name| !name.is_empty());
    let name = name.map(str::to_owned).or_else(|| archive_stem(path));
    name.unwrap_or_else(|| file.into_owned())
}

/// NAME of NAME.tar, NAME.tar.gz and so on.
fn archive_stem(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let endings = [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst"];
    let stem = endings.iter().find_map(|ending| file.strip_suffix(ending));
    stem.filter(|stem| !stem.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_named_by_its_script_directory_or_archive() {
        for (path, expected) in [
            ("/nix/store/x/bin/run-web-nspawn", "web"),
            ("/srv/debian", "debian"),
            ("/srv/debian.tar.zst", "debian"),
            (".tar", ".tar"),
            ("run--nspawn", "run--nspawn"),
        ] {
            assert_eq!(default_name(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn archives_and_scripts_are_files() {
        let dir = tempfile::tempdir().unwrap();
        let layout = dir.path().join("layout.tar");
        std::fs::create_dir_all(layout.join("oci-layout")).unwrap();
        for (path, expected) in [
            (dir.path(), ContainerRoot::Directory),
            (&layout, ContainerRoot::OciLayout),
            (Path::new("debian.tgz"), ContainerRoot::Archive),
            (Path::new("run-web-nspawn"), ContainerRoot::StartScript),
        ] {
            assert_eq!(ContainerRoot::at(path), expected);
            assert_eq!(check(path).is_ok(), path.is_dir(), "{}", path.display());
        }
    }
}
