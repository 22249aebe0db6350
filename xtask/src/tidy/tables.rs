//! `docs/operations.md` lists every operation, `docs/faults.md` every fault and `docs/nixos.md`
//! what nixpkgs has, each with an existing test.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::util::{sources, workspace};

const OPERATIONS: &str = "docs/operations.md";

/// Where operations are: one file for each group.
const OPERATION_DIRS: [&str; 2] = ["machine/src/machine", "machine/src/guest"];

/// The types whose public functions are operations.
const OPERATION_TYPES: [&str; 2] = ["Machine", "Guest"];

const FAULTS: &str = "docs/faults.md";

const NIXPKGS: &str = "docs/nixos.md";

/// Every operation is listed, and every listed test exists.
pub(super) fn operations() -> Result<()> {
    let text = fs::read_to_string(workspace().join(OPERATIONS)).context(OPERATIONS)?;
    let table: Vec<(&str, &str)> = text.lines().filter_map(row).collect();
    let tests = functions("tests/vm", |line| line)?;
    for (operation, test) in &table {
        if !tests.iter().any(|name| name == test) {
            bail!("{OPERATIONS}: the test `{test}` of `{operation}` is not in tests/vm");
        }
    }
    for dir in OPERATION_DIRS {
        let mut is_operation = false;
        let operations = functions(dir, |line| {
            if line.starts_with("impl") {
                is_operation = OPERATION_TYPES.contains(&implemented(line));
            }
            let public = line.strip_prefix("    pub ").filter(|_| is_operation);
            public.unwrap_or_default()
        })?;
        for operation in operations {
            let (module, name) = operation.rsplit_once("::").unwrap_or_default();
            if !table.iter().any(|(listed, _)| *listed == name) {
                let file = module.replace("::", "/");
                bail!("{OPERATIONS} does not list `{name}` of {dir}/{file}.rs");
            }
        }
    }
    Ok(())
}

/// The type of a line `impl TYPE {`.
fn implemented(line: &str) -> &str {
    let name = line
        .strip_prefix("impl ")
        .and_then(|it| it.strip_suffix(" {"));
    name.unwrap_or_default()
}

/// The tests listed in the table of faults exist, and are all of those in `tests/vm/fault`.
pub(super) fn faults() -> Result<()> {
    let text = fs::read_to_string(workspace().join(FAULTS)).context(FAULTS)?;
    let listed: Vec<&str> = text.lines().filter_map(last_cell).collect();
    let mut is_test = false;
    let tests = functions("tests/vm/fault", |line| {
        let is_function = std::mem::replace(&mut is_test, line.ends_with("test]"));
        if is_function { line } else { "" }
    })?;
    let all = functions("tests/vm", |line| line)?;
    for test in &listed {
        if !all.iter().any(|name| name == test) {
            bail!("{FAULTS}: there is no test `{test}`");
        }
    }
    for test in &tests {
        if !listed.contains(&format!("fault::{test}").as_str()) {
            bail!("{FAULTS} does not list the test `fault::{test}`");
        }
    }
    Ok(())
}

/// The tests listed for what nixpkgs has exist.
pub(super) fn nixpkgs() -> Result<()> {
    let text = fs::read_to_string(workspace().join(NIXPKGS)).context(NIXPKGS)?;
    let tests = functions("tests/vm", |line| line)?;
    for test in text.lines().filter_map(last_cell) {
        if !tests.iter().any(|name| name == test) {
            bail!("{NIXPKGS}: there is no test `{test}`");
        }
    }
    Ok(())
}

/// The test in the last cell of a line of a table.
fn last_cell(line: &str) -> Option<&str> {
    let cells = line.strip_prefix("| ")?.strip_suffix("` |")?;
    cells.rsplit_once("| `").map(|(_, test)| test)
}

/// The operation and the test of a line of the table.
fn row(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix("| `")?.split(" | ");
    let operation = cells.next()?.strip_suffix('`')?;
    let test = cells.nth(1)?.strip_prefix('`')?.strip_suffix("` |")?;
    Some((operation, test))
}

/// The functions in a directory's files, as `module::function`. `part` returns the part of a
/// line that may begin with one.
fn functions(dir: &str, mut part: impl FnMut(&str) -> &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let dir = workspace().join(dir);
    for path in sources(&dir)? {
        let module = path.strip_prefix(&dir)?.with_extension("");
        let module = module.to_string_lossy().replace('/', "::");
        let text = fs::read_to_string(&path)?;
        let names = text.lines().filter_map(|line| {
            let line = part(line);
            let function = line.strip_prefix("async ").unwrap_or(line);
            function.strip_prefix("fn ")?.split(['(', '<']).next()
        });
        found.extend(names.map(|name| format!("{module}::{name}")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_an_operation_and_its_test() {
        let line = "| `start` | boots; the machine | `lifecycle::boots` |";
        assert_eq!(row(line), Some(("start", "lifecycle::boots")));
        assert_eq!(row("| Operation | What it does | Test |"), None);
        assert_eq!(row("|---|---|---|"), None);
        assert_eq!(
            last_cell("| a `fault` | seen | 2 s | `x::y` |"),
            Some("x::y")
        );
        assert_eq!(last_cell("| Fault | What is seen | After | Test |"), None);
    }

    #[test]
    fn an_implementation_is_of_a_type() {
        assert_eq!(implemented("impl Guest {"), "Guest");
        assert_eq!(implemented("impl Drop for Guest {"), "Drop for Guest");
        assert_eq!(implemented("fn f() {"), "");
    }

    #[test]
    fn every_operation_and_every_fault_is_listed() {
        operations().unwrap();
        faults().unwrap();
        nixpkgs().unwrap();
    }
}
