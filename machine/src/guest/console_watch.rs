//! Watches a machine for signs of trouble: those on its console, and those reported by
//! whatever runs it.

mod signs;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::watch;

use crate::sync::Mutex;
use crate::trouble::{Meaning, Trouble};

pub(crate) use signs::Signs;

/// How many kinds of trouble are kept.
const MAX_KINDS: usize = 16;

/// What ends every wait for the guest.
#[derive(Clone, Debug, PartialEq)]
struct End {
    trouble: Trouble,
    /// Not if only the console shows it: any program can print that.
    is_certain: bool,
    /// Whether the guest's process goes on. After a kernel panic this is known only from
    /// the kernel's last line: it may reboot instead, which may end the process.
    stays: bool,
}

/// The trouble that one run of a machine has shown.
#[derive(Debug)]
pub(crate) struct ConsoleWatch {
    signs: Arc<Mutex<Signs>>,
    /// Whether the guest can reboot without the end of its process.
    may_reboot: bool,
    seen: Mutex<Vec<Trouble>>,
    /// Each kind once.
    ends: watch::Sender<Vec<End>>,
}

impl ConsoleWatch {
    pub(crate) fn new(signs: Arc<Mutex<Signs>>, may_reboot: bool) -> Self {
        Self {
            signs,
            may_reboot,
            seen: Mutex::default(),
            ends: watch::Sender::new(Vec::new()),
        }
    }

    /// Checks a line of the console.
    pub(crate) fn check_line(&self, line: &str) {
        let visible = serial_log::visible(line);
        let signs = self.signs.lock();
        let seen = signs.in_line(line).or_else(|| signs.in_line(&visible));
        drop(signs);
        if let Some((name, meaning)) = seen {
            let trouble = self.count(&name, &serial_log::printable(line), false);
            if meaning != Meaning::Noted {
                let is_certain = meaning == Meaning::Ends;
                let stays = true;
                self.end(End {
                    trouble,
                    is_certain,
                    stays,
                });
            }
        }
    }

    /// Records a report of whatever runs the guest that the guest is dead, unless trouble
    /// of this kind is allowed. `stays` says whether the guest's process is known to go on.
    pub(crate) fn end_by(&self, name: &str, line: &str, stays: bool, is_infrastructure: bool) {
        if !self.signs.lock().allows(name) {
            let trouble = self.count(name, &serial_log::printable(line), is_infrastructure);
            let is_certain = true;
            self.end(End {
                trouble,
                is_certain,
                stays,
            });
        }
    }

    fn end(&self, end: End) {
        self.ends.send_modify(|ends| {
            let mut known = ends.iter_mut();
            match known.find(|known| known.trouble.name == end.trouble.name) {
                Some(known) => {
                    known.is_certain |= end.is_certain;
                    known.stays |= end.stays;
                }
                None => ends.push(end),
            }
        });
    }

    /// Counts it, and returns it as seen so far, with the first line that showed it.
    fn count(&self, name: &str, line: &str, is_infrastructure: bool) -> Trouble {
        let mut seen = self.seen.lock();
        if let Some(known) = seen.iter_mut().find(|trouble| trouble.name == name) {
            known.count = known.count.saturating_add(1);
            if is_infrastructure && !known.is_infrastructure {
                known.is_infrastructure = true;
                line.clone_into(&mut known.line);
            }
            return known.clone();
        }
        let trouble = Trouble {
            name: name.to_owned(),
            line: line.to_owned(),
            count: 1,
            is_infrastructure,
        };
        if seen.len() < MAX_KINDS {
            seen.push(trouble.clone());
        }
        trouble
    }

    /// The trouble seen so far, without what is allowed.
    pub(crate) fn seen(&self) -> Vec<Trouble> {
        let signs = self.signs.lock();
        let seen = self.seen.lock();
        let seen = seen.iter().filter(|trouble| !signs.allows(&trouble.name));
        seen.cloned().collect()
    }

    /// Waits for the guest to die of trouble that is not allowed.
    pub(crate) async fn ended(&self) -> Trouble {
        self.end_that(|end| self.is_final(end)).await
    }

    /// Waits for the guest to die while its process goes on.
    pub(crate) async fn stays(&self) -> Trouble {
        self.end_that(|end| end.is_certain && end.stays).await
    }

    /// Waits until only the console shows that the guest is dead.
    pub(crate) async fn claimed(&self) -> Trouble {
        self.end_that(|end| !end.is_certain).await
    }

    /// The guest has shown no sign of life since it was claimed to be dead of `trouble`.
    pub(crate) fn confirm(&self, trouble: &Trouble) {
        self.ends.send_modify(|ends| {
            let mut claims = ends.iter_mut();
            if let Some(claim) = claims.find(|end| end.trouble.name == trouble.name) {
                claim.is_certain = true;
            }
        });
    }

    /// The guest is alive, although it was claimed to be dead of `trouble`.
    pub(crate) fn refute(&self, trouble: &Trouble) {
        self.ends.send_modify(|ends| {
            ends.retain(|end| end.is_certain || end.trouble.name != trouble.name);
        });
    }

    async fn end_that(&self, counts: impl Fn(&End) -> bool) -> Trouble {
        let mut ends = self.ends.subscribe();
        loop {
            if let Some(trouble) = self.first(&ends.borrow_and_update(), &counts) {
                return trouble;
            }
            if ends.changed().await.is_err() {
                // The sender is in `self`, so this is unreachable.
                std::future::pending::<()>().await;
            }
        }
    }

    /// What has ended the guest, if anything has.
    pub(crate) fn end_so_far(&self) -> Option<Trouble> {
        self.first(&self.ends.borrow(), |end| self.is_final(end))
    }

    fn is_final(&self, end: &End) -> bool {
        end.is_certain && (end.stays || !self.may_reboot)
    }

    /// The first end that counts. Trouble may be allowed after it was recorded.
    fn first(&self, ends: &[End], counts: impl Fn(&End) -> bool) -> Option<Trouble> {
        let signs = self.signs.lock();
        let mut ends = ends.iter().filter(|end| counts(end));
        let end = ends.find(|end| !signs.allows(&end.trouble.name))?;
        Some(end.trouble.clone())
    }

    /// Clears what has ended the guest: it boots again.
    pub(crate) fn restart(&self) {
        self.ends.send_replace(Vec::new());
    }

    /// Clears everything: the guest was restored to an earlier state.
    pub(crate) fn clear(&self) {
        self.seen.lock().clear();
        self.restart();
    }
}
