//! QEMU's monitors.

use qmp_mon::{Hmp, Qmp};
use serde_json::Value;

use super::Machine;
use crate::error::{ErrorKind, Result};

/// How the human monitor's replies begin when a command was not carried out
/// (`monitor/hmp.c` and `hmp_handle_error` in QEMU).
const FAILED: [&str; 3] = ["unknown command: ", "Error: ", "invalid parameter: "];

/// # QEMU's monitors
impl Machine {
    /// Sends a command to QEMU's human monitor and gives its reply, without
    /// echo or prompt.
    ///
    /// # Errors
    /// [`MonitorCommandFailed`](ErrorKind::MonitorCommandFailed) if the reply
    /// says that it failed: this monitor has only words for it, and some of its
    /// commands have words of their own. [`qmp`](Self::qmp) always knows.
    /// [`Monitor`](ErrorKind::Monitor) if `command` holds a newline, or the
    /// monitor is closed.
    pub async fn send_monitor_command(&self, command: &str) -> Result<String> {
        let doing = format!("monitor command `{command}`");
        self.step(
            &doing,
            self.on_qemu(&doing, async |running| {
                let replied = running.hmp.command(command).await;
                let reply = replied.map_err(|source| monitor_error(&doing, source))?;
                if FAILED.iter().any(|sign| reply.starts_with(sign)) {
                    let command = command.to_owned();
                    return Err(ErrorKind::MonitorCommandFailed { command, reply });
                }
                Ok(reply)
            }),
        )
        .await
    }

    /// Executes a QMP command and gives what it returns.
    ///
    /// `arguments` is a JSON object, or `null` for none.
    ///
    /// # Errors
    /// [`Monitor`](ErrorKind::Monitor) with QEMU's class and description if
    /// the command fails.
    pub async fn qmp(&self, command: &str, arguments: Value) -> Result<Value> {
        let doing = format!("QMP command `{command}`");
        self.on_qemu(&doing, async |running| {
            running
                .qmp
                .execute(command, arguments)
                .await
                .map_err(|source| monitor_error(&doing, source))
        })
        .await
    }

    /// The QMP client itself, for its stream of events.
    ///
    /// # Errors
    /// [`NotRunning`](ErrorKind::NotRunning).
    pub fn qmp_client(&self) -> Result<Qmp> {
        Ok(self.running("using QMP")?.qmp.clone())
    }
}

pub(super) fn monitor_error(doing: &str, source: qmp_mon::Error) -> ErrorKind {
    ErrorKind::Monitor {
        doing: doing.to_owned(),
        source,
    }
}

/// Opens both monitors.
pub(super) async fn open(
    hmp: tokio::net::UnixStream,
    qmp: tokio::net::UnixStream,
) -> Result<(Hmp, Qmp), ErrorKind> {
    let hmp = Hmp::connect(hmp)
        .await
        .map_err(|source| monitor_error("opening the monitor", source))?;
    let qmp = Qmp::connect(qmp)
        .await
        .map_err(|source| monitor_error("opening QMP", source))?;
    Ok((hmp, qmp))
}
