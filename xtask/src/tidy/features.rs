//! Each feature of a crate is optional, and needs no other.

use anyhow::{Result, bail};

use super::check as cargo_check;
use crate::util::{cargo, run};

/// Crates and the features that they build with, without the default ones.
const BUILDS: [(&str, &str); 5] = [
    ("vmwright-machine", ""),
    ("vmwright-machine", "report"),
    ("vmwright-machine", "screen"),
    ("vmwright-ocr", ""),
    ("vmwright-driver", ""),
];

/// Builds that must not need the C libraries for text recognition.
const WITHOUT_C: [(&str, &str); 2] = [("vmwright-machine", "screen"), ("vmwright-ocr", "")];

/// The bindings to those libraries.
const C_BINDINGS: [&str; 2] = ["leptess", "tesseract-plumbing"];

/// Checks all of these builds.
pub(super) fn check() -> Result<()> {
    for (member, feature) in BUILDS {
        let build = ["check", "--quiet"];
        let arguments = [&build[..], &selection(member, feature)].concat();
        cargo_check(&arguments, "a feature must be optional and need no other")?;
    }
    for (member, feature) in WITHOUT_C {
        let tree = ["tree", "--edges", "normal", "--prefix", "none"];
        let tree = run(cargo().args(tree).args(selection(member, feature)))?;
        let tree = String::from_utf8(tree.stdout)?;
        if let Some(found) = binding(&tree) {
            bail!("{member} with the features [{feature}] depends on {found}: make it optional");
        }
    }
    Ok(())
}

/// Cargo's arguments for a crate with one feature, or with none.
fn selection<'a>(member: &'a str, feature: &'a str) -> [&'a str; 5] {
    [
        "--package",
        member,
        "--no-default-features",
        "--features",
        feature,
    ]
}

/// The first of the bindings in cargo's list of dependencies.
fn binding(tree: &str) -> Option<&str> {
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.into_iter().find(|name| C_BINDINGS.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_to_c_are_found_in_a_tree() {
        let pure = "ocr v0.1.0 (/x/ocr)\nlibc v0.2.1\nnot-leptess v1.0.0\n";
        assert_eq!(binding(pure), None);
        let with_c = format!("{pure}leptess v0.14.0\n");
        assert_eq!(binding(&with_c), Some("leptess"));
    }
}
