//! The network: forwarded ports, cables.

use super::Machine;
use crate::error::{ErrorKind, Result};

/// QEMU's name of the second network card, which [`Machine::block`] disconnects, if it was
/// given none.
const SECOND_CARD: &str = "virtio-net-pci.1";

/// # The network
impl Machine {
    /// Forwards a TCP port of the host's `localhost` to a port of the guest, by
    /// QEMU's user network.
    ///
    /// # Errors
    /// [`BadArgument`](ErrorKind::BadArgument) for port 0;
    /// [`MonitorCommandFailed`](ErrorKind::MonitorCommandFailed) if the host's
    /// port is taken, or the machine has no user network.
    pub async fn forward_port(&self, host_port: u16, guest_port: u16) -> Result<()> {
        if host_port == 0 || guest_port == 0 {
            let doing = "forwarding a port";
            return Err(self.bad_argument(
                doing,
                "port 0 is reserved; connect to a port from 1 to 65535",
            ));
        }
        let command = format!("hostfwd_add tcp:127.0.0.1:{host_port}-:{guest_port}");
        let reply = self.send_monitor_command(&command).await?;
        if reply.trim().is_empty() {
            return Ok(());
        }
        Err(self.error(ErrorKind::MonitorCommandFailed { command, reply }))
    }

    /// Disconnects the machine from the others: unplugs the second network card, `eth1`.
    /// The first one stays connected.
    ///
    /// # Errors
    /// [`MonitorCommandFailed`](ErrorKind::MonitorCommandFailed) if the machine
    /// has no second virtio card, or it was given an `id`.
    pub async fn block(&self) -> Result<()> {
        self.set_link("off").await
    }

    /// Connects it again.
    ///
    /// # Errors
    /// As [`block`](Self::block).
    pub async fn unblock(&self) -> Result<()> {
        self.set_link("on").await
    }

    async fn set_link(&self, state: &str) -> Result<()> {
        let command = format!("set_link {SECOND_CARD} {state}");
        self.send_monitor_command(&command).await.map(drop)
    }
}
