//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap_complete::Shell;

use crate::exit_code;

/// The longest time limit, which Python's and the system's clocks can still count.
const MOST_SECONDS: u64 = 1_000_000_000;

/// The variables that users set; `docs/environment.md` lists all.
const ENVIRONMENT: &str = "\
Environment:
  LOGFILE           a file for the log in the NixOS test driver's XML
  NO_COLOR          if it is not empty, the log has no colours
  QEMU_OPTS         more arguments for QEMU
  VM_ACCEL          kvm or tcg; without it, KVM is used if it really runs guests
  VM_NODES          the names of all machines, for start scripts [default: this run's]
  VM_TIMEOUT_SCALE  multiplies time limits (2.5, say), but not --global-timeout
  XDG_STATE_HOME    where the prompt's history is kept [default: ~/.local/state]";

fn after_help() -> String {
    let codes: String = exit_code::ALL
        .iter()
        .map(|listed| format!("  {:<4} {}\n", listed.code, listed.help))
        .collect();
    format!("Exit status, unless the script chooses one by sys.exit:\n{codes}\n{ENVIRONMENT}")
}

/// Runs a Python test script on virtual machines: those that the NixOS test driver runs,
/// as they are, from the same start scripts.
///
/// The script has a name for each machine (NAME of its start script run-NAME-vm), and
/// all other names that scripts know, from `start_all` to `t`.
#[derive(Debug, Parser)]
#[command(version, args_override_self = true, after_help = after_help())]
pub(crate) struct Cli {
    /// Keeps the machines' state, in `$XDG_RUNTIME_DIR` or the directory for temporary
    /// files, and begins with what an earlier run kept there
    #[arg(short = 'K', long)]
    pub(crate) keep_vm_state: bool,

    /// Opens a prompt with the script's names instead of running it; `test_script()` does
    #[arg(short = 'I', long)]
    pub(crate) interactive: bool,

    /// Opens a prompt with the script's names, and all machines as they are, if it fails
    #[arg(long)]
    pub(crate) pause_on_failure: bool,

    /// Start scripts of machines, each named run-NAME-vm [env: startScripts, with blanks
    /// between them]
    #[arg(long, value_name = "SCRIPT", num_args = 0..)]
    pub(crate) start_scripts: Option<Vec<PathBuf>>,

    /// Numbers of networks; start scripts find that of number N as `$QEMU_VDE_SOCKET_N`
    /// [env: vlans, with blanks between them]
    #[arg(long, value_name = "N", num_args = 0.., allow_negative_numbers = true)]
    pub(crate) vlans: Option<Vec<u32>>,

    /// Ends the run after this many seconds, at least one [env: globalTimeout]
    #[arg(long, value_name = "SECS", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) global_timeout: Option<Duration>,

    /// Where `trace.html`, screenshots and files from machines go
    #[arg(
        short,
        long,
        visible_alias = "output_directory",
        value_name = "DIR",
        default_value = "."
    )]
    pub(crate) output_directory: PathBuf,

    /// Starts each machine from a template kept in DIR, made on first use and kept until
    /// removed. The guest has then already booted, alone on its networks, and its console
    /// log begins after that. Needs the root shell in the guest
    #[arg(long, value_name = "DIR", conflicts_with = "keep_vm_state")]
    pub(crate) templates: Option<PathBuf>,

    /// Writes the outcome of each subtest, and of the script, in JUnit's XML, to a file in
    /// the output directory
    #[arg(long, value_name = "FILE")]
    pub(crate) junit_xml: Option<PathBuf>,

    /// Prints completions of this command line for a shell
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub(crate) completions: Option<Shell>,

    /// The test script [env: testScript]
    #[arg(value_name = "TESTSCRIPT")]
    pub(crate) test_script: Option<PathBuf>,
}

