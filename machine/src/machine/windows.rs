//! X11: the server and its windows.

use super::Machine;
use crate::error::Result;
use crate::guest::windows::{probe_windows, probe_x};

/// # X11
impl Machine {
    /// Waits until a user has a graphical session and the X server's socket exists.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut), with which of the two is missing, and the
    /// screen.
    pub async fn wait_for_x(&self) -> Result<()> {
        let what = "the X11 server";
        let polling = &self.x_polling();
        self.step(&format!("waiting for {what}"), async {
            let waited = self.wait_polling(what, polling, async |found, _| Ok(probe_x(&found)));
            self.with_last_screen(waited.await).await
        })
        .await
    }

    /// The names of all windows, topmost first.
    ///
    /// # Errors
    /// [`CommandFailed`](crate::ErrorKind::CommandFailed) if there is no X server, or
    /// no `xwininfo`.
    pub async fn get_window_names(&self) -> Result<Vec<String>> {
        self.list_windows().await
    }

    /// Waits until a window exists whose name matches the regular expression `pattern`.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut) with the names of all windows, and the screen.
    pub async fn wait_for_window(&self, pattern: &str) -> Result<()> {
        let regex = self.regex(&format!("waiting for a window named {pattern}"), pattern)?;
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
        let polling = &self.window_polling();
        self.step(&format!("waiting for {what}"), async {
            let probe = async |found, _| Ok(probe_windows(&found, &matches));
            let found = match self.wait_polling(what, polling, probe).await {
                // Perhaps no probe was completed.
                Err(error) if error.is_timeout() => Err(self.with_windows(error).await),
                found => found,
            };
            self.with_last_screen(found).await
        })
        .await
    }

    /// Adds the screen to the error of a wait that timed out, if screens can be read.
    #[cfg_attr(
        not(feature = "screen"),
        expect(clippy::unused_async, reason = "there is no screen")
    )]
    async fn with_last_screen(&self, waited: Result<()>) -> Result<()> {
        #[cfg(feature = "screen")]
        let waited = self.with_screen(waited).await;
        waited
    }
}
