//! Why a machine does not answer, if it is plain to see.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::error::{ErrorKind, Result};
use crate::machine::{Machine, Running};

/// How long QEMU may take to say how its guest is.
const STATUS_LIMIT: Duration = Duration::from_secs(1);

impl Machine {
    /// A result whose error, if it is that something did not answer in time, says why
    /// that may be.
    pub(crate) async fn told<T>(
        &self,
        running: &Running,
        result: Result<T, ErrorKind>,
    ) -> Result<T> {
        let kind = match result {
            Ok(value) => return Ok(value),
            Err(kind) => kind,
        };
        let standstill = match kind {
            ErrorKind::TimedOut { .. }
            | ErrorKind::Shell {
                source: backdoor_shell::Error::Unresponsive { .. },
                ..
            } => standstill(running).await,
            _ => None,
        };
        let error = self.error(kind);
        Err(error.with_evidence("the machine", &standstill.unwrap_or_default()))
    }
}

/// Why nothing goes on, if nothing does.
async fn standstill(running: &Running) -> Option<String> {
    let pid = running.qemu.pid();
    if is_stopped(pid) {
        return Some(format!(
            "QEMU is stopped by a signal (`kill -CONT {pid}` lets it go on)"
        ));
    }
    let status = running.qmp.execute("query-status", Value::Null);
    match timeout(STATUS_LIMIT, status).await {
        Ok(Ok(status)) if status["running"] == true => None,
        Ok(Ok(status)) => {
            let status = status["status"].as_str().unwrap_or("not running");
            Some(format!("QEMU says that the guest stands still: {status}"))
        }
        Ok(Err(_)) => Some("QEMU's monitor is closed".to_owned()),
        Err(_) => Some(format!(
            "QEMU (process {pid}) does not answer its monitor within {STATUS_LIMIT:?}"
        )),
    }
}

/// Whether a process is stopped (proc(5), `/proc/PID/stat`): its state comes after its
/// name, which is in brackets.
fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_some_and(|state| state.starts_with(['T', 't']))
}
