//! `vmwright run` and `vmwright shell`.

use std::io::{self, IsTerminal as _};

use anyhow::Result;
use machine::Machine;
use tokio::signal::unix::SignalKind;

use crate::cli::{MachineFlags, RunFlags};
use crate::command::GuestCommand;
use crate::{exit_code, log, source, streams};

/// Runs a command in a fresh machine, and returns its exit status.
pub(crate) async fn run(flags: &RunFlags) -> Result<u8> {
    let command = GuestCommand::new(&flags.machine, &flags.command)?;
    let vm = prepare(&flags.machine).await?;
    let status = perform(&vm, &command).await?;
    for copy in &flags.copy_out {
        vm.copy_from_machine(&copy.guest, &copy.dir).await?;
    }
    Ok(status)
}

/// Opens a root shell in a fresh machine.
pub(crate) async fn shell(flags: &MachineFlags) -> Result<u8> {
    let command = GuestCommand::new(flags, &[])?;
    let vm = prepare(flags).await?;
    if io::stderr().is_terminal() {
        eprintln!("vmwright: a root shell; Ctrl-D ends it and its machine, as Ctrl-] always does");
    }
    let done = perform(&vm, &command).await;
    // The user has shut it down.
    if vm.exit_status().is_some_and(|status| status.success()) {
        return Ok(0);
    }
    done
}

/// Starts a machine with the files of the flags.
async fn prepare(flags: &MachineFlags) -> Result<Machine> {
    let vm = source::start(flags).await?;
    for copy in &flags.copy_in {
        vm.copy_from_host(&copy.host, &copy.guest).await?;
    }
    log::clear();
    Ok(vm)
}

/// Runs the command on the terminal, if there is one for its input and output.
async fn perform(vm: &Machine, command: &GuestCommand) -> Result<u8> {
    let status = if io::stdin().is_terminal() && io::stdout().is_terminal() {
        let exit = vm.run_on_terminal(&command.on_terminal()).await?;
        let left = SignalKind::interrupt().as_raw_value();
        exit.map_or(exit_code::of_signal(left).into(), |exit| exit.status())
    } else {
        match streams::run(vm, command).await {
            Err(error) if is_broken_pipe(&error) => {
                return Ok(exit_code::of_signal(SignalKind::pipe().as_raw_value()));
            }
            status => status?,
        }
    };
    Ok(u8::try_from(status).unwrap_or(exit_code::FAILED))
}

/// Whether the reader of the output has gone, which is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
