//! QEMU's monitors.

use qmp_mon::{Hmp, Qmp};
use serde_json::Value;

use super::Machine;
use crate::error::{ErrorKind, Result};

/// # QEMU's monitors
impl Machine {
    /// Sends a command to QEMU's human monitor and gives its reply, without
    /// echo or prompt. A command that QEMU does not know is no error: the reply
    /// says so.
    ///
    /// # Errors
    /// [`Monitor`](ErrorKind::Monitor) if `command` holds a newline, or the
    /// monitor is closed.
    pub async fn send_monitor_command(&self, command: &str) -> Result<String> {
        let doing = format!("monitor command `{command}`");
        self.step(
            &doing,
            self.on_qemu(&doing, async |running| {
                running
                    .hmp
                    .command(command)
                    .await
                    .map_err(|source| monitor_error(&doing, source))
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
