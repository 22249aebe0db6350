//! Requests to QEMU's monitors, with a time limit.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::time::timeout;

use super::Instance;
use crate::error::{ErrorKind, Result};
use crate::guest::Guest;

/// How long QEMU may take to reset the guest after it has answered.
const RESET_LIMIT: Duration = Duration::from_secs(2);

/// How the human monitor's reply begins if a command failed (`monitor/hmp.c` and
/// `hmp_handle_error` in QEMU).
const FAILED: [&str; 3] = ["unknown command: ", "Error: ", "invalid parameter: "];

impl Instance {
    /// Runs an operation on QEMU, whose exit ends it.
    pub(crate) async fn request<T>(
        &self,
        guest: &Guest,
        doing: &str,
        operation: impl AsyncFnOnce(Monitors<'_>) -> Result<T, ErrorKind>,
    ) -> Result<T> {
        // Boxed: operations are nested, and their futures would contain each other.
        let operation = Box::pin(operation(self.monitors(guest.limit())));
        let lifetime = &self.running.lifetime;
        guest.until_exit(lifetime, doing, operation).await
    }

    pub(super) fn monitors(&self, limit: Duration) -> Monitors<'_> {
        let instance = self;
        Monitors { instance, limit }
    }
}

/// An instance whose answers are awaited for a limited time.
#[derive(Clone, Copy)]
pub(crate) struct Monitors<'a> {
    pub(crate) instance: &'a Instance,
    pub(crate) limit: Duration,
}

impl Monitors<'_> {
    /// Executes a QMP command.
    pub(crate) async fn qmp(&self, command: &str, arguments: Value) -> Result<Value, ErrorKind> {
        let doing = format!("QMP command `{command}`");
        let answer = async {
            let begin = SystemTime::now();
            let executed = self.instance.qmp.execute(command, arguments).await;
            self.reset(command, begin).await;
            executed.map_err(|source| monitor_error(&doing, source))
        };
        self.answer(&doing, answer).await
    }

    /// Sends a command to the human monitor and returns its reply.
    pub(crate) async fn hmp(&self, doing: &str, command: &str) -> Result<String, ErrorKind> {
        let answer = async {
            let begin = SystemTime::now();
            let reply = self.instance.hmp.command(command).await;
            self.reset(command, begin).await;
            reply.map_err(|source| monitor_error(doing, source))
        };
        self.answer(doing, answer).await
    }

    /// Waits until a reset that `command` requested at `begin` has taken place, shortly after
    /// QEMU has answered: the guest's next command belongs to the new boot.
    async fn reset(&self, command: &str, begin: SystemTime) {
        if command.trim() == "system_reset" {
            let running = &self.instance.running;
            let _ = timeout(RESET_LIMIT, async {
                tokio::select! {
                    () = running.gate.reset_after(begin) => {}
                    // It may not reboot.
                    _ = running.lifetime.exited() => {}
                }
            })
            .await;
        }
    }

    /// Waits for QEMU's answer to `doing`.
    pub(crate) async fn answer<T>(
        &self,
        doing: &str,
        answer: impl Future<Output = Result<T, ErrorKind>>,
    ) -> Result<T, ErrorKind> {
        let Self { instance, limit } = self;
        timeout(*limit, answer).await.unwrap_or_else(|_| {
            let lifetime = &instance.running.lifetime;
            Err(lifetime.no_answer(doing, *limit))
        })
    }
}

/// A reply of the human monitor, unless it says that the command failed.
pub(crate) fn checked_reply(command: &str, reply: String) -> Result<String, ErrorKind> {
    if FAILED.iter().any(|sign| reply.starts_with(sign)) {
        let command = command.to_owned();
        return Err(ErrorKind::MonitorCommandFailed { command, reply });
    }
    Ok(reply)
}

pub(crate) fn monitor_error(doing: &str, source: qmp_mon::Error) -> ErrorKind {
    ErrorKind::Monitor {
        doing: doing.to_owned(),
        source,
    }
}

/// QEMU's reason, if the error is that QEMU refused a QMP command.
pub(crate) fn refusal(kind: &ErrorKind) -> Option<&str> {
    match kind {
        ErrorKind::Monitor {
            source: qmp_mon::Error::Qmp { desc, .. },
            ..
        } => Some(desc),
        _ => None,
    }
}
