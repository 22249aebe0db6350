//! QEMU's monitors.

use qmp_mon::{Event, Qmp};
use serde_json::Value;

use super::Machine;
use crate::error::Result;
use crate::instance::{Monitors, checked_reply};
use crate::trace::OUTPUT;

/// # QEMU's monitors
impl Machine {
    /// Sends a command to QEMU's human monitor and returns its reply, without
    /// echo or prompt.
    ///
    /// # Errors
    /// [`MonitorCommandFailed`](crate::ErrorKind::MonitorCommandFailed) if the reply
    /// says that it failed: this monitor has only text for it, and some of its
    /// commands have texts of their own. [`qmp`](Self::qmp) always knows.
    /// [`Monitor`](crate::ErrorKind::Monitor) if `command` holds a newline, or the
    /// monitor is closed.
    pub async fn send_monitor_command(&self, command: &str) -> Result<String> {
        let doing = format!("monitor command `{command}`");
        let sent = self.on_qemu(&doing, async |monitors| {
            let reply = monitors.hmp(&doing, command).await?;
            tracing::debug!(target: OUTPUT, machine = self.name(), command, output = reply);
            checked_reply(command, reply)
        });
        self.step(&doing, sent).await
    }

    /// Executes a QMP command and returns its result.
    ///
    /// `arguments` is a JSON object, or `null` for none. Polling conditions are not checked.
    ///
    /// # Errors
    /// [`Monitor`](crate::ErrorKind::Monitor) with QEMU's class and description if
    /// the command fails.
    pub async fn qmp(&self, command: &str, arguments: Value) -> Result<Value> {
        let doing = format!("QMP command `{command}`");
        let instance = self.unchecked_instance(&doing)?;
        let executed = async |monitors: Monitors<'_>| monitors.qmp(command, arguments).await;
        instance.request(&self.guest, &doing, executed).await
    }

    /// Waits for an event of QEMU that `wanted` accepts, such as
    /// `|event| event.name == "SHUTDOWN"`, and returns it.
    ///
    /// Events count that came since the machine was started, or after the last one that
    /// such a wait has returned; the last 1024 are kept. Waits at the same time do not
    /// take events from each other.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut) with the events that were seen.
    ///
    /// # Cancellation
    /// No event is lost.
    pub async fn wait_for_qmp_event(&self, wanted: impl Fn(&Event) -> bool) -> Result<Event> {
        let doing = "waiting for a QEMU event";
        self.step(doing, async {
            let instance = self.unchecked_instance(doing)?;
            instance.wait_for_event(&self.guest, doing, wanted).await
        })
        .await
    }

    /// Takes the events that [`wait_for_qmp_event`](Self::wait_for_qmp_event) would examine
    /// first, without waiting for more.
    ///
    /// # Errors
    /// [`NotRunning`](crate::ErrorKind::NotRunning).
    pub fn take_qmp_events(&self) -> Result<Vec<Event>> {
        Ok(self
            .unchecked_instance("reading QEMU's events")?
            .events
            .take())
    }

    /// The QMP client itself, for its stream of events.
    ///
    /// # Errors
    /// [`NotRunning`](crate::ErrorKind::NotRunning).
    pub fn qmp_client(&self) -> Result<Qmp> {
        Ok(self.unchecked_instance("using QMP")?.qmp.clone())
    }
}
