//! QEMU's monitors.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use qmp_mon::{Event, Hmp, Qmp};
use serde_json::Value;
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result};
use crate::machine::Machine;
use crate::trace::OUTPUT;

/// How the human monitor's replies begin when a command was not carried out
/// (`monitor/hmp.c` and `hmp_handle_error` in QEMU).
const FAILED: [&str; 3] = ["unknown command: ", "Error: ", "invalid parameter: "];

/// How many events the error of a wait for another names.
const MAX_SEEN: usize = 100;

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
        self.check_conditions().await?;
        self.step(
            &doing,
            self.ask_qemu(&doing, async |running| {
                let replied = running.hmp.command(command).await;
                let reply = replied.map_err(|source| monitor_error(&doing, source))?;
                tracing::debug!(target: OUTPUT, machine = self.name(), command, output = reply);
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
        self.ask_qemu(&doing, async |running| {
            running
                .qmp
                .execute(command, arguments)
                .await
                .map_err(|source| monitor_error(&doing, source))
        })
        .await
    }

    /// Waits for an event of QEMU's that `wanted` picks, such as
    /// `|event| event.name == "SHUTDOWN"`, and gives it.
    ///
    /// Events that came since the machine was started, or since the last that
    /// was waited for, count. Those before the one that is found are dropped.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the events that were seen. Up to
    /// 1024 are kept until somebody waits for one; it is among what was seen if
    /// there were more.
    pub async fn wait_for_qmp_event(&self, wanted: impl Fn(&Event) -> bool) -> Result<Event> {
        let doing = "waiting for an event of QEMU's";
        let seen = Mutex::new(Vec::new());
        let next = self.on_guest(doing, async |running| {
            let mut events = running.events.lock().await;
            while let Some(event) = events.next().await {
                let passed_over = match event {
                    Ok(event) if wanted(&event) => return Ok(event),
                    Ok(event) => event.name,
                    Err(lost @ qmp_mon::Error::EventsLost { .. }) => lost.to_string(),
                    Err(source) => return Err(monitor_error(doing, source)),
                };
                let mut seen = lock(&seen);
                if seen.len() < MAX_SEEN {
                    seen.push(passed_over);
                }
            }
            // The stream's last item is always an error.
            Err(monitor_error(doing, running.qmp.closed().await))
        });
        self.step(doing, async {
            match timeout(self.limit, next).await {
                Ok(result) => result,
                Err(_) => Err(self.no_event(&lock(&seen))),
            }
        })
        .await
    }

    fn no_event(&self, seen: &[String]) -> Error {
        self.error(ErrorKind::TimedOut {
            what: "an event of QEMU's".to_owned(),
            waited: self.limit,
            looks: u32::try_from(seen.len()).unwrap_or(u32::MAX),
            last_seen: match seen {
                [] => "no event at all".to_owned(),
                seen => seen.join(", "),
            },
            console: self.last_console_lines(),
        })
    }

    /// The QMP client itself, for its stream of events.
    ///
    /// # Errors
    /// [`NotRunning`](ErrorKind::NotRunning).
    pub fn qmp_client(&self) -> Result<Qmp> {
        Ok(self.running("using QMP")?.qmp.clone())
    }
}

fn lock(names: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn monitor_error(doing: &str, source: qmp_mon::Error) -> ErrorKind {
    ErrorKind::Monitor {
        doing: doing.to_owned(),
        source,
    }
}

/// Opens both monitors.
pub(crate) async fn open(
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
