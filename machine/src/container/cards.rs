//! The network cards of a container that runs, and the cables to their networks' switches.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;

use super::command::cannot;
use super::network::Networks;
use crate::error::ErrorKind;
use crate::host::blocking::blocking;
use crate::host::leader::Leader;
use crate::host::process::{CommandSpec, Process};

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
    plugged: tokio::sync::Mutex<Plugged>,
}

#[derive(Debug, Default)]
struct Plugged {
    /// Whether the first card has no cable, even after a reboot.
    is_blocked: bool,
    /// The process in whose network namespace the cards are.
    leader: Option<Arc<Leader>>,
    /// The cables, by the number of the network.
    cables: Vec<Option<Process>>,
}

impl Cards {
    pub(super) fn new(name: String, is_script: bool, networks: Networks) -> Self {
        Self {
            name,
            is_script,
            networks,
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

    /// Creates a card, if it is missing, and connects it by a cable: a process.
    async fn plug(
        &self,
        leader: &Leader,
        index: usize,
        is_connected: bool,
    ) -> Result<Option<Process>, ErrorKind> {
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
        let (cable, mut streams) = Process::spawn(spec, Path::new("/"), Vec::new())?;
        let mut line = String::new();
        let mut stdout = BufReader::new(&mut streams.stdout);
        let plugged = stdout.read_line(&mut line);
        if matches!(timeout(LIMIT, plugged).await, Ok(Ok(1..))) {
            return Ok(is_connected.then_some(cable));
        }
        // Its standard error closes.
        blocking(move || drop(cable)).await;
        let output = streams.error_output().await;
        let vlan = self.networks.vlan(index);
        Err(cannot(format!(
            "can't connect it to the network {vlan}: {output}"
        )))
    }
}
