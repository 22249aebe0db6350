//! `cargo xtask tidy`: the rules that code can check.
use anyhow::Result;
pub(crate) fn run() -> Result<()> {
    Ok(())
}
