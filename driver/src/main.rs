#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod cli;
mod config;
mod exit_code;
#[cfg(feature = "python")]
mod junit;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "python")]
mod report;
mod run;
#[cfg(feature = "python")]
mod sync;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use crate::cli::Cli;
use crate::run::Run;

/// Called by this name, the program writes the names of scripts to [`SYMBOLS`]: Nix's linter
/// takes them for defined.
const SYMBOLS_PROGRAM: &str = "generate-driver-symbols";

const SYMBOLS: &str = "driver-symbols";

fn main() -> ExitCode {
    let program = std::env::args_os().next().map(PathBuf::from);
    if program.is_some_and(|path| path.file_name() == Some(SYMBOLS_PROGRAM.as_ref())) {
        return write_symbols();
    }
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
    // It may execute this program again: before a file is read that may be a pipe.
    #[cfg(feature = "python")]
    python::begin();
    let complete = cli
        .or_config()
        .and_then(|cli| cli.or_environment(|name| std::env::var_os(name)));
    match complete.and_then(|cli| Run::new(&cli)) {
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
    let done = report::Report::begin(run).and_then(|report| python::run(run, &report));
    match done {
        Ok(status) => status.into(),
        Err(reason) => fail(&reason),
    }
}

#[cfg(feature = "python")]
fn write_symbols() -> ExitCode {
    python::begin();
    let written = python::driver_symbols().and_then(|names| {
        std::fs::write(SYMBOLS, names).map_err(|error| format!("{SYMBOLS}: {error}"))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => fail(&reason),
    }
}

#[cfg(not(feature = "python"))]
fn run_python(_run: &Run) -> ExitCode {
    write_symbols()
}

#[cfg(not(feature = "python"))]
fn write_symbols() -> ExitCode {
    fail(&"this driver was built without Python, so it can't run scripts")
}

fn fail(reason: &dyn std::fmt::Display) -> ExitCode {
    // Standard error may be closed.
    let _ = writeln!(io::stderr(), "error: {}", one_line(&reason.to_string()));
    exit_code::USAGE.into()
}

/// Escapes control characters, which names and paths may contain.
fn one_line(reason: &str) -> String {
    let escaped = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    reason.chars().map(escaped).collect()
}
