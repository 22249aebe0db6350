//! What a terminal on the console would show.

use std::ops::Range;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::client::{SerialLog, matched};
use crate::error::Error;
use crate::search::Pattern;
use crate::terminal::Terminal;

/// # The screen of a terminal
///
/// A terminal of 80 columns and 24 rows shows the console's output: the menu of a boot
/// loader and the dialogue of an installer, which move the cursor, are read there.
impl SerialLog {
    /// What the terminal's screen shows now: its rows, each with a newline, without trailing
    /// blanks, except those before the cursor.
    pub fn screen(&self) -> String {
        text(&self.log.with_terminal(Terminal::rows))
    }

    /// The rows of the screen, if what it shows was put there by moving the cursor, so that
    /// the lines of the log do not show it.
    pub fn drawn_screen(&self) -> Option<Vec<String>> {
        self.log.with_terminal(Terminal::drawn_rows)
    }

    /// Waits until `pattern` matches in the [screen](Self::screen), now or after more
    /// output, and returns the matched text. The syntax is that of
    /// [`wait_for`](Self::wait_for). A text that is overwritten at once may be missed.
    ///
    /// # Errors
    ///
    /// Those of [`wait_for`](Self::wait_for), but
    /// [`Error::NotOnScreen`] instead of [`Error::TimedOut`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn wait_for_screen(
        &self,
        pattern: &str,
        timeout: Option<Duration>,
    ) -> Result<String, Error> {
        let compiled = Pattern::new(pattern)?;
        let find = |text: &str| compiled.find(text, 0..text.len());
        self.wait_for_screen_with(pattern, timeout, find).await
    }

    /// Like [`wait_for_screen`](Self::wait_for_screen), with any search function. It returns
    /// the byte range of the match. `wanted` describes the search in errors.
    ///
    /// # Errors
    ///
    /// Those of [`wait_for_screen`](Self::wait_for_screen), except
    /// [`Error::InvalidPattern`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Panics
    ///
    /// As [`wait_with`](Self::wait_with).
    #[track_caller]
    pub fn wait_for_screen_with(
        &self,
        wanted: &str,
        timeout: Option<Duration>,
        mut find: impl FnMut(&str) -> Option<Range<usize>>,
    ) -> impl Future<Output = Result<String, Error>> {
        let caller = Location::caller();
        let find = move |text: &str| {
            let found = find(text)?;
            Some(matched(text, found, wanted, caller).to_owned())
        };
        self.wait_on_screen(wanted, timeout, find)
    }

    async fn wait_on_screen(
        &self,
        wanted: &str,
        timeout: Option<Duration>,
        mut find: impl FnMut(&str) -> Option<String>,
    ) -> Result<String, Error> {
        let deadline = timeout.and_then(|t| Some((t, Instant::now().checked_add(t)?)));
        let mut progress = self.log.progress();
        loop {
            // Before the search, so that output that comes during it wakes us.
            let ended = progress.borrow_and_update().ended.clone();
            let screen = self.log.with_terminal(Terminal::rows);
            let shown = text(&screen);
            if let Some(found) = find(&shown) {
                return Ok(found);
            }
            let wanted = wanted.to_owned();
            if let Some(ending) = ended {
                return Err(Error::Ended {
                    wanted,
                    ending,
                    last_lines: screen,
                });
            }
            match deadline {
                Some((timeout, deadline)) if Instant::now() >= deadline => {
                    return Err(Error::NotOnScreen {
                        wanted,
                        timeout,
                        screen,
                    });
                }
                Some((_, deadline)) => _ = timeout_at(deadline, progress.changed()).await,
                None => _ = progress.changed().await,
            }
        }
    }

    /// What has another log's terminal show the same, by
    /// [`set_screen_state`](Self::set_screen_state).
    #[doc(hidden)]
    pub fn screen_state(&self) -> String {
        self.log.with_terminal(Terminal::state)
    }

    /// Has the terminal show what it has shown when this state was taken: the console is that
    /// of a guest whose state was restored.
    #[doc(hidden)]
    pub fn set_screen_state(&self, state: &str) {
        self.log.with_terminal(|terminal| terminal.set_state(state));
    }
}

fn text(rows: &[String]) -> String {
    rows.iter().flat_map(|row| [row, "\n"]).collect()
}
