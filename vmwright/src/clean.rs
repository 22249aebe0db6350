//! `vmwright clean`: removes what makes later runs quicker.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::{fs, io};

use anyhow::{Context as _, Result};
use machine::Template;

/// The directory of templates.
///
/// # Errors
/// The user has no home directory.
pub(crate) fn templates() -> Result<PathBuf> {
    Ok(cache()?.join("templates"))
}

/// Removes the templates that no machine uses, and the disk images made from roots.
pub(crate) fn clean() -> Result<u8> {
    let templates = templates()?;
    let cleared = Template::clear(&templates);
    cleared.with_context(|| format!("clearing {}", templates.display()))?;
    let roots = cache()?.join("roots");
    match fs::remove_dir_all(&roots) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", roots.display()))
        }
        _ => Ok(0),
    }
}

fn cache() -> Result<PathBuf> {
    machine::cache_dir().ok_or_else(|| {
        let error = io::Error::other("neither HOME nor XDG_CACHE_HOME is set");
        anyhow::Error::from(error).context("finding the directory of templates")
    })
}