impl Cli {
    /// With what the environment says where the command line says nothing. A variable
    /// that is empty, or nothing but blanks, names nothing: no machines, say.
    pub(crate) fn or_environment(
        mut self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let words = |name: &str| {
            let text = variable(name).unwrap_or_default();
            let text = text
                .into_string()
                .map_err(|text| format!("the variable {name} is no text: {}", text.display()))?;
            Ok::<_, String>(
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>(),
            )
        };
        if self.start_scripts.is_none() {
            let paths = words("startScripts")?;
            self.start_scripts = Some(paths.into_iter().map(PathBuf::from).collect());
        }
        if self.vlans.is_none() {
            let number = |word: &String| word.parse().map_err(|_| no_number("vlans", word));
            self.vlans = Some(
                words("vlans")?
                    .iter()
                    .map(number)
                    .collect::<Result<_, _>>()?,
            );
        }
        if self.global_timeout.is_none() {
            let limit = |word: &String| seconds(word).map_err(|_| no_number("globalTimeout", word));
            self.global_timeout = words("globalTimeout")?.first().map(limit).transpose()?;
        }
        if self.test_script.is_none() {
            let path = variable("testScript").filter(|path| !path.is_empty());
            self.test_script = path.map(PathBuf::from);
        }
        Ok(self)
    }
}

fn no_number(variable: &str, word: &str) -> String {
    format!("the variable {variable}: {word:?} is not a number that can be used")
}

/// A time limit: more than nothing, and less than a lifetime.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=MOST_SECONDS) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("not a number from 1 to {MOST_SECONDS}")),
    }
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
        let start_scripts = cli.start_scripts.unwrap();
        assert_eq!(
            start_scripts,
            [PathBuf::from("run-a-vm"), "run-b-vm".into()]
        );
        assert_eq!(cli.vlans.unwrap(), [1, 2]);
        assert_eq!(cli.test_script, Some("test.py".into()));
        assert!(cli.keep_vm_state && !cli.interactive);
    }

    fn with(args: &[&str], environment: &[(&str, &str)]) -> Result<Cli, String> {
        let args = ["driver"].iter().chain(args);
        Cli::parse_from(args).or_environment(|name| {
            let set = environment.iter().find(|(variable, _)| *variable == name);
            set.map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_environment_says_what_the_command_line_does_not() {
        let environment = [
            ("startScripts", " /a/run-a-vm\t/b/run-b-vm\n"),
            ("vlans", "1  2"),
            ("globalTimeout", "3"),
            ("testScript", "a test.py"),
        ];
        let cli = with(&[], &environment).unwrap();
        let start_scripts = cli.start_scripts.unwrap();
        assert_eq!(
            start_scripts,
            [PathBuf::from("/a/run-a-vm"), "/b/run-b-vm".into()]
        );
        assert_eq!(cli.vlans.unwrap(), [1, 2]);
        assert_eq!(cli.global_timeout, Some(Duration::from_secs(3)));
        assert_eq!(cli.test_script, Some("a test.py".into()));

        let args = [
            "--start-scripts",
            "/c d/run-c-vm",
            "--vlans",
            "--",
            "other.py",
        ];
        let cli = with(&args, &environment).unwrap();
        assert_eq!(cli.start_scripts.unwrap(), [PathBuf::from("/c d/run-c-vm")]);
        assert_eq!(cli.vlans.unwrap(), [0; 0]);
        assert_eq!(cli.test_script, Some("other.py".into()));
    }

    #[test]
    fn an_empty_variable_names_nothing() {
        let names = ["startScripts", "vlans", "globalTimeout", "testScript"];
        let cli = with(&[], &names.map(|name| (name, ""))).unwrap();
        assert!(cli.start_scripts.unwrap().is_empty() && cli.vlans.unwrap().is_empty());
        assert!(cli.global_timeout.is_none() && cli.test_script.is_none());
    }

    #[test]
    fn what_is_no_number() {
        let error = with(&[], &[("vlans", "1 one")]).unwrap_err();
        assert!(
            error.contains("vlans") && error.contains("\"one\""),
            "{error}"
        );
        let error = with(&[], &[("globalTimeout", "0")]).unwrap_err();
        assert!(error.contains("globalTimeout"), "{error}");
        let args = ["driver", "--global-timeout", "0", "test.py"];
        let error = Cli::try_parse_from(args).unwrap_err().to_string();
        assert!(error.contains("not a number from 1"), "{error}");
    }

    #[test]
    fn what_is_declared_is_sound() {
        Cli::command().debug_assert();
    }
}
