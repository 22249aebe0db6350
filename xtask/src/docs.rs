//! `cargo xtask docs`: the documentation of the crates, and the book in `docs`.

use std::process::Command;

use anyhow::Result;

use crate::host;
use crate::util::{cargo, run_visibly, workspace};

/// Renders the book.
const MDBOOK: &str = "mdbook@0.5.4";

/// Builds both, and prints where they are.
pub(crate) fn build(yes: bool) -> Result<()> {
    // The crates' build scripts need them.
    host::ensure(&[&host::OCR[..], &host::PYTHON].concat(), yes)?;
    let target = workspace().join("target");
    let tools = target.join(MDBOOK.replace('@', "-"));
    let mdbook = tools.join("bin/mdbook");
    if !mdbook.exists() {
        let mut install = cargo();
        install.args(["install", "--locked", "--no-default-features", MDBOOK]);
        run_visibly(install.arg("--root").arg(&tools))?;
    }
    run_visibly(
        Command::new(mdbook)
            .args(["build", "docs"])
            .current_dir(workspace()),
    )?;
    run_visibly(cargo().args(["doc", "--workspace", "--no-deps"]))?;
    eprintln!("the book: {}", target.join("book/index.html").display());
    eprintln!(
        "the crates: {}",
        target.join("doc/machine/index.html").display()
    );
    Ok(())
}
