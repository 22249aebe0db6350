//! The network cards of a container that runs, and the cables to their networks' switches.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::network::Networks;
use super::refusal::cannot;
use crate::error::ErrorKind;
use crate::guest::console_watch::ConsoleWatch;
use crate::host::blocking::blocking;
use crate::host::leader::Leader;
use crate::host::process::{CommandSpec, Process, Streams};
use crate::time_scale::scaled;

const PLUG: &str = include_str!("plug.sh");

/// Time limit for creating and connecting a card.
const LIMIT: Duration = Duration::from_secs(30);

/// A container's network cards.
#[derive(Debug)]
pub(super) struct Cards {
    /// The container's name.
    name: String,
    /// Whether a start script has created the container's cards and bridges.
    is_script: bool,
    networks: Networks,
    /// Where a failure is reported that ends all operations.
    watch: Arc<ConsoleWatch>,
    plugged: tokio::sync::Mutex<Plugged>,
}

#[derive(Debug, Default)]
struct Plugged {
    /// Whether the first card has no cable, even after a reboot.
    is_blocked: bool,
    /// The process in whose network namespace the cards are.
    leader: Option<Arc<Leader>>,
    /// By the number of the network.
    cables: Vec<Option<Cable>>,
}

/// A process that connects a card to its network. Its end is reported, unless it ends because
/// this is dropped.
#[derive(Debug)]
struct Cable {
    process: Arc<Process>,
    watch: AbortHandle,
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.watch.abort();
        self.process.kill();
    }
}

impl Cards {
    pub(super) fn new(
        name: String,
        is_script: bool,
        networks: Networks,
        watch: Arc<ConsoleWatch>,
    ) -> Self {
        Self {
            name,
            is_script,
            networks,
            watch,
            plugged: tokio::sync::Mutex::default(),
        }
    }

    /// Creates all cards in a network namespace and connects them. The container has started.
    pub(super) async fn connect(&self, leader: Arc<Leader>) -> Result<(), ErrorKind> {
        let mut plugged = self.plugged.lock().await;
        let earlier = std::mem::take(&mut plugged.cables);
        blocking(move || drop(earlier)).await;
        for index in 0..self.networks.len() {
            let is_blocked = index == 0 && plugged.is_blocked;
            let cable = self.plug(&leader, index, !is_blocked).await?;
            plugged.cables.push(cable);
        }
        plugged.leader = Some(leader);
        Ok(())
    }

    /// The cards don't work: ends all operations on the container until it boots again.
    pub(super) fn report_failure(&self, reason: &str) {
        report_failure(&self.watch, reason);
    }

    /// Unplugs all cables: the container has ended.
    pub(super) async fn disconnect(&self) {
        let mut plugged = self.plugged.lock().await;
        let cables = std::mem::take(&mut plugged.cables);
        plugged.leader = None;
        blocking(move || drop(cables)).await;
    }

    /// The same without waiting for whatever else changes the cables, which then ends by the
    /// container's end.
    pub(super) fn disconnect_now(&self) {
        if let Ok(mut plugged) = self.plugged.try_lock() {
            plugged.cables.clear();
        }
    }

    /// Unplugs the cable of the first card, or plugs it in.
    pub(super) async fn set_blocked(&self, is_blocked: bool) -> Result<(), ErrorKind> {
        let mut plugged = self.plugged.lock().await;
        plugged.is_blocked = is_blocked;
        let Some(leader) = plugged.leader.clone() else {
            return Ok(());
        };
        let Some(cable) = plugged.cables.first_mut() else {
            return Err(cannot("it is on no network"));
        };
        if is_blocked {
            let unplugged = cable.take();
            blocking(move || drop(unplugged)).await;
        } else if cable.is_none() {
            *cable = self.plug(&leader, 0, true).await?;
        }
        Ok(())
    }

    /// Creates a card, if it is missing, and connects it by a cable.
    async fn plug(
        &self,
        leader: &Leader,
        index: usize,
        is_connected: bool,
    ) -> Result<Option<Cable>, ErrorKind> {
        let script = ["-euc", PLUG, "plug.sh"].map(OsString::from);
        let socket = if is_connected {
            self.networks.socket_dir(index).into()
        } else {
            OsString::new()
        };
        let card = self.networks.card(index, &self.name, self.is_script);
        let card = card.into_iter().map(OsString::from);
        let spec = leader.in_network(CommandSpec {
            program: "/bin/sh".into(),
            args: script.into_iter().chain([socket]).chain(card).collect(),
        });
        let (process, mut streams) = Process::spawn(spec, Path::new("/"), Vec::new(), Vec::new())?;
        let mut line = String::new();
        let mut stdout = BufReader::new(&mut streams.stdout);
        let plugged = timeout(scaled(LIMIT), stdout.read_line(&mut line)).await;
        let vlan = self.networks.vlan(index);
        match (plugged, line.trim_end()) {
            (Ok(Ok(_)), "connected") => Ok(Some(self.cable(process, streams, vlan))),
            (Ok(Ok(_)), "not connected") => Ok(None),
            _ => {
                // Its standard error closes.
                blocking(move || drop(process)).await;
                let output = streams.error_output().await;
                Err(cannot(format!(
                    "can't connect it to the network {vlan}: {output}"
                )))
            }
        }
    }

    fn cable(&self, process: Process, mut streams: Streams, vlan: u32) -> Cable {
        let process = Arc::new(process);
        let (cable, watch) = (Arc::clone(&process), Arc::clone(&self.watch));
        let report_end = async move {
            let status = cable.exited().await;
            let output = streams.error_output().await;
            let reason = format!("its cable to the network {vlan}, vde_plug2tap, has ended");
            report_failure(&watch, &format!("{reason} ({status}) {output}"));
        };
        Cable {
            process,
            watch: tokio::spawn(report_end).abort_handle(),
        }
    }
}

fn report_failure(watch: &ConsoleWatch, reason: &str) {
    watch.end_by("network card", reason.trim_end(), true, true);
}
