//! What a machine shows of itself that nobody waits for: signs of trouble on its
//! console, and events of QEMU's that mean the guest's end.

mod signs;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use qmp_mon::{Event, Events};
use tokio::sync::watch;

pub(crate) use signs::Signs;

/// How many different troubles are kept; more tell nothing new.
const KEPT: usize = 16;

/// What [`Trouble::name`] is when the guest's kernel gave up.
pub(crate) const PANIC: &str = "kernel panic";

/// What a sign of trouble means for what a test does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is mentioned in whatever error comes next.
    Noted,
    /// Nothing more is to be expected of the guest: whatever waits for it ends at once.
    Ends,
}

/// A sign of trouble that a machine has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// What it is a sign of, such as `out of memory`.
    pub name: String,
    /// The first line of the console that shows it, safe to print; or what QEMU says.
    pub line: String,
    /// How many times it was seen.
    pub count: u32,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, line, count } = self;
        match count {
            1 => write!(f, "{name}: {line}"),
            _ => write!(f, "{name} ({count} times): {line}"),
        }
    }
}

/// What ends everything that waits for the guest.
#[derive(Clone, Debug, PartialEq)]
struct End {
    trouble: Trouble,
    /// Whether it leaves QEMU running. Of a kernel that has panicked one knows that only
    /// by its last words: it may reboot instead, which ends QEMU.
    stays: bool,
}

/// What watches one start of a machine.
#[derive(Debug)]
pub(crate) struct Watch {
    signs: Arc<Mutex<Signs>>,
    allows_reboot: bool,
    seen: Mutex<Vec<Trouble>>,
    /// Each kind once.
    ends: watch::Sender<Vec<End>>,
}

impl Watch {
    pub(crate) fn new(signs: Arc<Mutex<Signs>>, allows_reboot: bool) -> Self {
        Self {
            signs,
            allows_reboot,
            seen: Mutex::default(),
            ends: watch::Sender::new(Vec::new()),
        }
    }

    /// Looks at a line of the console.
    pub(crate) fn see_line(&self, line: &str) {
        let seen = lock(&self.signs).in_line(line);
        if let Some((name, meaning)) = seen {
            let trouble = self.count(&name, &serial_log::printable(line));
            if meaning == Meaning::Ends {
                self.end(trouble, true);
            }
        }
    }

    /// Looks at QEMU's events, until there are no more.
    pub(crate) async fn follow(self: Arc<Self>, mut events: Events) {
        while let Some(event) = events.next().await {
            // Of lost ones, and of the monitor's end, others tell.
            if let Ok(event) = event {
                self.see_event(&event);
            }
        }
    }

    fn see_event(&self, event: &Event) {
        let data = &event.data;
        match event.name.as_str() {
            // What a guest that may reboot makes of its panic is its own affair.
            "GUEST_PANICKED" if !self.allows_reboot => {
                self.end_unless_allowed(PANIC, "QEMU's pvpanic device tells of it", false);
            }
            "BLOCK_IO_ERROR" if data["action"] == "stop" => {
                let device = data["device"].as_str().filter(|name| !name.is_empty());
                let device = device.or(data["node-name"].as_str()).unwrap_or("a disk");
                let reason = data["reason"].as_str().unwrap_or("it does not say why");
                let line = format!(
                    "QEMU could not {} {device} and has stopped the guest: {reason}",
                    data["operation"].as_str().unwrap_or("use"),
                );
                self.end_unless_allowed("disk error", &line, true);
            }
            _ => {}
        }
    }

