//! A guest that has come to rest.

use crate::error::Result;
use crate::machine::Machine;

/// Looks once a second, for half a minute at most: at rest, each processor had been busy for
/// no more than 30 ms of it (`/proc/stat` counts hundredths). Waiting for a disk is no
/// work.
const WAIT_FOR_REST: &str = r"
    exec {pause}<> <(:)
    processors=(/sys/devices/system/cpu/cpu[0-9]*)
    busy_before=
    for ((look = 0; look <= 30; look++)); do
        read -r _ user nice system idle iowait irq softirq _ </proc/stat
        busy=$((user + nice + system + irq + softirq))
        if [[ $busy_before ]] && ((busy - busy_before <= 3 * ${#processors[@]})); then exit 0; fi
        busy_before=$busy
        read -rt 1 -u $pause || :
    done
    exit 1
";

impl Machine {
    /// Waits until the guest has done what it was about, if it ever has: each clone of
    /// a guest that is saved before does the rest of it again.
    pub(crate) async fn wait_for_rest(&self) -> Result<()> {
        if !self.execute(WAIT_FOR_REST).await?.success() {
            tracing::debug!(machine = self.name(), "the guest is saved, but not at rest");
        }
        Ok(())
    }
}
