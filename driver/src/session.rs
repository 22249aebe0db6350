//! A run: the machines, from their start to their end.

use std::collections::HashSet;
use std::process::ExitCode;
use std::time::Duration;

use machine::{Machine, Result, StartScript};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cli::Cli;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    AllPoweredOff,
    Failed,
    TimedOut,
    Interrupted,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::AllPoweredOff => Self::SUCCESS,
            Ending::Failed => Self::FAILURE,
            Ending::TimedOut => Self::from(124),
            Ending::Interrupted => Self::from(130),
        }
    }
}

/// Runs all machines. None of them is left, however it ends.
pub(crate) async fn run(cli: &Cli) -> Ending {
    let machines = match machines(cli) {
        Ok(machines) => machines,
        Err(error) => return failed(&error),
    };
    let limit = cli
        .global_timeout
        .map_or(Duration::MAX, Duration::from_secs);
    tokio::select! {
        ending = timeout(limit, run_all(machines)) => ending.unwrap_or(Ending::TimedOut),
        _ = tokio::signal::ctrl_c() => Ending::Interrupted,
    }
}

fn machines(cli: &Cli) -> Result<Vec<Machine>, String> {
    let mut names = HashSet::new();
    let mut machines = Vec::new();
    for path in &cli.start_scripts {
        let script = StartScript::new(path);
        let name = script
            .machine_name()
            .ok_or_else(|| format!("{} is not named run-NAME-vm", path.display()))?;
        if !names.insert(name.clone()) {
            return Err(format!("two machines are called {name}"));
        }
        let mut builder = Machine::builder(script).keep_vm_state(cli.keep_vm_state);
        if let Some(dir) = &cli.state_dir {
            builder = builder.tmp_dir(dir);
        }
        machines.push(builder.build().map_err(|error| error.to_string())?);
    }
    Ok(machines)
}

/// Boots every machine and waits for its end, all at once; the first that fails
/// ends them all.
async fn run_all(machines: Vec<Machine>) -> Ending {
    let mut running = JoinSet::new();
    for machine in machines {
        running.spawn(async move {
            machine.connect().await?;
            machine.wait_for_shutdown().await
        });
    }
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(Ok(Some(status))) if !status.success() => {
                return failed(&format!("a QEMU ended with {status}"));
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return failed(&error),
            Err(error) => return failed(&error),
        }
    }
    Ending::AllPoweredOff
}

#[expect(clippy::print_stderr, reason = "what went wrong is the user's to see")]
fn failed(error: &dyn std::fmt::Display) -> Ending {
    eprintln!("error: {error}");
    Ending::Failed
}
