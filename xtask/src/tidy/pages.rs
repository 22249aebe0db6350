//! The Markdown pages: the book has all of `docs`, links lead to existing files, lines of text are
//! short, and the recipes for CI services fit these services' schemas.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::pip;
use crate::util::{files_ending, run, workspace};

const SUMMARY: &str = "docs/SUMMARY.md";

const MAX_COLUMNS: usize = 100;

const CI: &str = "docs/ci.md";

/// Has the schemas of CI services.
const CHECKER: &str = "check-jsonschema==0.39.0";

/// The schemas of the recipes in [`CI`], in their order.
const SCHEMAS: [&[&str]; 2] = [
    &["--builtin-schema", "vendor.github-workflows"],
    &[
        "--builtin-schema",
        "vendor.gitlab-ci",
        "--data-transform",
        "gitlab-ci",
    ],
];

/// Checks all of them.
pub(super) fn check() -> Result<()> {
    summary()?;
    links()?;
    lines()?;
    recipes()
}

/// The book has all pages.
fn summary() -> Result<()> {
    let text = fs::read_to_string(workspace().join(SUMMARY)).context(SUMMARY)?;
    let listed: Vec<&str> = relative_links(&text).collect();
    for page in files_ending(&workspace().join("docs"), "md")? {
        let name = page.file_name().unwrap_or_default().to_string_lossy();
        ensure!(
            listed.contains(&&*name) || SUMMARY.ends_with(&*name),
            "{SUMMARY} does not list {name}"
        );
    }
    Ok(())
}

/// Relative links lead to existing files.
fn links() -> Result<()> {
    for page in files_ending(&workspace(), "md")? {
        let text = fs::read_to_string(&page)?;
        let dir = page.parent().unwrap_or(Path::new("."));
        let is_in_book = dir.ends_with("docs");
        for link in relative_links(&text) {
            let shown = page.display();
            ensure!(dir.join(link).exists(), "{shown}: there is no {link}");
            ensure!(
                !is_in_book || !link.starts_with(".."),
                "{shown}: {link} is not in the book, so name it without a link"
            );
        }
    }
    Ok(())
}

/// Lines of text fit into 100 columns, but for tables, blocks of code and links.
fn lines() -> Result<()> {
    for page in files_ending(&workspace(), "md")? {
        let text = fs::read_to_string(&page)?;
        if let Some(line) = long_line(&text) {
            bail!("{}: wrap the line: {line}", page.display());
        }
    }
    Ok(())
}

fn long_line(text: &str) -> Option<&str> {
    let mut is_code = false;
    text.lines().find(|line| {
        is_code ^= line.trim_start().starts_with("```");
        let is_text = !is_code && !line.starts_with('|') && !line.contains("](");
        is_text && line.chars().count() > MAX_COLUMNS
    })
}

/// The paths of links to files, without their fragments.
fn relative_links(text: &str) -> impl Iterator<Item = &str> {
    let links = text.split("](").skip(1);
    let targets = links.filter_map(|link| link.split([')', ' ']).next());
    let paths = targets.filter_map(|target| target.split('#').next());
    paths.filter(|path| !path.is_empty() && !path.contains(':') && !path.starts_with('<'))
}

/// The blocks of YAML are what the services expect.
fn recipes() -> Result<()> {
    let text = fs::read_to_string(workspace().join(CI)).context(CI)?;
    let blocks = text.split("```yaml\n").skip(1);
    let recipes: Vec<&str> = blocks.filter_map(|it| it.split("```").next()).collect();
    if recipes.len() != SCHEMAS.len() {
        bail!("{CI} has {} recipes, not {}", recipes.len(), SCHEMAS.len());
    }
    let checker = pip::installed(CHECKER)?;
    let dir = tempfile::tempdir()?;
    for (recipe, schema) in recipes.iter().zip(SCHEMAS) {
        let file = dir.path().join("recipe.yaml");
        fs::write(&file, recipe)?;
        let mut check = Command::new("python3");
        check.args(["-m", "check_jsonschema"]);
        check.args(schema).arg(&file).env("PYTHONPATH", &checker);
        run(&mut check).with_context(|| format!("correct {CI}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_are_found() {
        let text = "[a](a.md) ![b](../b.png \"B\") [c](https://c) [d](#d) [e](e.md#e) [`f`](f)";
        let found: Vec<&str> = relative_links(text).collect();
        assert_eq!(found, ["a.md", "../b.png", "e.md", "f"]);
    }

    #[test]
    fn long_lines_of_text_are_found() {
        let long = "x ".repeat(60);
        let allowed = format!("| {long}\n[a](b) {long}\n```\n{long}\n```\nshort\n");
        assert_eq!(long_line(&allowed), None);
        assert_eq!(long_line(&format!("{allowed}{long}\n")), Some(&*long));
    }

    #[test]
    fn pages_are_linked() {
        summary().unwrap();
        links().unwrap();
        lines().unwrap();
    }
}
