//! The floors of `machine`: a module imports only modules on lower floors.

use anyhow::{Result, bail};

use super::imports::{Crate, Files, Import};

/// The top-level modules of `machine`, the lowest floor first. Modules on one floor do not
/// import each other.
const FLOORS: [&[&str]; 8] = [
    &[
        "exit_reason",
        "sync",
        "time_scale",
        "trace",
        "trouble",
        "unit",
    ],
    &["error"],
    &["host"],
    &["start"],
    &["guest"],
    &["instance"],
    &["container", "machine"],
    &["template"],
];

/// The module beside the floors: no other imports it.
const LEAF: &str = "report";

/// All that the leaf imports.
const LEAF_IMPORTS: [&[&str]; 3] = [&["trace"], &["sync"], &["host", "tmp_dir"]];

/// Checks `machine`.
pub(super) fn check() -> Result<()> {
    check_crate(&Crate::parse(&Files::read("machine/src")?)?)
}

fn check_crate(machine: &Crate) -> Result<()> {
    let is_listed = |module: &&str| floor(module).is_some() || *module == LEAF;
    let modules = machine.modules.iter().map(String::as_str);
    let unlisted = modules.filter(|module| !is_listed(module));
    let mut broken: Vec<String> = unlisted
        .map(|module| format!("the module `{module}` is on no floor: add it to one"))
        .collect();
    let listed = FLOORS.iter().copied().flatten().chain([&LEAF]);
    let missing = listed.filter(|module| !machine.modules.contains(**module));
    broken.extend(missing.map(|module| format!("there is no module `{module}`: remove it")));
    let imports = machine.imports.iter().filter_map(|import| {
        let advice = advice(import)?;
        let (place, from, path) = (&import.place, &import.from, import.path.join("::"));
        Some(format!(
            "{place}: `{from}` must not import `{path}`: {advice}"
        ))
    });
    broken.extend(imports);
    if !broken.is_empty() {
        bail!(
            "the floors in xtask/src/tidy/floors.rs are not kept:\n  {}",
            broken.join("\n  ")
        );
    }
    Ok(())
}

/// What to do about an import, unless it goes down.
fn advice(import: &Import) -> Option<String> {
    let (from, to) = (import.from.as_str(), import.to());
    if from == LEAF {
        let is_allowed = LEAF_IMPORTS.iter().any(|allowed| {
            let mut path = import.path.iter();
            allowed
                .iter()
                .all(|name| path.next().is_some_and(|it| it == name))
        });
        let allowed = LEAF_IMPORTS.map(|path| format!("`{}`", path.join("::")));
        return (!is_allowed).then(|| format!("it may import only {}", allowed.join(" and ")));
    }
    if to == LEAF {
        return Some(format!(
            "no module imports `{LEAF}`: emit an event of `trace` instead"
        ));
    }
    match (floor(from)?, floor(to)?) {
        (from, to) if from > to => None,
        (from, to) if from == to => Some(format!(
            "`{}` is on the same floor: move what both need to a lower one",
            import.to()
        )),
        _ => Some(format!(
            "`{to}` is on a higher floor: move the item down, or take it as a parameter"
        )),
    }
}

/// The number of a module's floor.
fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

#[cfg(test)]
mod tests {
    use super::super::imports::tests::of_files;
    use super::*;

    /// `machine` with all its modules, one of which is this file.
    fn check_with(file: &str, text: &str) -> Result<()> {
        let modules = FLOORS.iter().copied().flatten().chain([&LEAF]);
        let mut root: String = modules.map(|module| format!("mod {module};")).collect();
        root += "pub use host::tmp_dir::TmpDir; pub use machine::Machine;";
        check_crate(&of_files(&[("lib.rs", &root), (file, text)]))
    }

    /// What is wrong with it.
    fn broken(file: &str, text: &str) -> String {
        let error = check_with(file, text).unwrap_err().to_string();
        error.lines().skip(1).map(str::trim).collect()
    }

    #[test]
    fn an_import_that_goes_down_is_allowed() {
        check_with(
            "template/make.rs",
            "use crate::{Machine, host::vlan::Vlan};",
        )
        .unwrap();
        check_with("machine/keys.rs", "use super::super::guest::Guest;").unwrap();
    }

    #[test]
    fn an_import_that_goes_up_is_found() {
        assert_eq!(
            broken("guest/files.rs", "\nuse crate::machine::Builder;"),
            "src/guest/files.rs:2: `guest` must not import `machine::Builder`: `machine` is on a \
             higher floor: move the item down, or take it as a parameter"
        );
        let grouped = "use crate::{\n    error::Error,\n    template::{self, cache::Cache},\n};";
        let found = broken("machine.rs", grouped);
        assert!(found.starts_with("src/machine.rs:3: `machine` must not import `template`: "));
        assert!(
            found.contains("must not import `template::cache::Cache`"),
            "{found}"
        );
        let inline = "fn f() { crate::instance::g() }";
        assert!(broken("guest.rs", inline).contains("`instance::g`"));
        let reexported = "use crate::Machine;";
        assert!(broken("guest.rs", reexported).contains("`machine::Machine`"));
    }

    #[test]
    fn an_import_on_the_same_floor_is_found() {
        let found = broken("unit.rs", "use crate::trace::UNIT;");
        assert!(found.contains("`trace` is on the same floor"), "{found}");
    }

    #[test]
    fn documentation_and_tests_import_nothing() {
        check_with(
            "error.rs",
            "//! [`crate::Machine`]\n/// [x](crate::template::x)\nstruct A;",
        )
        .unwrap();
        check_with(
            "error.rs",
            "#[cfg(test)]\nmod tests { use crate::template::X; }",
        )
        .unwrap();
    }

    #[test]
    fn the_leaf_imports_little_and_is_not_imported() {
        check_with("report/page.rs", "use crate::{TmpDir, trace};").unwrap();
        let found = broken("report.rs", "use crate::host::vlan::Vlan;");
        assert!(
            found.ends_with("it may import only `trace` and `sync` and `host::tmp_dir`"),
            "{found}"
        );
        let found = broken("template.rs", "use crate::report::Recorder;");
        assert!(found.contains("no module imports `report`"), "{found}");
    }

    #[test]
    fn every_module_is_on_a_floor_and_every_floor_is_of_modules() {
        let modules = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let machine = Crate {
            modules: modules(&["host", "other"]),
            imports: Vec::new(),
        };
        let error = check_crate(&machine).unwrap_err().to_string();
        assert!(error.contains("`other` is on no floor"), "{error}");
        assert!(error.contains("there is no module `guest`"), "{error}");
    }
}
