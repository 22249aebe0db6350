//! QEMU's monitors.

use qmp_mon::{Event, Qmp};
use serde_json::Value;
use tokio::time::timeout;

use super::Machine;
use crate::error::{ErrorKind, Result};
use crate::instance::monitor_error;
use crate::sync::Mutex;
use crate::trace::OUTPUT;

/// How the human monitor's reply begins if a command failed (`monitor/hmp.c` and
/// `hmp_handle_error` in QEMU).
const FAILED: [&str; 3] = ["unknown command: ", "Error: ", "invalid parameter: "];

/// How many events the error of a wait for another one lists.
const MAX_SEEN: usize = 100;

/// # QEMU's monitors
impl Machine {
    /// Sends a command to QEMU's human monitor and returns its reply, without
    /// echo or prompt.
    ///
    /// # Errors
    /// [`MonitorCommandFailed`](ErrorKind::MonitorCommandFailed) if the reply
    /// says that it failed: this monitor has only text for it, and some of its
    /// commands have texts of their own. [`qmp`](Self::qmp) always knows.
    /// [`Monitor`](ErrorKind::Monitor) if `command` holds a newline, or the
    /// monitor is closed.
    pub async fn send_monitor_command(&self, command: &str) -> Result<String> {
        let doing = format!("monitor command `{command}`");
        let sent = self.on_qemu(&doing, async |monitors| {
            let reply = monitors.hmp(&doing, command).await?;
            tracing::debug!(target: OUTPUT, machine = self.name(), command, output = reply);
            if FAILED.iter().any(|sign| reply.starts_with(sign)) {
                let command = command.to_owned();
                return Err(ErrorKind::MonitorCommandFailed { command, reply });
            }
            Ok(reply)
        });
        self.step(&doing, sent).await
    }

    /// Executes a QMP command and returns its result.
    ///
    /// `arguments` is a JSON object, or `null` for none. Polling conditions are not checked.
    ///
    /// # Errors
    /// [`Monitor`](ErrorKind::Monitor) with QEMU's class and description if
    /// the command fails.
    pub async fn qmp(&self, command: &str, arguments: Value) -> Result<Value> {
        let doing = format!("QMP command `{command}`");
        let instance = self.instance(&doing)?;
        self.on_instance(&instance, &doing, async |monitors| {
            monitors.qmp(command, arguments).await
        })
        .await
    }

    /// Waits for an event of QEMU that `wanted` accepts, such as
    /// `|event| event.name == "SHUTDOWN"`, and returns it.
    ///
    /// Events count that came since the machine was started, or after the last one that
    /// such a wait has returned; the last 1024 are kept. Waits at the same time do not
    /// take events from each other.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the events that were seen.
    ///
    /// # Cancellation
    /// No event is lost.
    pub async fn wait_for_qmp_event(&self, wanted: impl Fn(&Event) -> bool) -> Result<Event> {
        let doing = "waiting for an event of QEMU's";
        self.step(doing, async {
            let instance = self.instance(doing)?;
            let seen = Mutex::new(Vec::new());
            let event = async {
                let found = instance.events.wait_for(|next| match next {
                    Ok(event) if wanted(event) => true,
                    Ok(event) => note(&seen, event.name.clone()),
                    Err(lost) => note(&seen, lost.to_string()),
                });
                let found = timeout(self.limit(), found).await;
                let timed_out = |_| {
                    let seen = seen.lock();
                    let looks = u32::try_from(seen.len()).unwrap_or(u32::MAX);
                    let last_seen = match &seen[..] {
                        [] => "no event at all".to_owned(),
                        seen => seen.join(", "),
                    };
                    let what = "an event of QEMU's";
                    let lifetime = &instance.running.lifetime;
                    lifetime.timed_out(self.limit(), what, looks, &last_seen)
                };
                found
                    .map_err(timed_out)?
                    .map_err(|source| monitor_error(doing, source))
            };
            self.until_guest_end(&instance.running.lifetime, doing, event).await
        })
        .await
    }

    /// Takes the events that [`wait_for_qmp_event`](Self::wait_for_qmp_event) would look at
    /// first, without waiting for more.
    ///
    /// # Errors
    /// [`NotRunning`](ErrorKind::NotRunning).
    pub fn take_qmp_events(&self) -> Result<Vec<Event>> {
        Ok(self.instance("reading QEMU's events")?.events.take())
    }

    /// The QMP client itself, for its stream of events.
    ///
    /// # Errors
    /// [`NotRunning`](ErrorKind::NotRunning).
    pub fn qmp_client(&self) -> Result<Qmp> {
        Ok(self.instance("using QMP")?.qmp.clone())
    }
}

/// Notes what a wait has passed over.
fn note(seen: &Mutex<Vec<String>>, name: String) -> bool {
    let mut seen = seen.lock();
    if seen.len() < MAX_SEEN {
        seen.push(name);
    }
    false
}
