//! The file of a script.

use std::fs;
use std::path::{self, Path, PathBuf};

use tempfile::TempPath;

/// The script of a run.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "python"),
    expect(dead_code, reason = "scripts can't be run without Python")
)]
pub(crate) struct Script {
    /// The path that the caller has given.
    pub(crate) name: PathBuf,
    /// The absolute path of the script or its copy.
    pub(crate) path: PathBuf,
    /// What a pipe or another special file contained: it can be read only once.
    _copy: Option<TempPath>,
}

impl Script {
    /// Checks that it can be read, and reads it if it can't be read again.
    pub(super) fn new(name: &Path) -> Result<Self, String> {
        let failed = |error| format!("{}: {error}", name.display());
        let text = fs::read(name).map_err(failed)?;
        let copy = if name.is_file() {
            None
        } else {
            let file = tempfile::Builder::new().suffix(".py").tempfile();
            let file = file.map_err(failed)?.into_temp_path();
            fs::write(&file, text).map_err(failed)?;
            Some(file)
        };
        let path = path::absolute(copy.as_deref().unwrap_or(name)).map_err(failed)?;
        Ok(Self {
            name: name.to_owned(),
            path,
            _copy: copy,
        })
    }
}
