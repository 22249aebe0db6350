//! X11: the server and its windows.

use crate::error::{ErrorKind, Result, tail};
use crate::guest::commands::BUSY;
use crate::guest::parse::xwininfo::window_names;
use crate::guest::waiting::Look;
use crate::machine::Machine;

/// What lists the windows, as the root shell's user on display `:0`.
const LIST_WINDOWS: &str = "xwininfo -root -tree 2>&1";

/// What it says when a window goes away while it asks for its children.
const CUT_SHORT: &str = "Can't query window tree";

/// How often the windows are listed again because of that.
const LISTINGS: usize = 5;

/// # X11
impl Machine {
    /// Waits until somebody is logged in graphically and the X server takes
    /// connections.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut), with which of the two is missing, and the
    /// screen.
    pub async fn wait_for_x(&self) -> Result<()> {
        // What `graphical-session.target` of a user's manager logs. grep reads all of it,
        // because journalctl must not fail at a pipe that is closed.
        const LOOK: &str = "journalctl -b SYSLOG_IDENTIFIER=systemd --no-pager \
            | grep 'Reached target.*Current graphical' >/dev/null || exit 10
            [ -e /tmp/.X11-unix/X0 ] || exit 11";
        let what = "the X11 server";
        self.step(&format!("waiting for {what}"), async {
            self.connect().await?;
            let waited = self.wait(what, |left| async move {
                let Some(output) = self.look_to_the_end(LOOK, left).await? else {
                    return Ok(Look::Unseen(BUSY.to_owned()));
                };
                Ok(match output.status() {
                    0 => Look::Done(()),
                    10 => Look::NotYet("no user has reached their graphical session".to_owned()),
                    11 => Look::NotYet("there is no socket /tmp/.X11-unix/X0".to_owned()),
                    status => Look::NotYet(format!("looking failed (exit code {status})")),
                })
            });
            let waited = waited.await;
            #[cfg(feature = "ocr")]
            let waited = self.with_screen(waited).await;
            waited
        })
        .await
    }

    /// The names of all windows, topmost first.
    ///
    /// # Errors
    /// [`CommandFailed`](ErrorKind::CommandFailed) if there is no X server, or
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
        Err(self.error(ErrorKind::CommandFailed {
            command: LIST_WINDOWS.to_owned(),
            exit: output.exit,
            output: tail(&output.stdout),
        }))
    }

    /// Waits until there is a window whose name matches the regular expression
    /// `pattern`.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the names of the windows there are, and the
    /// screen.
    pub async fn wait_for_window(&self, pattern: &str) -> Result<()> {
        let regex = self.regex(&format!("a window named {pattern}"), pattern)?;
        self.wait_for_window_with(pattern, |name| regex.is_match(name))
            .await
    }

    /// The same for other ways to search: waits until `matches` is true of a window's
    /// name. `wanted` says what it looks for.
    ///
    /// # Errors
    /// As [`wait_for_window`](Self::wait_for_window).
    pub async fn wait_for_window_with(
        &self,
        wanted: &str,
        matches: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let what = &format!("a window named {wanted}");
        let matches = &matches;
        self.step(&format!("waiting for {what}"), async {
            self.connect().await?;
            let wait = self.wait(what, |left| async move {
                let Some(output) = self.look_to_the_end(LIST_WINDOWS, left).await? else {
                    return Ok(Look::Unseen(BUSY.to_owned()));
                };
                if !output.success() {
                    let said = tail(&output.stdout).join(" ");
                    return Ok(Look::NotYet(format!("no windows can be listed: {said}")));
                }
                let names = window_names(&output.text());
                Ok(if names.iter().any(|name| matches(name)) {
                    Look::Done(())
                } else {
                    Look::NotYet(format!("windows {names:?}"))
                })
            });
            let outcome = match wait.await {
                // No look may have got to its end.
                Err(error) if error.is_timeout() => {
                    let script = format!("{LIST_WINDOWS} | grep -v '(has no name)'");
                    Err(self.with_output(error, "windows", &script).await)
                }
                done => done,
            };
            #[cfg(feature = "ocr")]
            let outcome = self.with_screen(outcome).await;
            outcome
        })
        .await
    }
}
