//! The patterns of trouble on a console.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use crate::trouble::{Meaning, PANIC};

/// The signs that every console is watched for.
///
/// The texts are the kernel's (`kernel/panic.c`, `arch/x86/mm/fault.c`,
/// `arch/arm64/mm/fault.c`, `lib/ubsan.c`, `lib/list_debug.c`, `mm/oom_kill.c`,
/// `kernel/watchdog.c`, `kernel/workqueue.c`, `kernel/hung_task.c`,
/// `kernel/rcu/tree_stall.h` of Linux 6.1), systemd's (`src/core/transaction.c`,
/// `units/emergency.service.in`, `src/shared/sulogin-shell`), initramfs-tools'
/// (whose prompt is not a whole line, but follows busybox's greeting) and dracut's.
const KNOWN: [(&str, Meaning, &str); 13] = [
    // The kernel's last line, if it does not reboot. Programs can print it, too.
    (
        PANIC,
        Meaning::EndsIfSilent,
        r"---\[ end Kernel panic - not syncing",
    ),
    // It may reboot now, or start a crash kernel.
    (PANIC, Meaning::Noted, "Kernel panic - not syncing"),
    (
        "kernel oops",
        Meaning::Noted,
        r"BUG: (?:unable to handle|kernel NULL pointer)|Oops: |kernel BUG at |general protection fault, |Unable to handle kernel ",
    ),
    (
        "lock-up",
        Meaning::Noted,
        r"BUG: (?:soft lockup - |workqueue lockup - )|Watchdog detected hard LOCKUP|rcu: INFO: \S+ (?:self-)?detected (?:expedited )?stall|INFO: task \S+ blocked for more than ",
    ),
    // Everything else that the kernel or one of its sanitizers reports as a bug.
    (
        "kernel bug",
        Meaning::Noted,
        // Also after a prompt or colours, if the kernel's timestamp precedes it.
        r"(?:^|\[ *\d+\.\d+\](?:\[[^\]]*\])? ?)BUG: |UBSAN: |list_(?:add|del) corruption",
    ),
    (
        "kernel warning",
        Meaning::Noted,
        r"WARNING: CPU: \d+ PID: \d+ at ",
    ),
    (
        "out of memory",
        Meaning::Noted,
        r"invoked oom-killer|Out of memory: Killed process|Memory cgroup out of memory",
    ),
    (
        "emergency shell",
        Meaning::Noted,
        r"You are in emergency mode|Press Enter for emergency shell|Starting Emergency Shell|Give root password for maintenance",
    ),
    (
        "ordering cycle",
        Meaning::Noted,
        r"[Ff]ound ordering cycle|Ordering cycle found",
    ),
    (
        "dropped to initramfs",
        Meaning::Noted,
        r"^\(initramfs\)|^BusyBox v\S+ \((?:Debian|Ubuntu) .*\) built-in shell \(ash\)|Dropping to a shell!|dracut: Refusing to continue|Entering emergency mode\.",
    ),
    (
        "disk error",
        Meaning::Noted,
        r"I/O error, dev |rejecting I/O to offline device|EXT4-fs error|Remounting filesystem read-only",
    ),
    (
        "crash of a program",
        Meaning::Noted,
        r"segfault at |systemd-coredump\[|traps: \S+ trap ",
    ),
    (
        "broken boot loader",
        Meaning::Noted,
        r"(?:alloc|free) magic (?:is )?broken",
    ),
];

/// The patterns of [`KNOWN`], compiled once for all machines.
static COMPILED: LazyLock<Signs> = LazyLock::new(Signs::compile);

/// The signs that a machine's console is watched for.
#[derive(Clone, Debug)]
pub(crate) struct Signs {
    watched: Vec<Sign>,
    /// All patterns in one, which rejects most lines quickly.
    any: Option<Regex>,
    allowed: Vec<String>,
}

#[derive(Clone, Debug)]
struct Sign {
    name: Cow<'static, str>,
    meaning: Meaning,
    pattern: Regex,
}

impl Default for Signs {
    fn default() -> Self {
        COMPILED.clone()
    }
}

impl Signs {
    fn compile() -> Self {
        let known = KNOWN.into_iter().filter_map(|(name, meaning, pattern)| {
            Some(Sign {
                name: name.into(),
                meaning,
                // A test checks that every pattern compiles.
                pattern: Regex::new(pattern).ok()?,
            })
        });
        let mut signs = Self {
            watched: known.collect(),
            any: None,
            allowed: Vec::new(),
        };
        signs.combine();
        signs
    }

    /// The first sign in a line, unless it is allowed.
    pub(super) fn in_line(&self, line: &str) -> Option<(String, Meaning)> {
        if !self.any.as_ref()?.is_match(line) {
            return None;
        }
        let mut watched = self.watched.iter().filter(|sign| !self.allows(&sign.name));
        let sign = watched.find(|sign| sign.pattern.is_match(line))?;
        Some((sign.name.clone().into_owned(), sign.meaning))
    }

