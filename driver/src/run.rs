//! The settings of a run, checked before anything starts.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{self, Path, PathBuf};
use std::time::Duration;

use machine::StartScript;

use crate::cli::Cli;

/// The settings of a run.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "python"),
    expect(dead_code, reason = "scripts can't be run without Python")
)]
pub(crate) struct Run {
    pub(crate) start_scripts: Vec<PathBuf>,
    pub(crate) vlans: Vec<u32>,
    /// None for a prompt without a script.
    pub(crate) script: Option<PathBuf>,
    pub(crate) out_dir: PathBuf,
    pub(crate) keep_vm_state: bool,
    pub(crate) interactive: bool,
    pub(crate) pause_on_failure: bool,
    pub(crate) global_timeout: Option<Duration>,
    pub(crate) templates: Option<PathBuf>,
    pub(crate) junit_xml: Option<PathBuf>,
}

impl Run {
    /// The file name of the script without its extension, or `prompt`.
    #[cfg(feature = "python")]
    pub(crate) fn name(&self) -> String {
        let stem = self.script.as_deref().and_then(Path::file_stem);
        stem.map_or_else(
            || "prompt".into(),
            |stem| stem.to_string_lossy().into_owned(),
        )
    }

    /// Checks the command line. The error is one line.
    pub(crate) fn new(cli: &Cli) -> Result<Self, String> {
        let start_scripts = cli.start_scripts.as_deref().unwrap_or_default();
        for script in start_scripts {
            check_start_script(script)?;
        }
        check_names(start_scripts)?;
        match &cli.test_script {
            Some(script) => check_script(script)?,
            None if cli.interactive => {}
            None => return Err("a test script or --interactive is required".to_owned()),
        }
        check_dir("output directory", &cli.output_directory)?;
        let in_output = |file: &PathBuf| absolute(&cli.output_directory.join(file));
        let junit_xml = cli.junit_xml.as_ref().map(in_output).transpose()?;
        if let Some(dir) = junit_xml.as_ref().and_then(|file| file.parent()) {
            check_dir("JUnit report's directory", dir)?;
        }
        Ok(Self {
            start_scripts: start_scripts
                .iter()
                .map(absolute)
                .collect::<Result<_, _>>()?,
            vlans: cli.vlans.clone().unwrap_or_default(),
            script: cli.test_script.as_ref().map(absolute).transpose()?,
            out_dir: absolute(&cli.output_directory)?,
            keep_vm_state: cli.keep_vm_state,
            interactive: cli.interactive,
            pause_on_failure: cli.pause_on_failure,
            global_timeout: cli.global_timeout,
            templates: cli.templates.as_ref().map(absolute).transpose()?,
            junit_xml,
        })
    }
}

/// Resolves a path now, as a script may change the working directory.
fn absolute(path: &PathBuf) -> Result<PathBuf, String> {
    path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn check_start_script(path: &Path) -> Result<(), String> {
    if StartScript::new(path).machine_name().is_none() {
        return Err(format!(
            "{}: the name of a start script must be run-NAME-vm",
            path.display()
        ));
    }
    let found = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Err(format!("{}: not an executable file", path.display()));
    }
    Ok(())
}

fn check_names(scripts: &[PathBuf]) -> Result<(), String> {
    let mut names = HashSet::new();
    let mut all = scripts
        .iter()
        .filter_map(|script| StartScript::new(script).machine_name());
    match all.find(|name| !names.insert(name.clone())) {
        Some(name) => Err(format!("two machines are named {name}")),
        None => Ok(()),
    }
}

fn check_script(path: &Path) -> Result<(), String> {
    let text = fs::read(path);
    text.map(drop)
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Checks that files can be created in `dir`.
fn check_dir(what: &str, dir: &Path) -> Result<(), String> {
    let probe = tempfile::tempfile_in(dir);
    probe
        .map(drop)
        .map_err(|error| format!("the {what} {}: {error}", dir.display()))
}
