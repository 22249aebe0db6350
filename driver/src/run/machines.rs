//! The machines of a run: their names, and what they start from.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{absolute, check, container_root};
use crate::cli::Cli;
use crate::config::NamedFile;

/// The name of a machine whose start script's name has another form than run-NAME-vm.
const DEFAULT_NAME: &str = "machine";

/// A machine of the run.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "python"),
    expect(dead_code, reason = "scripts can't be run without Python")
)]
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) file: PathBuf,
}

/// What a machine starts from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    StartScript,
    Image,
    Kernel,
    /// A container, by a start script or its root.
    Container,
}

/// The machines that the command line describes.
pub(super) fn named(cli: &Cli) -> Result<Vec<Machine>, String> {
    let scripts = cli.start_scripts.as_deref().unwrap_or_default();
    for script in scripts {
        check::executable(script)?;
    }
    let names = names_of("machines", cli.vm_names.as_deref(), scripts, name)?;
    let containers = cli.container_start_scripts.as_deref().unwrap_or_default();
    for container in containers {
        container_root::check(container)?;
    }
    let names_of_containers = cli.container_names.as_deref();
    let container_names = names_of(
        "containers",
        names_of_containers,
        containers,
        container_root::default_name,
    )?;
    for NamedFile { file, .. } in cli.image.iter().chain(&cli.kernel) {
        check::file(file)?;
    }
    let scripts = names.into_iter().zip(scripts);
    let scripts = scripts.map(|(name, script)| (name, Kind::StartScript, script));
    let images = cli
        .image
        .iter()
        .map(|it| (it.name.clone(), Kind::Image, &it.file));
    let kernels = cli
        .kernel
        .iter()
        .map(|it| (it.name.clone(), Kind::Kernel, &it.file));
    let containers = container_names.into_iter().zip(containers);
    let containers = containers.map(|(name, path)| (name, Kind::Container, path));
    let mut seen = HashSet::new();
    let machines =
        scripts
            .chain(images)
            .chain(kernels)
            .chain(containers)
            .map(|(name, kind, file)| {
                check_name(&name)?;
                if !seen.insert(name.clone()) {
                    return Err(format!("two machines are named {name}"));
                }
                let file = absolute(file)?;
                Ok(Machine { name, kind, file })
            });
    machines.collect()
}

/// The names that the command line gives to machines or containers, or those of their start
/// scripts.
fn names_of(
    what: &str,
    names: Option<&[String]>,
    scripts: &[PathBuf],
    default: impl Fn(&Path) -> String,
) -> Result<Vec<String>, String> {
    match names {
        None | Some([]) => Ok(scripts.iter().map(|script| default(script)).collect()),
        Some(names) if names.len() == scripts.len() => Ok(names.to_vec()),
        Some(names) => Err(format!(
            "there are {} names of {what}, but {} start scripts",
            names.len(),
            scripts.len()
        )),
    }
}

/// NAME if the file name ends with run-NAME-vm.
fn name(script: &Path) -> String {
    let file = script.file_name().unwrap_or_default().to_string_lossy();
    let name = file
        .strip_suffix("-vm")
        .and_then(|start| start.split_once("run-"))
        .map(|(_, name)| name)
        .filter(|name| !name.is_empty());
    name.unwrap_or(DEFAULT_NAME).to_owned()
}

/// Checks that a directory, an option and a list of words can contain a name.
fn check_name(name: &str) -> Result<(), String> {
    let is_valid = |c: char| !c.is_whitespace() && !c.is_control() && c != '/';
    if !name.is_empty() && !name.starts_with(['-', '.']) && name.chars().all(is_valid) {
        return Ok(());
    }
    Err(format!(
        "{name:?} can't be a machine's name: it is empty, begins with - or ., or contains a \
         blank, a control character or /"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_by_its_start_script() {
        for (script, expected) in [
            ("/nix/store/x-vm/bin/run-server-1-vm", "server-1"),
            ("/nix/store/8sd9-run-vm-vm", "vm"),
            ("run-run-x-vm", "run-x"),
            ("run--vm", "machine"),
            ("/run-a-vm/start.sh", "machine"),
            ("start.sh", "machine"),
        ] {
            assert_eq!(name(Path::new(script)), expected, "{script}");
        }
    }

    #[test]
    fn a_name_fits_into_a_directory_and_a_list() {
        for name in ["a", "server-1", "é", "a_b.c"] {
            check_name(name).unwrap();
        }
        for name in ["", "-rf", ".", "..", "a/b", "x y", "a\n", "\u{1b}[2J"] {
            let error = check_name(name).unwrap_err();
            assert!(!error.contains(['\n', '\u{1b}']), "{error}");
        }
    }
}