    /// Whether signs of this name are ignored.
    pub(super) fn allows(&self, name: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == name)
    }

    /// Ignores signs of this name from now on.
    ///
    /// # Errors
    /// The names of all signs, if there is none of this name.
    pub(crate) fn allow(&mut self, name: &str) -> Result<(), String> {
        if !self.watched.iter().any(|sign| sign.name == name) {
            let mut names: Vec<&str> = self.watched.iter().map(|sign| &*sign.name).collect();
            names.dedup();
            return Err(names.join(", "));
        }
        self.allowed.push(name.to_owned());
        Ok(())
    }

    /// Adds a sign.
    pub(crate) fn add(
        &mut self,
        name: &str,
        pattern: &str,
        meaning: Meaning,
    ) -> Result<(), String> {
        let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
        self.allowed.retain(|allowed| allowed != name);
        let sign = Sign {
            name: name.to_owned().into(),
            meaning,
            pattern,
        };
        // First, so that the caller's sign takes precedence.
        self.watched.insert(0, sign);
        self.combine();
        Ok(())
    }

    fn combine(&mut self) {
        let patterns = self.watched.iter();
        let patterns = patterns.map(|sign| format!("(?:{})", sign.pattern.as_str()));
        self.any = Regex::new(&patterns.collect::<Vec<_>>().join("|")).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES_OF_REAL_CONSOLES: &[(&str, &str)] = &[
        (
            "[    3.1] Kernel panic - not syncing: sysrq triggered crash",
            PANIC,
        ),
        (
            "[   12.3] BUG: kernel NULL pointer dereference, address: 0000000000000000",
            "kernel oops",
        ),
        ("[   12.3] Oops: 0002 [#1] PREEMPT SMP NOPTI", "kernel oops"),
        (
            "[   5.1] Unable to handle kernel paging request at virtual address ffff8000",
            "kernel oops",
        ),
        (
            "[   61.3][  T12] BUG: KASAN: use-after-free in kmalloc_oob_right+0x21/0x30",
            "kernel bug",
        ),
        (
            "[   61.3] BUG: sleeping function called from invalid context at mm/slab.h:494",
            "kernel bug",
        ),
        (
            "[    2.0] UBSAN: shift-out-of-bounds in drivers/net/ethernet/x.c:12:3",
            "kernel bug",
        ),
        (
            "[   99.0] BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!",
            "lock-up",
        ),
        (
            "[  484.1] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [bash:311]",
            "lock-up",
        ),
        (
            "[  242.1] INFO: task sync:2871 blocked for more than 120 seconds.",
            "lock-up",
        ),
        (
            "[   60.0] rcu: INFO: rcu_preempt self-detected stall on CPU",
            "lock-up",
        ),
        (
            "[   21.0] bash invoked oom-killer: gfp_mask=0x140dca, order=0, oom_score_adj=0",
            "out of memory",
        ),
        (
            "[   21.2] Out of memory: Killed process 243 (tail) total-vm:204800kB",
            "out of memory",
        ),
        (
            "You are in emergency mode. After logging in, type \"journalctl -xb\" to view",
            "emergency shell",
        ),
        (
            "[    5.1] systemd[1]: a.service: Found ordering cycle on b.service/start",
            "ordering cycle",
        ),
        (
            "ALERT!  /dev/vdz does not exist.  Dropping to a shell!",
            "dropped to initramfs",
        ),
        ("(initramfs) ", "dropped to initramfs"),
        (
            "BusyBox v1.35.0 (Debian 1:1.35.0-4+b5) built-in shell (ash)",
            "dropped to initramfs",
        ),
        (
            "[    9.9] blk_update_request: I/O error, dev vda, sector 2048 op 0x1:(WRITE)",
            "disk error",
        ),
        (
            "[   30.2] a.out[812]: segfault at 0 ip 0000000000401126 sp 00007ffd error 6",
            "crash of a program",
        ),
    ];

    #[test]
    fn every_known_pattern_compiles() {
        let signs = Signs::default();
        assert_eq!(signs.watched.len(), KNOWN.len());
        assert!(signs.any.is_some());
    }

    #[test]
    fn lines_of_real_consoles_are_recognised() {
        let signs = Signs::default();
        for &(line, name) in LINES_OF_REAL_CONSOLES {
            let seen = signs.in_line(line);
            assert_eq!(seen.map(|(name, _)| name).as_deref(), Some(name), "{line}");
        }
        for line in [
            "",
            "[  OK  ] Reached target emergency.target - Emergency Mode.",
            "systemd[1]: Started oom-killer-test.service",
            "root@minimal:~# ",
            "BusyBox v1.35.0 (Debian 1:1.35.0-4+b5) multi-call binary.",
            "a.test: BUG: not the kernel's",
            "[ 12 ] BUG: nor this",
        ] {
            assert_eq!(signs.in_line(line), None, "{line}");
        }
    }

    /// The kernel writes in the middle of other programs' lines.
    #[test]
    fn a_bug_is_seen_after_other_text() {
        let signs = Signs::default();
        for line in [
            "vm login: [   61.3] BUG: Bad page state in process sh  pfn:03a5b",
            "\u{1b}[0m[   12.3] BUG: scheduling while atomic: sh/243/0x00000002",
            "BUG: Bad rss-counter state mm:0000000012345678",
        ] {
            let seen = signs.in_line(line);
            assert_eq!(seen.map(|(name, _)| name).as_deref(), Some("kernel bug"));
        }
    }

    #[test]
    fn a_test_can_add_signs() {
        let mut signs = Signs::default();
        signs
            .add("corruption", "checksum mismatch", Meaning::Ends)
            .unwrap();
        let seen = signs.in_line("btrfs: checksum mismatch");
        assert_eq!(seen, Some(("corruption".to_owned(), Meaning::Ends)));
        signs.allow("corruption").unwrap();
        assert_eq!(signs.in_line("btrfs: checksum mismatch"), None);
        assert!(signs.add("no pattern", "(", Meaning::Noted).is_err());
        let names = signs.allow("no such trouble").unwrap_err();
        assert!(
            names.starts_with("corruption, kernel panic, kernel oops, "),
            "{names}"
        );
    }
}
