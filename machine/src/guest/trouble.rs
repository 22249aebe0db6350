//! Signs of trouble on the console.

use super::Guest;
use crate::error::Result;
use crate::trouble::{Meaning, Trouble};

/// # Trouble
///
/// The console is watched for signs of trouble: `kernel panic`, `kernel oops`, `lock-up`,
/// `kernel bug`, `kernel warning`, `out of memory`, `emergency shell`, `ordering cycle`,
/// `dropped to initramfs`, `disk error`, `crash of a program`, `broken boot loader`. The
/// next error mentions what was seen.
///
/// A guest that is dead ends every wait for it with
/// [`ErrorKind::GuestEnded`](crate::ErrorKind::GuestEnded): at once if whatever runs it
/// reports a kernel panic, or has stopped it because the host's disk is full. If only the
/// console shows a panic, which any program can print there, the guest has five seconds to
/// show that it is alive.
impl Guest {
    /// The trouble that the machine has shown since its last start, each kind once.
    pub fn trouble(&self) -> Vec<Trouble> {
        let running = self.current();
        running.map_or_else(Vec::new, |running| running.lifetime.watch.seen())
    }

    /// Ignores trouble of this name, seen already or later: for a test that expects it,
    /// such as one that causes a kernel panic.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) with the names that exist.
    pub fn allow_trouble(&self, name: &str) -> Result<()> {
        // The lock must be released before the error is made, which takes it, too.
        let allowed = self.signs().lock().allow(name);
        allowed.map_err(|names| {
            let reason = format!("there is no {name:?}, only {names}");
            self.bad_argument("allowing trouble", reason)
        })
    }

    /// Watches the console for one more kind of trouble: lines that the regular
    /// expression `pattern` matches.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) if it is not a regular expression.
    pub fn watch_console(&self, name: &str, pattern: &str, meaning: Meaning) -> Result<()> {
        let added = self.signs().lock().add(name, pattern, meaning);
        added.map_err(|reason| self.bad_argument("watching the console", reason))
    }
}
