//! Watches a machine for signs of trouble: those on its console, and those reported by
//! whatever runs it.

mod signs;

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
    /// Whether the guest's process goes on. After a kernel panic this is known only from
    /// the kernel's last line: it may reboot instead, which ends QEMU.
    stays: bool,
}

/// The trouble that one run of a machine has shown.
#[derive(Debug)]
pub(crate) struct ConsoleWatch {
    signs: Arc<Mutex<Signs>>,
    seen: Mutex<Vec<Trouble>>,
    /// Each kind once.
    ends: watch::Sender<Vec<End>>,
}

impl ConsoleWatch {
    pub(crate) fn new(signs: Arc<Mutex<Signs>>) -> Self {
        Self {
            signs,
            seen: Mutex::default(),
            ends: watch::Sender::new(Vec::new()),
        }
    }

    /// Checks a line of the console.
    pub(crate) fn see_line(&self, line: &str) {
        let seen = self.signs.lock().in_line(line);
        if let Some((name, meaning)) = seen {
            let trouble = self.count(&name, &serial_log::printable(line), false);
            if meaning == Meaning::Ends {
                self.end(trouble, true);
            }
        }
    }

    /// Records trouble that ends the guest, unless trouble of this kind is allowed.
    /// `stays` says whether the guest's process is known to go on.
    pub(crate) fn end_by(&self, name: &str, line: &str, stays: bool, is_infrastructure: bool) {
        if !self.signs.lock().allows(name) {
            let trouble = self.count(name, &serial_log::printable(line), is_infrastructure);
            self.end(trouble, stays);
        }
    }

    fn end(&self, trouble: Trouble, stays: bool) {
        self.ends.send_modify(|ends| {
            let known = ends.iter_mut().find(|end| end.trouble.name == trouble.name);
            match known {
                Some(known) => known.stays |= stays,
                None => ends.push(End { trouble, stays }),
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
        self.end_that(|_| true).await
    }

    /// Waits for the guest to die while its process goes on.
    pub(crate) async fn stays(&self) -> Trouble {
        self.end_that(|end| end.stays).await
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
        self.first(&self.ends.borrow(), |_| true)
    }

    /// The first end that counts. Trouble may be allowed after it was recorded.
    fn first(&self, ends: &[End], counts: impl Fn(&End) -> bool) -> Option<Trouble> {
        let signs = self.signs.lock();
        let mut ends = ends.iter().filter(|end| counts(end));
        let end = ends.find(|end| !signs.allows(&end.trouble.name))?;
        Some(end.trouble.clone())
    }

    /// Forgets everything: the guest was restored to an earlier state.
    pub(crate) fn forget(&self) {
        self.seen.lock().clear();
        self.ends.send_replace(Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::trouble::PANIC;

    fn watch() -> ConsoleWatch {
        ConsoleWatch::new(Arc::default())
    }

    #[test]
    fn trouble_seen_twice_is_listed_once() {
        let watch = watch();
        watch.see_line("init invoked oom-killer: gfp_mask=0x100cca");
        watch.see_line("\u{1b}[31msh invoked oom-killer: gfp_mask=0x100cca");
        let seen = watch.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(
            seen[0].to_string(),
            "out of memory (2 times): init invoked oom-killer: gfp_mask=0x100cca"
        );
        assert_eq!(watch.ended().now_or_never(), None);
    }

    #[test]
    fn a_kernel_that_does_not_reboot_ends_the_guest() {
        let watch = watch();
        watch.see_line("[    1.0] Kernel panic - not syncing: it hurts");
        // It may have begun to reboot.
        assert_eq!(watch.ended().now_or_never(), None);
        watch.see_line("[    1.1] ---[ end Kernel panic - not syncing: it hurts ]---");
        let trouble = watch.ended().now_or_never().unwrap();
        assert_eq!(
            trouble.line,
            "[    1.0] Kernel panic - not syncing: it hurts"
        );
        watch.forget();
        assert_eq!(watch.ended().now_or_never(), None);
        assert_eq!(watch.seen(), []);
    }

    #[test]
    fn the_guests_process_may_go_on_or_not() {
        let watch = watch();
        watch.end_by(PANIC, "pvpanic", false, false);
        assert_eq!(watch.ended().now_or_never().unwrap().name, PANIC);
        // It may still reboot.
        assert_eq!(watch.stays().now_or_never(), None);
        watch.see_line("[    1.1] ---[ end Kernel panic - not syncing: it hurts ]---");
        assert_eq!(watch.stays().now_or_never().unwrap().name, PANIC);
    }

    #[test]
    fn allowed_trouble_is_not_listed() {
        let watch = watch();
        watch.see_line("traps: a[1] general protection fault");
        watch.see_line("BUG: unable to handle page fault for address: 0");
        watch.signs.lock().allow("kernel oops").unwrap();
        assert_eq!(watch.seen(), []);
        watch.signs.lock().allow(PANIC).unwrap();
        watch.see_line("---[ end Kernel panic - not syncing: it hurts ]---");
        watch.end_by(PANIC, "pvpanic", false, false);
        assert_eq!(watch.ended().now_or_never(), None);
    }

    #[test]
    fn trouble_allowed_afterwards_ends_nothing() {
        let watch = watch();
        watch.see_line("---[ end Kernel panic - not syncing: it hurts ]---");
        watch.signs.lock().allow("disk error").unwrap();
        assert_eq!(watch.ended().now_or_never().unwrap().name, PANIC);
        watch.signs.lock().allow(PANIC).unwrap();
        assert_eq!(watch.ended().now_or_never(), None);
        // As if the line had been matched before it was allowed.
        watch.end(watch.count(PANIC, "---[ end Kernel panic", false), true);
        assert_eq!(watch.ended().now_or_never(), None);
    }

    #[test]
    fn an_allowed_end_hides_no_other() {
        let watch = watch();
        watch.see_line("---[ end Kernel panic - not syncing: it hurts ]---");
        watch.end_by("disk error", "No space left on device", true, true);
        watch.signs.lock().allow(PANIC).unwrap();
        assert_eq!(watch.ended().now_or_never().unwrap().name, "disk error");
    }

    #[test]
    fn a_report_of_the_hosts_fault_replaces_its_symptom() {
        let watch = watch();
        watch.see_line("[    9.9] I/O error, dev vda, sector 2048 op 0x1:(WRITE)");
        watch.end_by("disk error", "QEMU could not write", true, true);
        let end = watch.ended().now_or_never().unwrap();
        assert!(end.is_infrastructure);
        assert_eq!(end.line, "QEMU could not write");
    }
}
