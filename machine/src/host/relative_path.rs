//! Paths relative to a directory that may be moved, together with what is around it.

use std::path::{Component, Path, PathBuf};

/// `path` as seen from `dir`, both absolute; unchanged if they have only the root directory in
/// common, since what is elsewhere stays where it is.
pub(crate) fn relative(path: &Path, dir: &Path) -> PathBuf {
    let common = path
        .components()
        .zip(dir.components())
        .take_while(|(one, other)| one == other)
        .count();
    if common < 2 {
        return path.to_owned();
    }
    let up = dir.components().skip(common).map(|_| Component::ParentDir);
    up.chain(path.components().skip(common)).collect()
}

/// The path that is `relative` as seen from `dir`, which contains no symbolic links.
pub(crate) fn resolve(relative: &Path, dir: &Path) -> PathBuf {
    let mut path = dir.to_owned();
    for component in relative.components() {
        if component == Component::ParentDir {
            path.pop();
        } else {
            path.push(component);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_move_with_their_directory() {
        let [old, new] = ["/old/vm/templates", "/new/place/vm/templates"].map(Path::new);
        for (path, seen, moved) in [
            (
                "/old/vm/image/disk",
                "../image/disk",
                "/new/place/vm/image/disk",
            ),
            (
                "/old/vm/templates/a/disk",
                "a/disk",
                "/new/place/vm/templates/a/disk",
            ),
            ("/old/disk", "../../disk", "/new/place/disk"),
            ("/oldest/disk", "/oldest/disk", "/oldest/disk"),
            ("/nix/store/disk", "/nix/store/disk", "/nix/store/disk"),
        ] {
            let relative = relative(Path::new(path), old);
            assert_eq!(relative, Path::new(seen));
            assert_eq!(resolve(&relative, old), Path::new(path));
            assert_eq!(resolve(&relative, new), Path::new(moved));
        }
    }
}
