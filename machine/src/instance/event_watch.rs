//! QEMU's events that mean that the guest is dead.

use std::sync::Arc;

use futures_util::StreamExt as _;
use qmp_mon::{Event, Events};

use crate::guest::console_watch::ConsoleWatch;
use crate::trouble::PANIC;

/// Records such events in `watch` until the monitor closes.
pub(super) async fn follow(watch: Arc<ConsoleWatch>, mut events: Events, allows_reboot: bool) {
    while let Some(event) = events.next().await {
        // Lost events and the monitor's end are reported elsewhere.
        if let Ok(event) = event {
            see(&watch, &event, allows_reboot);
        }
    }
}

fn see(watch: &ConsoleWatch, event: &Event, allows_reboot: bool) {
    let data = &event.data;
    match event.name.as_str() {
        // A guest that may reboot may do so after a panic.
        "GUEST_PANICKED" if !allows_reboot => {
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
    use serde_json::json;

    use super::*;

    fn watch() -> ConsoleWatch {
        ConsoleWatch::new(Arc::default())
    }

    fn event(name: &str, data: &serde_json::Value) -> Event {
        serde_json::from_value(json!({
            "event": name, "data": data, "timestamp": { "seconds": 1, "microseconds": 2 },
        }))
        .unwrap()
    }

    #[test]
    fn a_panic_ends_a_guest_that_may_not_reboot() {
        let panicked = event("GUEST_PANICKED", &json!({ "action": "run" }));
        let may_reboot = watch();
        see(&may_reboot, &panicked, true);
        assert_eq!(may_reboot.ended().now_or_never(), None);
        let ends = watch();
        see(&ends, &panicked, false);
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
        let watch = watch();
        see(&watch, &full, false);
        let trouble = watch.stays().now_or_never().unwrap();
        assert!(trouble.is_infrastructure);
        assert_eq!(
            trouble.to_string(),
            "disk error: QEMU could not write virtio0 and has stopped the guest: \
             No space left on device"
        );
    }
}
