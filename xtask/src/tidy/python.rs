//! The Python package and the example scripts, checked by mypy.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::pip;
use crate::util::{files_ending, run, workspace};

const MYPY: &str = "mypy==2.4.1";

/// The package, and the stubs of the native module.
const PYTHON: &str = "driver/python";

/// Declares the names of scripts in the way of the NixOS test driver.
const TYPED_SCRIPT: &str = "xtask/src/tidy/typed_script.py";

const EXAMPLES: &str = "driver/examples";

/// Checks the package strictly, and scripts that use it.
pub(super) fn check() -> Result<()> {
    let mypy = Mypy::installed()?;
    let mut package = mypy.command();
    package.args(["--strict", "-p", "test_driver", "-p", "_vmwright"]);
    run(&mut package).context("fix the types of driver/python")?;

    let mut headed_by_nixos = mypy.command();
    headed_by_nixos.args(["--strict", TYPED_SCRIPT]);
    run(&mut headed_by_nixos).with_context(|| format!("fix the types of {TYPED_SCRIPT}"))?;

    let scripts = mypy.0.join("scripts");
    fs::create_dir_all(&scripts)?;
    for example in files_ending(&workspace().join(EXAMPLES), "py")? {
        let script = scripts.join(example.file_name().unwrap_or_default());
        let text = fs::read_to_string(&example)?;
        fs::write(&script, format!("{}{text}", declarations(&text)?))?;
        let mut check = mypy.command();
        check.arg("--check-untyped-defs").arg(&script);
        run(&mut check).with_context(|| format!("fix the types of {}", example.display()))?;
    }
    Ok(())
}

/// What declares a script's names to mypy. It has no newline, so that the lines of the script
/// keep their numbers.
fn declarations(script: &str) -> Result<String> {
    let machines = machines(script);
    if machines.is_empty() {
        bail!("the second paragraph of a script must name its machines: Machine `NAME` …");
    }
    let declared: String = machines
        .iter()
        .map(|name| format!("{name}: QemuMachine; "))
        .collect();
    Ok(format!("from script_names import *; {declared}"))
}

/// The machines that a script's documentation names, in a line such as "Machines `a` and `b`".
fn machines(script: &str) -> Vec<&str> {
    let line = script.lines().find(|line| line.starts_with("Machine"));
    let words = line.unwrap_or_default().split('`');
    words.skip(1).step_by(2).collect()
}

/// A directory with mypy.
struct Mypy(PathBuf);

impl Mypy {
    /// Installs mypy by pip, unless it is installed.
    fn installed() -> Result<Self> {
        pip::installed(MYPY).map(Self)
    }

    fn command(&self) -> Command {
        let mut mypy = python();
        mypy.args(["-m", "mypy", "--no-color-output", "--cache-dir"])
            .arg(self.0.join("cache"))
            .env("PYTHONPATH", &self.0)
            .env("MYPYPATH", workspace().join(PYTHON));
        mypy
    }
}

fn python() -> Command {
    let mut python = Command::new("python3");
    python.current_dir(workspace());
    python
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_of_a_script_are_declared_in_its_first_line() {
        let script = "\"\"\"A test.\n\nMachines `one` and `two` with systemd.\n\"\"\"\n";
        let declared = "from script_names import *; one: QemuMachine; two: QemuMachine; ";
        assert_eq!(declarations(script).unwrap(), declared);
        assert!(declarations("print()\n").is_err());
    }
}
