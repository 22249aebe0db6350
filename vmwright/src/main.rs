#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr, reason = "a command line tool prints")]

mod clean;
mod cli;
mod command;
mod environment;
mod exit_code;
mod log;
mod run;
mod signals;
mod source;
mod streams;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use crate::cli::{Cli, Task};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Standard error may be closed.
            let _ = error.print();
            let is_error = error.use_stderr();
            return if is_error { exit_code::FAILED } else { 0 }.into();
        }
    };
    log::show(cli.verbose);
    match perform(cli.task) {
        Ok(status) => status.into(),
        Err(error) => {
            log::clear();
            eprintln!("vmwright: {error:#}");
            exit_code::FAILED.into()
        }
    }
}

/// Performs a task until it ends or a signal ends it; then its machine is gone, too.
fn perform(task: Task) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting threads")?;
    let done = runtime.block_on(async {
        let interrupted = signals::interrupted()?;
        let task = async {
            match task {
                Task::Run(flags) => run::run(&flags).await,
                Task::Shell(flags) => run::shell(&flags).await,
                Task::Clean => clean::clean(),
            }
        };
        tokio::select! {
            biased;
            signal = interrupted => Ok(exit_code::of_signal(signal)),
            status = task => status,
        }
    });
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    done
}
