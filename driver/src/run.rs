//! The settings of a run, checked before anything starts.

mod check;
pub(crate) mod container_root;
pub(crate) mod machines;
mod script;

use std::env;
use std::path::{self, PathBuf};
use std::time::Duration;

use self::machines::Machine;
use self::script::Script;
use crate::cli::{Cli, LogLevel};
use crate::exit_code;

/// The settings of a run.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "python"),
    expect(dead_code, reason = "scripts can't be run without Python")
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub(crate) struct Run {
    pub(crate) machines: Vec<Machine>,
    pub(crate) vlans: Vec<u32>,
    /// None for a prompt without a script.
    pub(crate) script: Option<Script>,
    pub(crate) out_dir: PathBuf,
    pub(crate) keep_vm_state: bool,
    pub(crate) interactive: bool,
    pub(crate) pause_on_failure: bool,
    pub(crate) global_timeout: Option<Duration>,
    /// The exit code if the time limit expires.
    pub(crate) timed_out_code: u8,
    pub(crate) log_level: LogLevel,
    pub(crate) templates: Option<PathBuf>,
    pub(crate) junit_xml: Option<PathBuf>,
    pub(crate) debug_hook_attach: Option<String>,
    pub(crate) dump_vsocks: u32,
    pub(crate) ssh_backdoor: bool,
}

impl Run {
    /// The file name of the script without its extension, or `prompt`.
    #[cfg(feature = "python")]
    pub(crate) fn name(&self) -> String {
        let stem = self
            .script
            .as_ref()
            .and_then(|script| script.name.file_stem());
        stem.map_or_else(
            || "prompt".into(),
            |stem| stem.to_string_lossy().into_owned(),
        )
    }

    /// Checks the command line. The error is one line.
    pub(crate) fn new(cli: &Cli) -> Result<Self, String> {
        let machines = machines::named(cli)?;
        let vlans = cli.vlans.clone().unwrap_or_default();
        if !vlans.is_empty() {
            check::program("vde_switch", "networks need it (Debian's package vde2)")?;
        }
        let script = cli.test_script.as_deref().map(Script::new).transpose()?;
        if script.is_none() && !cli.interactive {
            return Err("a test script or --interactive is required".to_owned());
        }
        check::writable("directory for temporary files", &env::temp_dir())?;
        check::created("output directory", &cli.output_directory)?;
        let in_output = |file: &PathBuf| absolute(&cli.output_directory.join(file));
        let junit_xml = cli.junit_xml.as_ref().map(in_output).transpose()?;
        if let Some(dir) = junit_xml.as_ref().and_then(|file| file.parent()) {
            check::writable("JUnit report's directory", dir)?;
        }
        Ok(Self {
            machines,
            vlans,
            script,
            out_dir: absolute(&cli.output_directory)?,
            keep_vm_state: cli.keep_vm_state,
            interactive: cli.interactive,
            pause_on_failure: cli.pause_on_failure,
            global_timeout: cli.global_timeout,
            timed_out_code: if cli.started_by_nix {
                exit_code::TERMINATED
            } else {
                exit_code::TIMED_OUT
            },
            log_level: cli.log_level.unwrap_or(LogLevel::Info),
            templates: cli.templates.as_ref().map(absolute).transpose()?,
            junit_xml,
            debug_hook_attach: cli.debug_hook_attach.clone(),
            dump_vsocks: cli.dump_vsocks,
            ssh_backdoor: cli.ssh_backdoor,
        })
    }
}

/// Resolves a path now, as a script may change the working directory.
fn absolute(path: &PathBuf) -> Result<PathBuf, String> {
    path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}
