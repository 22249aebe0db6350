//! The X server of a guest, and its windows.

use super::Guest;
use super::parse::xwininfo::window_names;
use super::poll::{Found, Polling};
use super::waiting::Probe;
use crate::error::{Error, Result, tail};

/// The operation, in errors.
const LISTING: &str = "listing windows";

/// The command that lists the windows, in errors.
const XWININFO: &str = "xwininfo -root -tree";

const LIST_WINDOWS: &str = include_str!("list_windows.sh");

const SHOW_WINDOWS: &str = "list_windows || status=$?
printf '%s\\n' \"$windows\"
exit \"${status-0}\"";

impl Guest {
    /// The names of all windows, topmost first.
    pub(crate) async fn list_windows(&self) -> Result<Vec<String>> {
        let script = self.script(LISTING).append(LIST_WINDOWS);
        let script = script.append(SHOW_WINDOWS);
        let output = self.execute(script.into_text()).await?;
        if output.success() {
            return Ok(window_names(&output.stdout));
        }
        Err(self.command_failed(XWININFO, &output))
    }

    /// A loop that lists the windows when they have changed: see [`probe_windows`].
    pub(crate) fn window_polling(&self) -> Polling {
        let script = self.script(LISTING).append(LIST_WINDOWS);
        Polling::for_changes(script.append(include_str!("windows.sh")), |output| output)
    }

    /// Adds the list of the windows that have a name.
    pub(crate) async fn with_windows(&self, error: Error) -> Error {
        let script = self.script(LISTING).append(LIST_WINDOWS);
        let script = script.append("list_windows || :\ngrep -v '(has no name)' <<<\"$windows\"");
        self.with_output(error, "windows", &script.into_text())
            .await
    }

    /// A loop that waits for an X server: see [`probe_x`].
    pub(crate) fn x_polling(&self) -> Polling {
        let script = self.script("waiting for X");
        Polling::new(script.append(include_str!("x_session.sh")))
    }
}

/// Whether `matches` is true for the name of a window.
pub(crate) fn probe_windows(found: &Found, matches: impl Fn(&str) -> bool) -> Probe<()> {
    let stdout = &found.output.stdout;
    if !found.output.success() {
        let reason = tail(stdout).join(" ");
        return Probe::Pending(format!("no windows can be listed: {reason}"));
    }
    let names = window_names(stdout);
    if names.iter().any(|name| matches(name)) {
        Probe::Ready(())
    } else {
        Probe::Pending(format!("windows {names:?}"))
    }
}

/// Whether a user has a graphical session and the X server accepts connections.
pub(crate) fn probe_x(found: &Found) -> Probe<()> {
    match found.output.status() {
        _ if found.is_ready => Probe::Ready(()),
        10 => Probe::Pending("no user has reached a graphical session".to_owned()),
        _ => Probe::Pending("there is no socket /tmp/.X11-unix/X0".to_owned()),
    }
}
