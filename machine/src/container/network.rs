//! The networks that a container is on, and its addresses.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::command::{cannot, require_program};
use crate::error::ErrorKind;
use crate::host::vlan::Vlan;

/// The programs of a container with network cards, and Debian's packages of them.
const PROGRAMS: [(&str, &str); 2] = [("ip", "iproute2"), ("vde_plug2tap", "vde2")];

/// What creates network cards.
const TUN: &str = "/dev/net/tun";

/// The networks that a container is on.
#[derive(Clone, Debug, Default)]
pub(super) struct Networks {
    networks: Vec<Network>,
    /// The names of all machines and containers on them.
    pub(super) nodes: Vec<String>,
}

#[derive(Clone, Debug)]
struct Network {
    vlan: u32,
    socket_dir: PathBuf,
}

impl Networks {
    pub(super) fn len(&self) -> usize {
        self.networks.len()
    }

    pub(super) fn vlan(&self, index: usize) -> u32 {
        self.networks[index].vlan
    }

    /// The directory of the switch's socket.
    pub(super) fn socket_dir(&self, index: usize) -> &Path {
        &self.networks[index].socket_dir
    }

    pub(super) fn add(&mut self, vlan: &Vlan) {
        self.networks.push(Network {
            vlan: vlan.number(),
            socket_dir: vlan.socket_dir().to_owned(),
        });
    }

    /// Checks that this host can connect a container to them.
    pub(super) fn check(&self) -> Result<(), ErrorKind> {
        if self.networks.is_empty() {
            return Ok(());
        }
        if !Path::new(TUN).exists() {
            return Err(cannot(format!(
                "a network needs {TUN}, which this host does not have: load the module `tun`, or \
                 pass the device to the container in which this runs"
            )));
        }
        for (program, package) in PROGRAMS {
            require_program(program, package)?;
        }
        match self
            .networks
            .iter()
            .find(|it| !(1..=254).contains(&it.vlan))
        {
            Some(Network { vlan, .. }) => Err(cannot(format!(
                "the network {vlan} has no addresses: 1 to 254 have"
            ))),
            None => Ok(()),
        }
    }

    /// Lines for `/etc/hosts`, if there are other nodes.
    pub(super) fn hosts(&self) -> Option<String> {
        let first = self.networks.first()?;
        let line = |(index, name)| format!("192.168.{}.{} {name}\n", first.vlan, index + 1);
        let lines: String = self.nodes.iter().enumerate().map(line).collect();
        (!lines.is_empty()).then_some(lines)
    }

    /// The last part of the container's addresses: its position in the list of nodes, or
    /// derived from its name, and then probably unique.
    fn number(&self, name: &str) -> usize {
        let position = self.nodes.iter().position(|node| node == name);
        position.map_or_else(
            || 1 + usize::from(Sha256::digest(name)[0] % 254),
            |position| position + 1,
        )
    }

    /// The card on a network, and the other arguments of the script that creates it.
    pub(super) fn card(&self, index: usize, name: &str, is_script: bool) -> Vec<String> {
        let vlan = self.vlan(index);
        if is_script {
            return vec![format!("vde-tap{vlan}"), format!("br{vlan}")];
        }
        let (card, number) = (index + 1, self.number(name));
        vec![
            format!("eth{card}"),
            format!("52:54:00:12:{vlan:02x}:{number:02x}"),
            format!("192.168.{vlan}.{number}/24"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(nodes: &[&str]) -> Networks {
        let network = |vlan| Network {
            vlan,
            socket_dir: "/tmp/vde.ctl".into(),
        };
        Networks {
            networks: vec![network(7), network(3)],
            nodes: nodes.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn addresses_are_those_that_machines_have() {
        let networks = networks(&["server", "client"]);
        assert_eq!(
            networks.card(1, "client", false),
            ["eth2", "52:54:00:12:03:02", "192.168.3.2/24"]
        );
        assert_eq!(networks.card(0, "client", true), ["vde-tap7", "br7"]);
        let hosts = "192.168.7.1 server\n192.168.7.2 client\n";
        assert_eq!(networks.hosts().as_deref(), Some(hosts));
    }

    #[test]
    fn a_container_that_is_not_listed_has_an_address() {
        for name in ["a", "b", "a-long-name"] {
            let number = networks(&["other"]).number(name);
            assert!((1..=254).contains(&number), "{number}");
        }
        assert_eq!(networks(&[]).hosts(), None);
    }
}
