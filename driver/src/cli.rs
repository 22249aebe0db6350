//! The command line.

use std::path::PathBuf;

use clap::Parser;
use clap_complete::Shell;

/// Runs a Python test script on virtual machines: those that the NixOS test driver runs,
/// as they are, from the same start scripts.
///
/// The script has a name for each machine (NAME of its start script run-NAME-vm), and
/// all other names that scripts know, from `start_all` to `t`.
#[derive(Debug, Parser)]
#[command(
    version,
    args_override_self = true,
    after_help = "Exit status: 0 if the script passed, 1 if it failed, what it gave sys.exit, \
                  2 for a wrong command line, 124 if the time was up, 130 after Ctrl-C, \
                  143 after SIGTERM."
)]
pub(crate) struct Cli {
    /// Keeps the machines' state, in `$XDG_RUNTIME_DIR` or the directory for
    /// temporary files, and begins with what an earlier run kept there
    #[arg(short = 'K', long)]
    pub(crate) keep_vm_state: bool,

    /// Gives a prompt with all names of a script's; `test_script()` runs the script
    #[arg(short = 'I', long)]
    pub(crate) interactive: bool,

    /// Start scripts of machines, each named run-NAME-vm
    #[arg(long, env = "startScripts", value_name = "SCRIPT", value_delimiter = ' ', num_args = 0..)]
    pub(crate) start_scripts: Vec<PathBuf>,

    /// Numbers of networks; start scripts find that of number N as `$QEMU_VDE_SOCKET_N`
    #[arg(long, env = "vlans", value_name = "N", value_delimiter = ' ', num_args = 0..)]
    pub(crate) vlans: Vec<u32>,

    /// Ends everything after so many seconds
    #[arg(long, env = "globalTimeout", value_name = "SECS")]
    pub(crate) global_timeout: Option<u64>,

    /// Where screenshots, and files from machines, go
    #[arg(
        short,
        long,
        visible_alias = "output_directory",
        value_name = "DIR",
        default_value = "."
    )]
    pub(crate) output_directory: PathBuf,

    /// Writes the outcome of each subtest, and of the script, in JUnit's XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit_xml: Option<PathBuf>,

    /// Prints completions of this command line for a shell
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub(crate) completions: Option<Shell>,

    /// The test script
    #[arg(env = "testScript", value_name = "TESTSCRIPT")]
    pub(crate) test_script: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn as_the_reference_driver_is_called() {
        let cli = Cli::parse_from([
            "driver",
            "-K",
            "--start-scripts",
            "run-a-vm",
            "run-b-vm",
            "--vlans",
            "1",
            "2",
            "--output_directory",
            "out",
            "test.py",
        ]);
        assert_eq!(
            cli.start_scripts,
            [PathBuf::from("run-a-vm"), "run-b-vm".into()]
        );
        assert_eq!(cli.vlans, [1, 2]);
        assert_eq!(cli.test_script, Some("test.py".into()));
        assert!(cli.keep_vm_state && !cli.interactive);
    }

    #[test]
    fn what_is_declared_is_sound() {
        Cli::command().debug_assert();
    }
}
