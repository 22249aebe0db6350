//! X11: the server and its windows.

use std::time::Duration;

use super::Machine;
use crate::error::{Result, tail};
use crate::guest::parse::xwininfo::window_names;
use crate::guest::poll::{Found, Polling};
use crate::guest::waiting::Probe;
use crate::sync::Mutex;

/// Lists the windows on display `:0`.
const LIST_WINDOWS: &str = "xwininfo -root -tree 2>&1";

/// Its message when a window closes while its children are queried.
const CUT_SHORT: &str = "Can't query window tree";

/// How often the windows are listed again after that.
const LISTINGS: usize = 5;

/// # X11
impl Machine {
    /// Waits until a user has a graphical session and the X server accepts
    /// connections.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut), with which of the two is missing, and the
    /// screen.
    pub async fn wait_for_x(&self) -> Result<()> {
        let script = self.script("waiting for X");
        let polling = &Polling::new(script.append(include_str!("../guest/x_session.sh")));
        let what = "the X11 server";
        self.step(&format!("waiting for {what}"), async {
            self.connect().await?;
            let waited = self.wait(what, |left| {
                self.poll(polling, left, async |found: Found| {
                    Ok(match found.output.status() {
                        _ if found.is_ready => Probe::Ready(()),
                        10 => Probe::Pending("no user has reached a graphical session".to_owned()),
                        _ => Probe::Pending("there is no socket /tmp/.X11-unix/X0".to_owned()),
                    })
                })
            });
            let waited = waited.await;
            #[cfg(feature = "screen")]
            let waited = self.with_screen(waited).await;
            waited
        })
        .await
    }

    /// The names of all windows, topmost first.
    ///
    /// # Errors
    /// [`CommandFailed`](crate::ErrorKind::CommandFailed) if there is no X server, or
    /// no `xwininfo`.
    pub async fn get_window_names(&self) -> Result<Vec<String>> {
        let mut output = self.execute(LIST_WINDOWS).await?;
        for _ in 0..LISTINGS {
            if !output.text().contains(CUT_SHORT) {
                break;
            }
            output = self.execute(LIST_WINDOWS).await?;
        }
        if output.success() {
            return Ok(window_names(&output.text()));
        }
        Err(self.command_failed(LIST_WINDOWS, &output))
    }

    /// Waits until a window exists whose name matches the regular expression `pattern`.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut) with the names of all windows, and the screen.
    pub async fn wait_for_window(&self, pattern: &str) -> Result<()> {
        let regex = self.regex(&format!("a window named {pattern}"), pattern)?;
        self.wait_for_window_with(pattern, |name| regex.is_match(name))
            .await
    }

    /// The same with another way to search: waits until `matches` returns true for a
    /// window's name. `wanted` describes it in errors.
    ///
    /// # Errors
    /// As [`wait_for_window`](Self::wait_for_window).
    pub async fn wait_for_window_with(
        &self,
        wanted: &str,
        matches: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let what = &format!("a window named {wanted}");
        let (seen, matches) = (Mutex::new(String::new()), &matches);
        self.step(&format!("waiting for {what}"), async {
            self.connect().await?;
            let wait = self.wait(what, |left| self.probe_windows(&seen, matches, left));
            let outcome = match wait.await {
                // Perhaps no probe was completed.
                Err(error) if error.is_timeout() => {
                    let script = format!("{LIST_WINDOWS} | grep -v '(has no name)'");
                    Err(self.with_output(error, "windows", &script).await)
                }
                done => done,
            };
            #[cfg(feature = "screen")]
            let outcome = self.with_screen(outcome).await;
            outcome
        })
        .await
    }

    /// Waits until the list of windows is not `seen`, which it updates, or for a turn.
    async fn probe_windows(
        &self,
        seen: &Mutex<String>,
        matches: &impl Fn(&str) -> bool,
        left: Duration,
    ) -> Result<Probe<()>> {
        let last_seen = seen.lock().clone();
        let script = self
            .script("listing windows")
            .set("list_windows", LIST_WINDOWS)?
            .set("last_seen", &last_seen)?
            .append(include_str!("../guest/windows.sh"));
        self.poll(&Polling::new(script), left, async |found: Found| {
            let text = found.output.text();
            let names = window_names(&text);
            *seen.lock() = text;
            if !found.output.success() {
                let reason = tail(&found.output.stdout).join(" ");
                return Ok(Probe::Pending(format!(
                    "no windows can be listed: {reason}"
                )));
            }
            Ok(if names.iter().any(|name| matches(name)) {
                Probe::Ready(())
            } else {
                Probe::Pending(format!("windows {names:?}"))
            })
        })
        .await
    }
}
