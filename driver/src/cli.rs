//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap_complete::Shell;

use crate::exit_code;

/// The longest time limit: Python's timers and the system's can represent it.
const MAX_SECONDS: u64 = 1_000_000_000;

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

/// Runs a Python test script on virtual machines. It accepts the scripts and start scripts
/// of the NixOS test driver unchanged.
///
/// In the script, each machine is a variable, named as NAME in its start script
/// run-NAME-vm. All other names of the NixOS test driver are defined too, such as
/// `start_all`, `subtest` and `t`.
#[derive(Debug, Parser)]
#[command(version, args_override_self = true, after_help = after_help())]
pub(crate) struct Cli {
    /// Keeps the machines' state in `$XDG_RUNTIME_DIR` or the directory for temporary
    /// files, and starts with the state that an earlier run kept there
    #[arg(short = 'K', long)]
    pub(crate) keep_vm_state: bool,

    /// Opens a Python prompt instead of running the script; `test_script()` runs it
    #[arg(short = 'I', long)]
    pub(crate) interactive: bool,

    /// Opens a Python prompt if the script fails, with its variables, while the machines
    /// still run
    #[arg(long)]
    pub(crate) pause_on_failure: bool,

    /// Start scripts of the machines, each named run-NAME-vm [env: startScripts, separated
    /// by spaces]
    #[arg(long, value_name = "SCRIPT", num_args = 0..)]
    pub(crate) start_scripts: Option<Vec<PathBuf>>,

    /// Numbers of the networks; start scripts find the socket of network N in
    /// `$QEMU_VDE_SOCKET_N` [env: vlans, separated by spaces]
    #[arg(long, value_name = "N", num_args = 0.., allow_negative_numbers = true)]
    pub(crate) vlans: Option<Vec<u32>>,

    /// Time limit for the run in seconds, at least 1 [env: globalTimeout]
    #[arg(long, value_name = "SECS", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) global_timeout: Option<Duration>,

    /// Directory for `trace.html`, screenshots and files copied from machines
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

    /// Writes the outcomes of the script and its subtests as JUnit XML to a file in the
    /// output directory
    #[arg(long, value_name = "FILE")]
    pub(crate) junit_xml: Option<PathBuf>,

    /// Prints a completion script for a shell
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub(crate) completions: Option<Shell>,

    /// The test script [env: testScript]
    #[arg(value_name = "TESTSCRIPT")]
    pub(crate) test_script: Option<PathBuf>,
}

impl Cli {
    /// Fills in options that the command line does not set from environment variables. An
    /// empty or blank variable is an empty list or no value.
    pub(crate) fn or_environment(
        mut self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let words = |name: &str| {
            let text = variable(name).unwrap_or_default();
            let text = text
                .into_string()
                .map_err(|text| format!("variable {name} is not UTF-8: {}", text.display()))?;
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
            let number = |word: &String| word.parse().map_err(|_| not_a_number("vlans", word));
            self.vlans = Some(
                words("vlans")?
                    .iter()
                    .map(number)
                    .collect::<Result<_, _>>()?,
            );
        }
        if self.global_timeout.is_none() {
            let limit = |word: &String| {
                seconds(word)
                    .map_err(|reason| format!("variable globalTimeout: {word:?}: {reason}"))
            };
            self.global_timeout = words("globalTimeout")?.first().map(limit).transpose()?;
        }
        if self.test_script.is_none() {
            let path = variable("testScript").filter(|path| !path.is_empty());
            self.test_script = path.map(PathBuf::from);
        }
        Ok(self)
    }
}

fn not_a_number(variable: &str, word: &str) -> String {
    format!(
        "variable {variable}: {word:?}: not a number from 0 to {}",
        u32::MAX
    )
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=MAX_SECONDS) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("not a number from 1 to {MAX_SECONDS}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_options_of_the_reference_driver_are_accepted() {
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
    fn options_take_precedence_over_variables() {
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
    fn an_empty_variable_is_an_empty_list_or_no_value() {
        let names = ["startScripts", "vlans", "globalTimeout", "testScript"];
        let cli = with(&[], &names.map(|name| (name, ""))).unwrap();
        assert!(cli.start_scripts.unwrap().is_empty() && cli.vlans.unwrap().is_empty());
        assert!(cli.global_timeout.is_none() && cli.test_script.is_none());
    }

    #[test]
    fn invalid_numbers_are_reported() {
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
    fn the_declaration_is_valid() {
        Cli::command().debug_assert();
    }
}
