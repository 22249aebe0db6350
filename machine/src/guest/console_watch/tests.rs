//! What ends a guest, and what does not.

use futures_util::FutureExt as _;

use super::*;
use crate::trouble::PANIC;

const LAST_LINE: &str = "[    1.1] ---[ end Kernel panic - not syncing: it hurts ]---";

fn watch() -> ConsoleWatch {
    ConsoleWatch::new(Arc::default(), false)
}

#[test]
fn trouble_seen_twice_is_listed_once() {
    let watch = watch();
    watch.check_line("init invoked oom-killer: gfp_mask=0x100cca");
    watch.check_line("\u{1b}[31msh invoked oom-killer: gfp_mask=0x100cca");
    let seen = watch.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(
        seen[0].to_string(),
        "out of memory (2 times): init invoked oom-killer: gfp_mask=0x100cca"
    );
    assert_eq!(watch.ended().now_or_never(), None);
}

#[test]
fn the_kernels_last_line_ends_a_guest_that_is_silent() {
    let watch = watch();
    watch.check_line("[    1.0] Kernel panic - not syncing: it hurts");
    // It may have begun to reboot.
    assert_eq!(watch.claimed().now_or_never(), None);
    watch.check_line(LAST_LINE);
    let claimed = watch.claimed().now_or_never().unwrap();
    assert_eq!(watch.ended().now_or_never(), None);
    watch.confirm(&claimed);
    let trouble = watch.ended().now_or_never().unwrap();
    assert_eq!(
        trouble.line,
        "[    1.0] Kernel panic - not syncing: it hurts"
    );
    watch.clear();
    assert_eq!(watch.ended().now_or_never(), None);
    assert_eq!(watch.seen(), []);
}

#[test]
fn a_claim_of_a_guest_that_lives_is_noted_only() {
    let watch = watch();
    for _ in 0..2 {
        watch.check_line(LAST_LINE);
        let claimed = watch.claimed().now_or_never().unwrap();
        watch.refute(&claimed);
        assert_eq!(watch.claimed().now_or_never(), None);
        // It has rebooted since.
        watch.confirm(&claimed);
        assert_eq!(watch.ended().now_or_never(), None);
    }
    assert_eq!(watch.seen()[0].count, 2);
}

#[test]
fn the_guests_process_may_go_on_or_not() {
    let [before, after] = [watch(), watch()];
    before.check_line(LAST_LINE);
    before.end_by(PANIC, "pvpanic", false, false);
    assert_eq!(before.stays().now_or_never().unwrap().name, PANIC);

    after.end_by(PANIC, "pvpanic", false, false);
    assert_eq!(after.ended().now_or_never().unwrap().name, PANIC);
    // It may still reboot.
    assert_eq!(after.stays().now_or_never(), None);
    after.check_line(LAST_LINE);
    assert_eq!(after.stays().now_or_never().unwrap().name, PANIC);
    // A report can't be refuted.
    after.refute(&after.end_so_far().unwrap());
    assert_eq!(after.stays().now_or_never().unwrap().name, PANIC);
}

#[test]
fn a_guest_that_may_reboot_is_ended_by_its_last_line() {
    let watch = ConsoleWatch::new(Arc::default(), true);
    watch.end_by(PANIC, "pvpanic", false, false);
    assert_eq!(watch.ended().now_or_never(), None);
    watch.restart();
    watch.end_by(PANIC, "pvpanic", false, false);
    watch.check_line(LAST_LINE);
    assert_eq!(watch.ended().now_or_never().unwrap().name, PANIC);
    watch.restart();
    assert_eq!(watch.ended().now_or_never(), None);
    assert_eq!(watch.seen()[0].count, 3);
}

#[test]
fn allowed_trouble_is_not_listed() {
    let watch = watch();
    watch.check_line("traps: a[1] general protection fault");
    watch.check_line("BUG: unable to handle page fault for address: 0");
    watch.signs.lock().allow("kernel oops").unwrap();
    assert_eq!(watch.seen(), []);
    watch.signs.lock().allow(PANIC).unwrap();
    watch.check_line("---[ end Kernel panic - not syncing: it hurts ]---");
    watch.end_by(PANIC, "pvpanic", false, false);
    assert_eq!(watch.ended().now_or_never(), None);
}

#[test]
fn trouble_allowed_afterwards_ends_nothing() {
    let watch = watch();
    watch.end_by(PANIC, "pvpanic", true, false);
    watch.signs.lock().allow("disk error").unwrap();
    assert_eq!(watch.ended().now_or_never().unwrap().name, PANIC);
    watch.check_line(LAST_LINE);
    watch.signs.lock().allow(PANIC).unwrap();
    assert_eq!(watch.ended().now_or_never(), None);
    assert_eq!(watch.claimed().now_or_never(), None);
}

#[test]
fn an_allowed_end_hides_no_other() {
    let watch = watch();
    watch.end_by(PANIC, "pvpanic", true, false);
    watch.end_by("disk error", "No space left on device", true, true);
    watch.signs.lock().allow(PANIC).unwrap();
    assert_eq!(watch.ended().now_or_never().unwrap().name, "disk error");
}

#[test]
fn a_report_of_the_hosts_fault_replaces_its_symptom() {
    let watch = watch();
    watch.check_line("[    9.9] I/O error, dev vda, sector 2048 op 0x1:(WRITE)");
    watch.end_by("disk error", "QEMU could not write", true, true);
    let end = watch.ended().now_or_never().unwrap();
    assert!(end.is_infrastructure);
    assert_eq!(end.line, "QEMU could not write");
}
