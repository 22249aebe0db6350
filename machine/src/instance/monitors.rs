//! Requests to QEMU's monitors, with a time limit.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::Instance;
use crate::error::{ErrorKind, Result};

/// An instance whose answers are awaited for a limited time.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) instance: &'a Instance,
    pub(crate) limit: Duration,
}

impl Ask<'_> {
    /// Executes a QMP command.
    pub(crate) async fn qmp(&self, command: &str, arguments: Value) -> Result<Value, ErrorKind> {
        let doing = format!("QMP command `{command}`");
        let answer = async {
            let executed = self.instance.qmp.execute(command, arguments).await;
            executed.map_err(|source| monitor_error(&doing, source))
        };
        self.answer(&doing, answer).await
    }

    /// Sends a command to the human monitor and returns its reply.
    pub(crate) async fn hmp(&self, doing: &str, command: &str) -> Result<String, ErrorKind> {
        let answer = async {
            let reply = self.instance.hmp.command(command).await;
            reply.map_err(|source| monitor_error(doing, source))
        };
        self.answer(doing, answer).await
    }

    /// Waits for QEMU's answer to `doing`.
    pub(crate) async fn answer<T>(
        &self,
        doing: &str,
        answer: impl Future<Output = Result<T, ErrorKind>>,
    ) -> Result<T, ErrorKind> {
        let Self { instance, limit } = self;
        timeout(*limit, answer).await.unwrap_or_else(|_| {
            let what = format!("QEMU to answer ({doing})");
            let lifetime = &instance.running.lifetime;
            Err(lifetime.timed_out(*limit, &what, 1, "no answer"))
        })
    }
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
