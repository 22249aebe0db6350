//! `driver`: runs Python test scripts on virtual machines.

#![forbid(unsafe_code)]

mod cli;
mod exit_code;
#[cfg(feature = "python")]
mod junit;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "python")]
mod report;
mod run;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use crate::cli::Cli;
use crate::run::Run;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::ValueValidation => {
            return fail(&summary_line(&error));
        }
        // Prints the help text, or the error with the usage.
        Err(error) => error.exit(),
    };
    if let Some(shell) = cli.completions {
        clap_complete::generate(shell, &mut Cli::command(), "driver", &mut io::stdout());
        return ExitCode::SUCCESS;
    }
    let checked = cli.or_environment(|name| std::env::var_os(name));
    match checked.and_then(|cli| Run::new(&cli)) {
        Ok(run) => run_python(&run),
        Err(reason) => fail(&reason),
    }
}

/// The first line of an error message, without its prefix.
fn summary_line(error: &clap::Error) -> String {
    let message = error.to_string();
    let line = message.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(feature = "python")]
fn run_python(run: &Run) -> ExitCode {
    python::begin();
    let done = report::Report::begin(run).and_then(|report| python::run(run, &report));
    match done {
        Ok(status) => status.into(),
        Err(reason) => fail(&reason),
    }
}

#[cfg(not(feature = "python"))]
fn run_python(_run: &Run) -> ExitCode {
    fail(&"this driver was built without Python, so it can't run scripts")
}

fn fail(reason: &dyn std::fmt::Display) -> ExitCode {
    // Standard error may be closed.
    let _ = writeln!(io::stderr(), "error: {reason}");
    exit_code::USAGE.into()
}
