//! Modules do not import each other in a circle: neither the top-level modules of a crate,
//! nor the submodules of one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Result, bail, ensure};

use super::imports::{Crate, Files};

const CRATES: [&str; 7] = [
    "backdoor-shell",
    "driver",
    "machine",
    "ocr",
    "qmp-mon",
    "serial-log",
    "xtask",
];

/// An import that may close a circle.
struct Exception {
    member: &'static str,
    from: &'static str,
    to: &'static str,
}

const EXCEPTIONS: [Exception; 1] = [
    // `SerialLog::builder` is where a user looks for it, and the builder makes a `SerialLog`.
    Exception {
        member: "serial-log",
        from: "client",
        to: "builder",
    },
];

/// Checks all of them.
pub(super) fn check() -> Result<()> {
    let mut found = Vec::new();
    for member in CRATES {
        let exceptions = EXCEPTIONS.iter().filter(|it| it.member == member);
        let exceptions: Vec<_> = exceptions.map(|it| (it.from, it.to)).collect();
        let files = Files::read(&format!("{member}/src"))?;
        let root = Crate::parse(&files)?;
        let of_root = circles(&root, &exceptions)?;
        found.extend(of_root.into_iter().map(|it| format!("{member}: {it}")));
        for module in &root.modules {
            let submodules = Crate::parse_submodules(&files, module)?;
            let of_module = circles(&submodules, &[])?;
            found.extend(
                of_module
                    .into_iter()
                    .map(|it| format!("{member}::{module}: {it}")),
            );
        }
    }
    if !found.is_empty() {
        bail!(
            "modules import each other in a circle:\n  {}\n\
             move what they share to a module that imports neither",
            found.join("\n  ")
        );
    }
    Ok(())
}

/// Where one module imports another first, by both.
type Imports<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>;

/// A shortest circle through each module that is on one.
fn circles(source: &Crate, exceptions: &[(&str, &str)]) -> Result<Vec<String>> {
    let mut imports = Imports::new();
    for import in &source.imports {
        let of_module = imports.entry(&import.from).or_default();
        of_module.entry(import.to()).or_insert(&import.place);
    }
    for (from, to) in exceptions {
        let exception = imports.get_mut(from).and_then(|its| its.remove(to));
        ensure!(
            exception.is_some(),
            "`{from}` does not import `{to}`: remove it from `EXCEPTIONS`"
        );
    }
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for module in imports.keys() {
        let Some(circle) = circle(&imports, module) else {
            continue;
        };
        if known.insert(BTreeSet::from_iter(circle.clone())) {
            found.push(shown(&imports, &circle));
        }
    }
    Ok(found)
}

/// The modules of a shortest circle that begins, and ends, with this one.
fn circle<'a>(imports: &Imports<'a>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::new();
    let mut paths = VecDeque::from([vec![start]]);
    while let Some(path) = paths.pop_front() {
        let next = path.last().and_then(|last| imports.get(last));
        for to in next.into_iter().flat_map(BTreeMap::keys) {
            let longer = [&path[..], &[to]].concat();
            if *to == start {
                return Some(longer);
            }
            if seen.insert(*to) {
                paths.push_back(longer);
            }
        }
    }
    None
}

/// `a → b → a (a.rs:1, b.rs:1)`
fn shown(imports: &Imports<'_>, circle: &[&str]) -> String {
    let places = circle.windows(2).map(|pair| imports[pair[0]][pair[1]]);
    let places: Vec<&str> = places.collect();
    format!("{} ({})", circle.join(" → "), places.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::imports::tests::of_files;
    use super::*;

    const CIRCLE: [(&str, &str); 4] = [
        ("lib.rs", "mod a; mod b; mod c; pub use b::B;"),
        ("a.rs", "use crate::B;"),
        ("b/x.rs", "use std::io;\nuse super::super::c::C;"),
        ("c.rs", "use crate::{a::A, b::B};"),
    ];

    #[test]
    fn the_crates_have_no_circles() {
        check().unwrap();
    }

    #[test]
    fn each_circle_is_shown_once() {
        assert_eq!(
            circles(&of_files(&CIRCLE), &[]).unwrap(),
            [
                "a → b → c → a (src/a.rs:1, src/b/x.rs:2, src/c.rs:1)",
                "b → c → b (src/b/x.rs:2, src/c.rs:1)"
            ]
        );
    }

    #[test]
    fn no_circle_is_shown_where_imports_only_go_down() {
        let files = [CIRCLE[0], CIRCLE[1], ("b.rs", "use crate::c;")];
        assert!(circles(&of_files(&files), &[]).unwrap().is_empty());
    }

    #[test]
    fn an_exception_is_for_an_import_that_there_is() {
        let source = of_files(&CIRCLE);
        assert!(circles(&source, &[("b", "c")]).unwrap().is_empty());
        let error = circles(&source, &[("b", "a")]).unwrap_err().to_string();
        assert!(error.contains("`b` does not import `a`"), "{error}");
    }
}
