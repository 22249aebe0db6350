//! Signs of trouble on the console.

use std::sync::PoisonError;

use crate::error::Result;
use crate::guest::console_watch::{Meaning, Trouble};
use crate::machine::Machine;

/// # Trouble
///
/// The console is watched for signs of trouble: `kernel panic`, `kernel oops`, `lock-up`,
/// `kernel bug`, `kernel warning`, `out of memory`, `emergency shell`, `ordering cycle`,
/// `dropped to initramfs`, `disk error`, `crash of a program`, `broken boot loader`. Errors
/// mention what was seen. A kernel that has panicked and does not reboot, as its console or
/// QEMU's `pvpanic` device tells, and a guest that QEMU has stopped because its disk has
/// no room on the host, end whatever waits for the guest at once, with
/// [`ErrorKind::GuestEnded`](crate::ErrorKind::GuestEnded).
impl Machine {
    /// What this start of the machine has shown, each kind of trouble once.
    pub fn trouble(&self) -> Vec<Trouble> {
        let running = self.current();
        running.map_or_else(Vec::new, |running| running.qemu.watch.seen())
    }

    /// Trouble of this name is none, whether it was seen already or comes from now on: a
    /// test that has the kernel panic, say, expects that.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) with the names that there are.
    pub fn allow_trouble(&self, name: &str) -> Result<()> {
        // The error has a look at the signs, too.
        let allowed = self.signs().allow(name);
        allowed.map_err(|names| {
            let reason = format!("there is no {name:?}, only {names}");
            self.bad_argument("allowing trouble", reason)
        })
    }

    /// Watches the console for one kind of trouble more: lines that the regular expression
    /// `pattern` matches.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) if it is no regular expression.
    pub fn watch_console(&self, name: &str, pattern: &str, meaning: Meaning) -> Result<()> {
        let added = self.signs().add(name, pattern, meaning);
        added.map_err(|reason| self.bad_argument("watching the console", reason))
    }

    fn signs(&self) -> std::sync::MutexGuard<'_, crate::guest::console_watch::Signs> {
        let signs = self.parts.signs.lock();
        signs.unwrap_or_else(PoisonError::into_inner)
    }
}
