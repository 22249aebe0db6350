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
    cards: Vec<Card>,
}

#[derive(Debug)]
struct Card {
    /// The index of its network.
    network: usize,
    cable: Option<Cable>,
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
        let earlier = std::mem::take(&mut plugged.cards);
        blocking(move || drop(earlier)).await;
        for network in 0..self.networks.len() {
            let is_blocked = plugged.cards.is_empty() && plugged.is_blocked;
            let card = self.plug(&leader, network, !is_blocked).await?;
            plugged.cards.extend(card);
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
        let cards = std::mem::take(&mut plugged.cards);
        plugged.leader = None;
        blocking(move || drop(cards)).await;
    }

    /// The same, unless another operation changes the cables: it then ends with the container.
    pub(super) fn disconnect_now(&self) {
        if let Ok(mut plugged) = self.plugged.try_lock() {
            plugged.cards.clear();
        }
    }

    /// Unplugs the cable of the first card, or plugs it in.
    pub(super) async fn set_blocked(&self, is_blocked: bool) -> Result<(), ErrorKind> {
        let mut plugged = self.plugged.lock().await;
        let Some(leader) = plugged.leader.clone() else {
            return Err(cannot("it has ended, and its network cards with it"));
        };
        let Some(card) = plugged.cards.first_mut() else {
            return Err(cannot("it is on no network"));
        };
        if is_blocked {
            let unplugged = card.cable.take();
            blocking(move || drop(unplugged)).await;
        } else if card.cable.is_none()
            // Otherwise it reboots, and its next card gets a cable.
            && leader.is_alive()
            && let Some(connected) = self.plug(&leader, card.network, true).await?
        {
            *card = connected;
        }
        plugged.is_blocked = is_blocked;
        Ok(())
    }

    /// Creates a card, if it is missing, and connects it by a cable. None if the container is
    /// not on the network.
    async fn plug(
        &self,
        leader: &Leader,
        network: usize,
        is_connected: bool,
    ) -> Result<Option<Card>, ErrorKind> {
        let script = ["-euc", PLUG, "plug.sh"].map(OsString::from);
        let socket = if is_connected {
            self.networks.socket_dir(network).into()
        } else {
            OsString::new()
        };
        let card = self.networks.card(network, &self.name, self.is_script);
        let card = card.into_iter().map(OsString::from);
        let spec = leader.in_network(CommandSpec {
            program: "/bin/sh".into(),
            args: script.into_iter().chain([socket]).chain(card).collect(),
        });
        let (process, mut streams) = Process::spawn(spec, Path::new("/"), Vec::new(), Vec::new())?;
        let mut line = String::new();
        let mut stdout = BufReader::new(&mut streams.stdout);
        let limit = scaled(LIMIT);
        let plugged = timeout(limit, stdout.read_line(&mut line)).await;
        let vlan = self.networks.vlan(network);
        let cable = match (&plugged, line.trim_end()) {
            (Ok(Ok(_)), "connected") => Some(self.cable(process, streams, vlan)),
            (Ok(Ok(_)), "not connected") => None,
            (Ok(Ok(_)), "not on this network") => return Ok(None),
            _ => {
                // Its standard error closes.
                blocking(move || drop(process)).await;
                let output = match plugged {
                    Ok(_) => streams.error_output().await,
                    Err(_) => format!("it was not connected within {limit:?}"),
                };
                return Err(cannot(format!(
                    "can't connect it to the network {vlan}: {output}"
                )));
            }
        };
        Ok(Some(Card { network, cable }))
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
