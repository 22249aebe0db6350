//! Configuring a container.

use std::path::PathBuf;
use std::sync::Arc;

use super::command::ContainerCommand;
use super::network::Networks;
use super::{Container, Parts};
use crate::error::{Error, Result};
use crate::guest::Guest;
use crate::host::state_dir::StateDir;
use crate::host::vlan::Vlan;
use crate::sync::Mutex;

/// The configuration of a container; made by [`Container::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ContainerBuilder {
    command: ContainerCommand,
    tmp_dir: Option<PathBuf>,
    out_dir: PathBuf,
    keep_state: bool,
    networks: Networks,
}

impl ContainerBuilder {
    pub(super) fn new(command: ContainerCommand) -> Self {
        Self {
            command,
            tmp_dir: None,
            out_dir: PathBuf::from("."),
            keep_state: false,
            networks: Networks::default(),
        }
    }

    /// The directory in which the state directory `vm-state-NAME` and the shared directory
    /// `shared-xchg` are created, as for [machines](crate::Builder::tmp_dir). Default: a new
    /// directory in the system's temporary directory, removed with the container.
    pub fn tmp_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.tmp_dir = Some(dir.into());
        self
    }

    /// The directory for copies from the container. Default: the current directory.
    pub fn out_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.out_dir = dir.into();
        self
    }

    /// Keeps the state directory of an earlier container of the same name, with all changes to
    /// its files, and leaves it for a later one.
    pub fn keep_state(mut self, keep: bool) -> Self {
        self.keep_state = keep;
        self
    }

    /// Adds a network card on a network, which must outlive the container: `eth1` on the first
    /// network, `eth2` on the second, as machines have them.
    ///
    /// The container's address on network V is 192.168.V.N, where N is its position in the list
    /// of [nodes](Self::nodes). A container that is not in the list has the first number after
    /// the list that no other such container has.
    pub fn vlan(mut self, vlan: &Vlan) -> Self {
        self.networks.add(vlan);
        self
    }

    /// The names of all machines and containers on the networks, 254 at most, in the same order
    /// for each of them: the third has the address 192.168.V.3. In the container, `/etc/hosts`
    /// has their addresses on its first network.
    pub fn nodes(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.networks.nodes = names.into_iter().map(Into::into).collect();
        self
    }

    /// Creates the container and its directories; it is not started yet.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) if the name is no host name;
    /// [`StateDir`](crate::ErrorKind::StateDir),
    /// [`StateDirInUse`](crate::ErrorKind::StateDirInUse),
    /// [`SocketPathTooLong`](crate::ErrorKind::SocketPathTooLong).
    pub fn build(self) -> Result<Container> {
        let name = self.command.name().to_owned();
        let at_container = |kind| Error::new(&name, kind);
        self.command.check_name().map_err(at_container)?;
        let state = StateDir::create(self.tmp_dir.as_deref(), &name, self.keep_state)
            .map_err(at_container)?;
        let container = Container {
            guest: Guest::new(name, state, self.out_dir, true),
            parts: Arc::new(Parts {
                command: self.command,
                networks: self.networks,
                instance: Mutex::default(),
                starting: tokio::sync::Mutex::new(()),
            }),
        };
        container.start_on_demand();
        Ok(container)
    }
}
