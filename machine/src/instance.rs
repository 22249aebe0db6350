//! One QEMU from spawn to exit: its process, its monitors, what it is started from, and how
//! its state is saved and loaded.

mod arguments;
pub(crate) mod boot_source;
mod clone_agent;
mod crash;
mod diagnosis;
mod disks;
pub(crate) mod errors;
mod event_watch;
mod events;
mod keyboard;
mod launch;
mod liveness;
mod locks;
mod migration;
mod monitors;
mod network_info;
#[cfg(feature = "screen")]
mod pointer;
mod resume;
mod save;
pub(crate) mod saved_state;
#[cfg(feature = "screen")]
mod screen_dump;
mod snapshot_job;
pub(crate) mod snapshots;
mod start_port;

use std::path::PathBuf;
use std::sync::Arc;

use qmp_mon::{EventHistory, Hmp, Qmp};

use crate::guest::{Guest, Running};

pub(crate) use self::arguments::{connections, copies};
pub(crate) use self::launch::Launch;
pub(crate) use self::monitors::{Monitors, checked_reply, monitor_error, refusal};

/// A QEMU with its connections.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) running: Arc<Running>,
    /// Keeps the state directory until QEMU was killed.
    _guest: Guest,
    hmp: Hmp,
    pub(crate) qmp: Qmp,
    pub(crate) events: EventHistory,
    agent: tokio::sync::Mutex<clone_agent::Connection>,
    locks: locks::Locks,
    migration_socket: PathBuf,
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Before the disks and directories are removed, even if the guest is still in use.
        self.running.lifetime.kill();
    }
}
