//! `vmwright clean`: removes what makes later runs quicker.

use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use machine::Template;

/// The directory of templates.
///
/// # Errors
/// The user has no home directory.
pub(crate) fn templates() -> Result<PathBuf> {
    Ok(cache()?.join("templates"))
}

/// Removes the templates that no machine uses, and what was made from roots and is not in use.
pub(crate) fn clean() -> Result<u8> {
    let templates = templates()?;
    let cleared = Template::clear(&templates);
    cleared.with_context(|| format!("clearing {}", templates.display()))?;
    machine::clear_roots().context("removing what was made from roots")?;
    Ok(0)
}

fn cache() -> Result<PathBuf> {
    machine::cache_dir().ok_or_else(|| {
        let error = io::Error::other("neither HOME nor XDG_CACHE_HOME is set");
        anyhow::Error::from(error).context("finding the directory of templates")
    })
}
