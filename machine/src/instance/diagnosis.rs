//! Finds out why QEMU or its guest makes no progress.

use std::fs;
use std::sync::Weak;
use std::time::Duration;

use qmp_mon::Qmp;
use tokio::time::timeout;

use crate::guest::Running;
use crate::start::StartCommand;

/// The time limit of the query for the guest's state.
const QUERY_LIMIT: Duration = Duration::from_secs(1);

/// How many lines of the console are searched for signs of the guest's start.
const LINES: usize = 5000;

/// Diagnoses the QEMU with this monitor, and the guest if its shell is not connected: `start`
/// has offered it one.
pub(super) async fn diagnose(
    running: Weak<Running>,
    qmp: Qmp,
    start: Option<StartCommand>,
) -> Option<String> {
    let running = running.upgrade()?;
    let of_qemu = diagnose_qemu(running.lifetime.pid(), qmp).await;
    if of_qemu.is_some() || running.gate.is_connected() {
        return of_qemu;
    }
    let console = running.lifetime.console.last_lines(LINES);
    start?.explain_missing_greeting(&console, &running.gate.login())
}

async fn diagnose_qemu(pid: u32, qmp: Qmp) -> Option<String> {
    if is_stopped(pid) {
        return Some(format!(
            "QEMU is stopped by a signal (`kill -CONT {pid}` continues it)"
        ));
    }
    let status = qmp.query("query-status");
    match timeout(QUERY_LIMIT, status).await {
        Ok(Ok(status)) if status["running"] == true => None,
        Ok(Ok(status)) => {
            let status = status["status"].as_str().unwrap_or("not running");
            Some(format!("QEMU reports guest state `{status}`"))
        }
        Ok(Err(_)) => Some("QEMU's monitor is closed".to_owned()),
        Err(_) => Some(format!(
            "QEMU (process {pid}) does not answer its monitor within {QUERY_LIMIT:?}"
        )),
    }
}

/// Whether a process is stopped: the state in `/proc/PID/stat` follows the name, which is
/// in parentheses (proc(5)).
fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_some_and(|state| state.starts_with(['T', 't']))
}
