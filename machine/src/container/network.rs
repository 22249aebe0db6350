//! The networks that a container is on, and its addresses.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::command::require_program;
use super::refusal::cannot;
use crate::error::ErrorKind;
use crate::host::vlan::Vlan;
use crate::sync::Mutex;

/// The programs of a container with network cards, and Debian's packages of them.
const PROGRAMS: [(&str, &str); 2] = [("ip", "iproute2"), ("vde_plug2tap", "vde2")];

/// How many numbers of networks there are, and of addresses on each.
const ADDRESSES: usize = 254;

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
    unlisted: Arc<Mutex<Vec<String>>>,
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
            unlisted: vlan.unlisted(),
        });
    }

    /// Checks that this host can connect the container `name` to them.
    pub(super) fn check(&self, name: &str) -> Result<(), ErrorKind> {
        if self.networks.is_empty() {
            return Ok(());
        }
        if let Err(error) = File::options().read(true).write(true).open(TUN) {
            return Err(cannot(format!(
                "a network needs {TUN}, which can't be opened ({error}): load the module `tun`, \
                 let this user read and write the device, or pass it to the container in which \
                 this runs"
            )));
        }
        for (program, package) in PROGRAMS {
            require_program(program, package)?;
        }
        self.check_addresses(name)
    }

    fn check_addresses(&self, name: &str) -> Result<(), ErrorKind> {
        for (index, &Network { vlan, .. }) in self.networks.iter().enumerate() {
            if vlan == 0 || vlan as usize > ADDRESSES {
                return Err(cannot(format!(
                    "the network {vlan} has no addresses: 1 to {ADDRESSES} have"
                )));
            }
            if self.number(index, name) > ADDRESSES {
                return Err(cannot(format!(
                    "the network {vlan} has no address left for it: it has {ADDRESSES}, and \
                     there are {} `nodes`",
                    self.nodes.len()
                )));
            }
        }
        Ok(())
    }

    /// Lines for `/etc/hosts`, if there are other nodes.
    pub(super) fn hosts(&self) -> Option<String> {
        let first = self.networks.first()?;
        let line = |(index, name)| format!("192.168.{}.{} {name}\n", first.vlan, index + 1);
        let lines: String = self.nodes.iter().enumerate().map(line).collect();
        (!lines.is_empty()).then_some(lines)
    }

    /// The last part of the container's address on a network: its position in the list of
    /// nodes, or the first after them that no other unlisted container has.
    fn number(&self, index: usize, name: &str) -> usize {
        let position = |names: &[String]| names.iter().position(|it| it == name);
        if let Some(position) = position(&self.nodes) {
            return position + 1;
        }
        let mut unlisted = self.networks[index].unlisted.lock();
        let position = position(&unlisted).unwrap_or_else(|| {
            unlisted.push(name.to_owned());
            unlisted.len() - 1
        });
        self.nodes.len() + position + 1
    }

    /// The card on a network, and the other arguments of the script that creates it.
    pub(super) fn card(&self, index: usize, name: &str, is_script: bool) -> Vec<String> {
        let vlan = self.vlan(index);
        if is_script {
            return vec![format!("vde-tap{vlan}"), format!("br{vlan}")];
        }
        let (card, number) = (index + 1, self.number(index, name));
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
            unlisted: Arc::default(),
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
    fn containers_that_are_not_listed_have_addresses_of_their_own() {
        let networks = networks(&["listed"]);
        let numbers = ["a", "b", "a", "listed", "c"].map(|name| networks.number(0, name));
        assert_eq!(numbers, [2, 3, 2, 1, 4]);
        assert_eq!(networks.number(1, "c"), 2);
        assert_eq!(self::networks(&[]).hosts(), None);
    }

    #[test]
    fn a_network_has_254_addresses() {
        let names: Vec<_> = (1..=255).map(|number| format!("node{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let networks = networks(&names);
        assert!(networks.check_addresses("node254").is_ok());
        for name in ["node255", "unlisted"] {
            let error = networks.check_addresses(name).unwrap_err().to_string();
            assert!(error.contains("no address left"), "{error}");
        }
    }
}
