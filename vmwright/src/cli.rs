//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::exit_code;

/// Runs commands in fresh virtual machines.
///
/// A machine lasts as long as its command, and nothing that it writes is kept.
#[derive(Debug, Parser)]
#[command(version, after_help = exit_code::HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) task: Task,

    /// Shows the machine's console and what is done with the machine
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Runs a command in a fresh machine: with its own output, exit status and, if there is
    /// one, a terminal
    #[command(after_help = exit_code::HELP)]
    Run(RunFlags),
    /// Opens a root shell in a fresh machine
    Shell(MachineFlags),
    /// Removes the templates that make later machines start in seconds
    Clean,
}

#[derive(Debug, Args)]
pub(crate) struct RunFlags {
    #[command(flatten)]
    pub(crate) machine: MachineFlags,

    /// Copies a file or directory out of the guest after the command, into a directory of the
    /// host [default: the current one]; may be repeated
    #[arg(long, value_name = "GUEST[:DIR]", value_parser = copy_out)]
    pub(crate) copy_out: Vec<CopyOut>,

    /// The command and its arguments, run as root without a shell
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MachineFlags {
    #[command(flatten)]
    pub(crate) source: SourceFlags,

    /// The kernel for a root [default: that which runs, or the newest, in /boot]
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    pub(crate) kernel: Option<PathBuf>,

    /// The guest's memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub(crate) memory: u32,

    /// The number of the guest's processors
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) cpus: u32,

    /// Sets a variable for the command, to its value here unless one is given; may be repeated
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,

    /// Copies a file or directory of the host into the guest before the command; may be
    /// repeated
    #[arg(long, value_name = "HOST:GUEST", value_parser = copy_in)]
    pub(crate) copy_in: Vec<CopyIn>,

    /// Boots the machine, instead of continuing from the template of an earlier one
    #[arg(long)]
    pub(crate) boot: bool,
}

/// What the machine starts from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SourceFlags {
    /// A cloud image or another disk with systemd, qcow2 or raw, which is not changed
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Option<PathBuf>,

    /// This host's root directory, read-only, with the current directory and the environment
    #[arg(long)]
    pub(crate) host_root: bool,

    /// A copy of a directory: an unpacked system
    #[arg(long, value_name = "DIR")]
    pub(crate) root_dir: Option<PathBuf>,

    /// The contents of a tar archive, which may be compressed
    #[arg(long, value_name = "FILE")]
    pub(crate) root_tar: Option<PathBuf>,

    /// The container image in a directory as by `skopeo copy … oci:DIR`
    #[arg(long, value_name = "DIR")]
    pub(crate) oci_layout: Option<PathBuf>,
}

/// A copy into the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyIn {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
}

/// A copy out of the guest, into a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyOut {
    pub(crate) guest: String,
    pub(crate) dir: PathBuf,
}

fn copy_in(text: &str) -> Result<CopyIn, String> {
    match text.split_once(':') {
        Some((host, guest)) if !host.is_empty() && !guest.is_empty() => Ok(CopyIn {
            host: host.into(),
            guest: guest.to_owned(),
        }),
        _ => Err("not a path of the host, `:` and a path in the guest".to_owned()),
    }
}

fn copy_out(text: &str) -> Result<CopyOut, String> {
    let (guest, dir) = text.split_once(':').unwrap_or((text, "."));
    if guest.is_empty() || dir.is_empty() {
        return Err("not a path in the guest, `:` and a directory of the host".to_owned());
    }
    Ok(CopyOut {
        guest: guest.to_owned(),
        dir: dir.into(),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_follows_two_dashes() {
        let line = "vmwright run --host-root --copy-out /a -- ls -v --copy-out";
        let Task::Run(flags) = Cli::parse_from(line.split(' ')).task else {
            panic!("not a run");
        };
        assert_eq!(flags.command, ["ls", "-v", "--copy-out"]);
        assert_eq!(flags.copy_out, [copy_out("/a:.").unwrap()]);
    }

    #[test]
    fn one_source_is_needed() {
        for line in [
            "vmwright run -- ls",
            "vmwright run --host-root --image a -- ls",
            "vmwright run --image a --kernel b -- ls",
            "vmwright run --host-root",
            "vmwright run --host-root --copy-in a -- ls",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
