//! The port by which older versions of systemd start the guest's shell: see
//! `start/credentials.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use qmp_mon::Qmp;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::guest::Running;
use crate::start::credentials::START_PORT;
use crate::start::disk_image::START_CHARDEV;

/// How long the port is unplugged, and at least plugged in. No event reports that udev has
/// read its new rules, which it does within three seconds.
const INTERVAL: Duration = Duration::from_secs(3);

/// The part of the time since the start for which it is plugged in at a time: a slow guest
/// takes longer to detect it.
const SHARE: u32 = 6;

/// QEMU's name of the port.
const ID: &str = "vmwright-start-port";

/// Plugs the port in repeatedly until the guest's shell is connected, in each boot.
/// Ends with the process. In a guest that `has_booted` already, it does so after the next
/// reset.
/// `lock` is locked while the port is plugged in.
pub(super) async fn start_shell(
    running: Arc<Running>,
    qmp: Qmp,
    lock: Arc<Mutex<()>>,
    has_booted: bool,
) {
    let boots = async {
        if has_booted {
            running.gate.reset_after(SystemTime::now()).await;
        }
        loop {
            start_shell_of_boot(&running, &qmp, &lock).await;
            running.gate.reset_after(SystemTime::now()).await;
        }
    };
    tokio::select! {
        _ = running.lifetime.exited() => {}
        () = boots => {}
    }
}

async fn start_shell_of_boot(running: &Running, qmp: &Qmp, lock: &Mutex<()>) {
    let start = Instant::now();
    let connected_within = |time| timeout(time, running.gate.connected());
    while connected_within(INTERVAL).await.is_err() {
        let _locked = lock.lock().await;
        let port = json!({
            "driver": "virtserialport", "id": ID, "name": START_PORT, "chardev": START_CHARDEV,
        });
        // QEMU may refuse it now: the next one counts.
        let _ = qmp.execute("device_add", port).await;
        let time = INTERVAL.max(start.elapsed() / SHARE);
        let connected = connected_within(time).await;
        let _ = qmp.execute("device_del", json!({ "id": ID })).await;
        if connected.is_ok() {
            return;
        }
    }
}