    fn end_unless_allowed(&self, name: &str, line: &str, stays: bool) {
        if !lock(&self.signs).allows(name) {
            self.end(self.count(name, &serial_log::printable(line)), stays);
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

    /// What was seen of it until now, with the first line that showed it.
    fn count(&self, name: &str, line: &str) -> Trouble {
        let mut seen = lock(&self.seen);
        if let Some(known) = seen.iter_mut().find(|trouble| trouble.name == name) {
            known.count = known.count.saturating_add(1);
            return known.clone();
        }
        let trouble = Trouble {
            name: name.to_owned(),
            line: line.to_owned(),
            count: 1,
        };
        if seen.len() < KEPT {
            seen.push(trouble.clone());
        }
        trouble
    }

    /// What was seen so far, and is not allowed.
    pub(crate) fn seen(&self) -> Vec<Trouble> {
        let signs = lock(&self.signs);
        let seen = lock(&self.seen);
        let seen = seen.iter().filter(|trouble| !signs.allows(&trouble.name));
        seen.cloned().collect()
    }

    /// Waits for what ends everything, and is not allowed.
    pub(crate) async fn ended(&self) -> Trouble {
        self.end_that(|_| true).await
    }

    /// Waits for what ends the guest, but not QEMU.
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
                // Never: the sender is ours.
                std::future::pending::<()>().await;
            }
        }
    }

    /// What has ended everything by now.
    pub(crate) fn end_until_now(&self) -> Option<Trouble> {
        self.first(&self.ends.borrow(), |_| true)
    }

    /// What is allowed may have been noted before it was, or in the same moment.
    fn first(&self, ends: &[End], counts: impl Fn(&End) -> bool) -> Option<Trouble> {
        let signs = lock(&self.signs);
        let mut ends = ends.iter().filter(|end| counts(end));
        let end = ends.find(|end| !signs.allows(&end.trouble.name))?;
        Some(end.trouble.clone())
    }

    /// The guest goes on from an earlier moment, where nothing had ended.
    pub(crate) fn forget(&self) {
        lock(&self.seen).clear();
        self.ends.send_replace(Vec::new());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use serde_json::json;

    use super::*;

    fn watch(allows_reboot: bool) -> Watch {
        Watch::new(Arc::default(), allows_reboot)
    }

    fn event(name: &str, data: &serde_json::Value) -> Event {
        serde_json::from_value(json!({
            "event": name, "data": data, "timestamp": { "seconds": 1, "microseconds": 2 },
        }))
        .unwrap()
    }

    #[test]
    fn what_is_seen_twice_is_told_once() {
        let watch = watch(false);
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
    fn a_kernel_that_has_given_up_ends_everything() {
        let watch = watch(true);
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
    fn events_that_mean_the_end() {
        let panicked = event("GUEST_PANICKED", &json!({ "action": "run" }));
        let may_reboot = watch(true);
        may_reboot.see_event(&panicked);
        assert_eq!(may_reboot.ended().now_or_never(), None);
        let ends = watch(false);
        ends.see_event(&panicked);
        assert_eq!(ends.ended().now_or_never().unwrap().name, PANIC);
        // It may reboot, yet.
        assert_eq!(ends.stays().now_or_never(), None);
        ends.see_line("[    1.1] ---[ end Kernel panic - not syncing: it hurts ]---");
        assert_eq!(ends.stays().now_or_never().unwrap().name, PANIC);

        let full = event(
            "BLOCK_IO_ERROR",
            &json!({ "device": "virtio0", "node-name": "#block1", "operation": "write",
                    "action": "stop", "nospace": true, "reason": "No space left on device" }),
        );
        let disk = watch(false);
        disk.see_event(&full);
        assert_eq!(
            disk.stays().now_or_never().unwrap().to_string(),
            "disk error: QEMU could not write virtio0 and has stopped the guest: \
             No space left on device"
        );
    }

    #[test]
    fn what_is_allowed_is_no_trouble() {
        let watch = watch(false);
        watch.see_line("traps: a[1] general protection fault");
        watch.see_line("BUG: unable to handle page fault for address: 0");
        lock(&watch.signs).allow("kernel oops").unwrap();
        assert_eq!(watch.seen(), []);
        lock(&watch.signs).allow(PANIC).unwrap();
        watch.see_line("---[ end Kernel panic - not syncing: it hurts ]---");
        watch.see_event(&event("GUEST_PANICKED", &json!({})));
        assert_eq!(watch.ended().now_or_never(), None);
    }

    #[test]
    fn what_is_allowed_afterwards_is_no_end() {
        let watch = watch(false);
        watch.see_line("---[ end Kernel panic - not syncing: it hurts ]---");
        lock(&watch.signs).allow("disk error").unwrap();
        assert_eq!(watch.ended().now_or_never().unwrap().name, PANIC);
        lock(&watch.signs).allow(PANIC).unwrap();
        assert_eq!(watch.ended().now_or_never(), None);
        // As the console has it that has looked at the line before that.
        watch.end(watch.count(PANIC, "---[ end Kernel panic"), true);
        assert_eq!(watch.ended().now_or_never(), None);
    }

    #[test]
    fn one_end_that_is_allowed_hides_no_other() {
        let watch = watch(false);
        watch.see_line("---[ end Kernel panic - not syncing: it hurts ]---");
        let full = json!({ "action": "stop", "reason": "No space left on device" });
        watch.see_event(&event("BLOCK_IO_ERROR", &full));
        lock(&watch.signs).allow(PANIC).unwrap();
        assert_eq!(watch.ended().now_or_never().unwrap().name, "disk error");
    }
}
