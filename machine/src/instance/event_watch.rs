//! QEMU's events that mean that the guest is dead, has rebooted, or ends QEMU.

use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use qmp_mon::{Event, Events, Qmp};

use super::liveness;
use crate::exit_reason::ExitReason;
use crate::guest::Running;
use crate::guest::console_watch::ConsoleWatch;
use crate::trouble::PANIC;

/// Records such events, and checks whether the guest is dead if its console shows so, until
/// the monitor closes.
pub(super) async fn follow(running: Weak<Running>, qmp: Qmp, mut events: Events) {
    let Some(watch) = running.upgrade().map(|it| Arc::clone(&it.lifetime.watch)) else {
        return;
    };
    let handle_events = async {
        while let Some(event) = events.next().await {
            // Lost events and the monitor's end are reported elsewhere.
            if let (Ok(event), Some(running)) = (event, running.upgrade()) {
                handle(&running, &event);
            }
        }
    };
    tokio::select! {
        () = handle_events => {}
        () = liveness::check_claims(&watch, &running, &qmp) => {}
    }
    if let Some(running) = running.upgrade() {
        running.lifetime.reports.end();
    }
}

fn handle(running: &Running, event: &Event) {
    let lifetime = &running.lifetime;
    match event.name.as_str() {
        "RESET" => {
            lifetime.watch.restart();
            running.gate.reset(time(event));
        }
        "SHUTDOWN" => {
            if let Some(reason) = exit_reason(event) {
                lifetime.reports.exits(reason);
            }
        }
        _ => record_end(&lifetime.watch, event),
    }
}

/// By the host's clock.
fn time(event: &Event) -> SystemTime {
    let known = event.timestamp.and_then(|it| UNIX_EPOCH.checked_add(it));
    known.unwrap_or_else(SystemTime::now)
}

/// Why QEMU is about to exit (`ShutdownCause` in QEMU's `qapi/run-state.json`).
fn exit_reason(event: &Event) -> Option<ExitReason> {
    match event.data["reason"].as_str()? {
        "guest-reset" => Some(ExitReason::Reboot),
        "host-qmp-system-reset" => Some(ExitReason::Reset),
        "guest-shutdown" => Some(ExitReason::PowerOff),
        "guest-panic" => Some(ExitReason::Panic),
        "host-qmp-quit" | "host-signal" | "host-ui" => Some(ExitReason::Host),
        _ => None,
    }
}

fn record_end(watch: &ConsoleWatch, event: &Event) {
    let data = &event.data;
    match event.name.as_str() {
        "GUEST_PANICKED" => {
            watch.end_by(PANIC, "reported by QEMU's pvpanic device", false, false);
        }
        "BLOCK_IO_ERROR" if data["action"] == "stop" => {
            let device = data["device"].as_str().filter(|name| !name.is_empty());
            let device = device.or(data["node-name"].as_str()).unwrap_or("a disk");
            let reason = data["reason"].as_str().unwrap_or("unknown reason");
            let line = format!(
                "QEMU could not {} {device} and has stopped the guest: {reason}",
                data["operation"].as_str().unwrap_or("use"),
            );
            watch.end_by("disk error", &line, true, true);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use qmp_mon::{QmpCodec, QmpMessage};
    use serde_json::json;
    use tokio_util::codec::Decoder as _;

    use super::*;

    fn watch(may_reboot: bool) -> ConsoleWatch {
        ConsoleWatch::new(Arc::default(), may_reboot)
    }

    fn event(name: &str, data: &serde_json::Value) -> Event {
        let event = json!({
            "event": name, "data": data, "timestamp": { "seconds": 1, "microseconds": 2 },
        });
        let mut line = format!("{event}\n").as_bytes().into();
        match QmpCodec::default().decode(&mut line).unwrap() {
            Some(QmpMessage::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_panic_ends_a_guest_that_may_not_reboot() {
        let panicked = event("GUEST_PANICKED", &json!({ "action": "run" }));
        let may_reboot = watch(true);
        record_end(&may_reboot, &panicked);
        assert_eq!(may_reboot.ended().now_or_never(), None);
        let ends = watch(false);
        record_end(&ends, &panicked);
        assert_eq!(ends.ended().now_or_never().unwrap().name, PANIC);
        assert_eq!(ends.stays().now_or_never(), None);
    }

    #[test]
    fn a_full_host_disk_ends_the_guest() {
        let full = event(
            "BLOCK_IO_ERROR",
            &json!({ "device": "virtio0", "node-name": "#block1", "operation": "write",
                    "action": "stop", "nospace": true, "reason": "No space left on device" }),
        );
        let watch = watch(false);
        record_end(&watch, &full);
        let trouble = watch.stays().now_or_never().unwrap();
        assert!(trouble.is_infrastructure);
        assert_eq!(
            trouble.to_string(),
            "disk error: QEMU could not write virtio0 and has stopped the guest: \
             No space left on device"
        );
    }

    #[test]
    fn qemus_reasons_to_exit() {
        for (reason, expected) in [
            ("guest-reset", Some(ExitReason::Reboot)),
            ("host-qmp-system-reset", Some(ExitReason::Reset)),
            ("host-qmp-quit", Some(ExitReason::Host)),
            ("one of a later version", None),
        ] {
            let shutdown = event("SHUTDOWN", &json!({ "guest": true, "reason": reason }));
            assert_eq!(exit_reason(&shutdown), expected, "{reason}");
        }
    }
}
