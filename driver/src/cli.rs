//! The command line.

mod environment;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use clap_complete::Shell;

use crate::config::{MAX_SECONDS, NamedFile};
use crate::exit_code;

/// The variables that users set. `docs/environment.md` lists all.
const ENVIRONMENT: &str = "\
Environment:
  LOGFILE           file for the log in the XML format of the NixOS test driver
  NO_COLOR          if not empty, the log has no colours
  QEMU_OPTS         additional arguments for QEMU
  VM_ACCEL          kvm or tcg [default: KVM if a trial guest runs under it]
  VM_NODES          names of all machines, for start scripts [default: this run's]
  VM_TIMEOUT_SCALE  factor for time limits, such as 2.5, except --global-timeout
  XDG_STATE_HOME    directory for the prompt's history [default: ~/.local/state]";

fn after_help() -> String {
    let codes: String = exit_code::ALL
        .iter()
        .map(|listed| format!("  {:<4} {}\n", listed.code, listed.help))
        .collect();
    format!("Exit status, unless the script calls sys.exit with another:\n{codes}\n{ENVIRONMENT}")
}

/// Runs a Python test script on virtual machines. It accepts the scripts, start scripts and
/// configurations of the NixOS test driver unchanged.
///
/// In the script, each machine is a variable, named as in the configuration, by --vm-names
/// or by its start script run-NAME-vm. All other names of the NixOS test driver are defined
/// too, such as `start_all`, `subtest` and `t`. Options may be abbreviated.
#[derive(Debug, Parser)]
#[command(
    version,
    args_override_self = true,
    infer_long_args = true,
    after_help = after_help()
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub(crate) struct Cli {
    /// Configuration of the machines, networks, time limit and script, as JSON. Other
    /// options take precedence over it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Keeps the machines' state in `$XDG_RUNTIME_DIR` or the directory for temporary
    /// files, and starts with the state that an earlier run kept there
    #[arg(short = 'K', long, visible_alias = "keep-machine-state")]
    pub(crate) keep_vm_state: bool,

    /// Opens a Python prompt instead of running the script; `test_script()` runs it
    #[arg(short = 'I', long, overrides_with = "no_interactive")]
    pub(crate) interactive: bool,

    /// Runs the script, although an earlier argument is --interactive
    #[arg(long)]
    pub(crate) no_interactive: bool,

    /// Opens a Python prompt if the script fails, with its variables, while the machines
    /// still run
    #[arg(long)]
    pub(crate) pause_on_failure: bool,

    /// Start scripts of the machines [env: startScripts or vmStartScripts, separated by
    /// spaces]
    #[arg(long, visible_alias = "vm-start-scripts", value_name = "SCRIPT", num_args = 0..)]
    pub(crate) start_scripts: Option<Vec<PathBuf>>,

    /// Names of the machines, in the order of their start scripts [env: vmNames, separated
    /// by spaces] [default: NAME of start scripts run-NAME-vm, `machine` for others]
    #[arg(long, value_name = "NAME", num_args = 0..)]
    pub(crate) vm_names: Option<Vec<String>>,

    /// A machine from a cloud image or another disk with systemd, qcow2 or raw, which is not
    /// changed; may be repeated. Its user-mode network is not one of --vlans
    #[arg(long, value_name = "NAME=FILE", value_parser = named_file)]
    pub(crate) image: Vec<NamedFile>,

    /// A machine from a Linux kernel of this host, with the host's root directory, read-only
    /// below changes that are discarded; may be repeated
    #[arg(long, value_name = "NAME=FILE", value_parser = named_file)]
    pub(crate) kernel: Vec<NamedFile>,

    /// Names of the containers, in the order of their start scripts [env: containerNames,
    /// separated by spaces] [default: NAME of run-NAME-nspawn, NAME.tar.xz or directory NAME]
    #[arg(long, value_name = "NAME", num_args = 0..)]
    pub(crate) container_names: Option<Vec<String>>,

    /// Start scripts of systemd-nspawn containers, or their roots, which are not changed:
    /// directories, tar archives, OCI layouts. Containers need root, of the host or of a user
    /// namespace [env: containerStartScripts, separated by spaces]
    #[arg(long, value_name = "SCRIPT", num_args = 0..)]
    pub(crate) container_start_scripts: Option<Vec<PathBuf>>,

    /// Numbers of the networks; start scripts find the socket of network N in
    /// `$QEMU_VDE_SOCKET_N` [env: vlans, separated by spaces]
    #[arg(long, value_name = "N", num_args = 0.., allow_negative_numbers = true)]
    pub(crate) vlans: Option<Vec<u32>>,

    /// Time limit for the script in seconds, at least 1 [env: globalTimeout]
    #[arg(long, value_name = "SECS", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) global_timeout: Option<Duration>,

    /// The least severe messages of the script that are logged: debug, info, warning or
    /// error [env: logLevel] [default: info]
    #[arg(long, value_name = "LEVEL", value_parser = log_level)]
    pub(crate) log_level: Option<LogLevel>,

    /// Directory for `trace.html`, screenshots and files copied from machines; it is
    /// created if it is missing
    #[arg(
        short,
        long,
        visible_alias = "output_directory",
        value_name = "DIR",
        default_value = "."
    )]
    pub(crate) output_directory: PathBuf,

    /// Starts each machine from a template in DIR, which is created on first use and kept
    /// until it is removed. The guest has then already booted, alone on its networks, and
    /// its console log begins with that of this boot. Requires the root shell in the guest
    #[arg(long, value_name = "DIR", conflicts_with = "keep_vm_state")]
    pub(crate) templates: Option<PathBuf>,

    /// Writes the outcomes of the subtests as JUnit XML to a file in the output directory
    #[arg(long, value_name = "FILE")]
    pub(crate) junit_xml: Option<PathBuf>,

    /// Makes `debug.breakpoint()` stop the script, and stops it after a failure, for a
    /// debugger that connects by TCP. `CMD` is the command that enters Nix's sandbox, for
    /// the message that says so
    #[arg(long, value_name = "CMD")]
    pub(crate) debug_hook_attach: Option<String>,

    /// Prints how to reach the machines by SSH over vsock, whose context identifiers begin
    /// after N; 0 prints nothing
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) dump_vsocks: u32,

    /// Prints a completion script for a shell
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub(crate) completions: Option<Shell>,

    /// The test script [env: testScript]
    #[arg(value_name = "TESTSCRIPT")]
    pub(crate) test_script: Option<PathBuf>,

    /// The test script, as the NixOS test driver takes it beside --config
    #[arg(
        long = "test-script",
        value_name = "FILE",
        conflicts_with = "test_script"
    )]
    pub(crate) test_script_option: Option<PathBuf>,

    /// Whether the configuration provides an SSH server's socket for each machine.
    #[arg(skip)]
    pub(crate) ssh_backdoor: bool,

    /// Whether the run was started as Nix does it: by a configuration, or by variables that
    /// take the place of options.
    #[arg(skip)]
    pub(crate) started_by_nix: bool,
}

fn named_file(text: &str) -> Result<NamedFile, String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok(NamedFile {
            name: name.to_owned(),
            file: file.into(),
        }),
        _ => Err("not a name, = and a file".to_owned()),
    }
}

/// The severity of a message of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Debug = 1,
    Info,
    Warning,
    Error,
}

fn log_level(text: &str) -> Result<LogLevel, String> {
    LogLevel::from_str(text, false).map_err(|_| "not debug, info, warning or error".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=MAX_SECONDS) => Ok(Duration::from_secs(seconds.into())),
        _ => Err(format!("not a number from 1 to {MAX_SECONDS}")),
    }
}
