//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Boots virtual machines from their start scripts, and shows what they and
/// their consoles say until all have powered off, or until Ctrl-C.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 if every machine booted and powered off, 1 if one failed, \
                  2 for a wrong command line, 124 if the time was up, 130 after Ctrl-C."
)]
pub(crate) struct Cli {
    /// Keeps the machines' state directories, and what earlier runs left in them
    #[arg(short = 'K', long)]
    pub(crate) keep_vm_state: bool,

    /// Start scripts, each named `run-NAME-vm`
    #[arg(long, env = "startScripts", value_delimiter = ' ', num_args = 1.., required = true)]
    pub(crate) start_scripts: Vec<PathBuf>,

    /// Ends everything after so many seconds
    #[arg(long, env = "globalTimeout", value_name = "SECS")]
    pub(crate) global_timeout: Option<u64>,

    /// Where the machines keep their state; a temporary directory by default
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_start_scripts() {
        let cli = Cli::parse_from(["driver", "-K", "--start-scripts", "run-a-vm", "run-b-vm"]);
        assert_eq!(
            cli.start_scripts,
            [PathBuf::from("run-a-vm"), "run-b-vm".into()]
        );
        assert!(cli.keep_vm_state);
    }
}
