//! One QEMU from spawn to exit: its process, its monitors, what it is started from, and how
//! its state is saved and loaded.

mod arguments;
pub(crate) mod boot_source;
mod clone_agent;
mod diagnosis;
pub(crate) mod disks;
mod event_watch;
mod launch;
mod liveness;
mod migration;
mod monitors;
mod network_info;
pub(crate) mod save;
pub(crate) mod saved_state;
pub(crate) mod snapshots;

use std::path::PathBuf;
use std::sync::Arc;

use qmp_mon::{EventHistory, Hmp, Qmp};

use crate::guest::{Guest, Running};

pub(crate) use self::arguments::{connections, copies};
pub(crate) use self::launch::Launch;
pub(crate) use self::monitors::{Monitors, monitor_error, refusal};

/// A QEMU with its connections.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) running: Arc<Running>,
    /// Keeps the state directory until QEMU was killed.
    _guest: Guest,
    pub(crate) hmp: Hmp,
    pub(crate) qmp: Qmp,
    pub(crate) events: EventHistory,
    agent: tokio::sync::Mutex<clone_agent::Connection>,
    /// Locked while a snapshot is taken or restored.
    pub(crate) snapshots: Arc<tokio::sync::Mutex<()>>,
    migration_socket: PathBuf,
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Before the disks and directories are removed, even if the guest is still in use.
        self.running.lifetime.kill();
    }
}
