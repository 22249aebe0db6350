//! `Container`: a guest and the systemd-nspawn that runs it.
//!
//! The operations on the guest are those of [`Guest`](crate::Guest), to which a container
//! dereferences; those on its life and its network are in `container/`.

mod builder;
mod cards;
mod command;
mod follow;
mod hosts;
mod instance;
mod lifecycle;
mod network;
mod notify;
mod permission;
mod refusal;
mod root;
mod sandbox;
mod shell;
mod start_command;
mod users;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

pub use builder::ContainerBuilder;
pub use command::ContainerCommand;

use self::instance::Instance;
use self::network::Networks;
use crate::error::Result;
use crate::guest::{Guest, PollingCondition};
use crate::sync::Mutex;
use crate::time_scale::scaled;

/// One container of systemd-nspawn: a handle, cheap to clone.
///
/// A container boots the systemd of its root directory, so it has units, a journal, a console
/// and a network of its own, as a [`Machine`](crate::Machine) has, but the host's kernel. It
/// starts in less than a second and takes tens of MiB, without KVM.
///
/// It dereferences to its [`Guest`], which has the operations that go through the root shell and
/// the console: commands, units, files, ports. What needs a virtual machine is not there:
/// monitors, keyboard, screen, snapshots, templates. A container shares
/// [networks](crate::Vlan) with machines and other containers.
///
/// Containers need systemd-nspawn, `nsenter` and `unshare`; those on a network also `ip`,
/// `vde_plug2tap` and `/dev/net/tun`. The process must be root, of the host or of a user
/// namespace: for an ordinary user, the error has the command that makes one.
///
/// ```no_run
/// use machine::{Container, ContainerCommand};
///
/// # async fn example() -> machine::Result<()> {
/// let web = Container::new(ContainerCommand::new("web").root_dir("debian"))?;
/// web.wait_for_unit("multi-user.target").await?;
/// assert_eq!(web.succeed("hostname").await?, "web\n");
/// web.shutdown().await?;
/// # Ok(())
/// # }
/// ```
///
/// Dropping the last handle kills all processes of the container, as does the end of this
/// process, whatever its cause. Its mounts, network cards and control groups disappear with
/// them. If systemd-nspawn exits, every running operation fails at once with
/// [`ErrorKind::Exited`](crate::ErrorKind::Exited).
///
/// A container isolates less than a machine: see the repository's `docs/threat-model.md`.
#[derive(Clone)]
pub struct Container {
    parts: Arc<Parts>,
    guest: Guest,
}

/// What all handles of a container share, besides its guest.
struct Parts {
    command: ContainerCommand,
    networks: Networks,
    /// The container as it was last started.
    instance: Mutex<Option<Arc<Instance>>>,
    /// Locked while the container is being started.
    starting: tokio::sync::Mutex<()>,
}

impl Container {
    /// A container with default settings; not started yet.
    ///
    /// # Errors
    /// As [`ContainerBuilder::build`].
    pub fn new(command: ContainerCommand) -> Result<Self> {
        Self::builder(command).build()
    }

    /// A container to be configured further.
    pub fn builder(command: ContainerCommand) -> ContainerBuilder {
        ContainerBuilder::new(command)
    }

    /// The guest, which a container also dereferences to.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// A handle whose operations have this time limit: see [`Guest::within`].
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        self.with_guest(self.guest.limited(scaled(limit)))
    }

    /// As [`Guest::polling_condition`], with a container for the check.
    pub fn polling_condition<F>(
        &self,
        description: impl Into<String>,
        interval: Duration,
        check: impl Fn(Self) -> F + Send + Sync + 'static,
    ) -> PollingCondition
    where
        F: Future<Output = Result<bool>> + Send + 'static,
    {
        let container = self.clone();
        let check = move |guest| check(container.with_guest(guest));
        self.guest.polling_condition(description, interval, check)
    }

    /// A handle whose operations check no polling conditions, like the one that the check of
    /// a [`polling_condition`](Self::polling_condition) is passed.
    #[must_use]
    pub fn unchecked(&self) -> Self {
        self.with_guest(self.guest.unchecked())
    }

    fn with_guest(&self, guest: Guest) -> Self {
        Self {
            guest,
            parts: Arc::clone(&self.parts),
        }
    }

    fn instance(&self, doing: &str) -> Result<Arc<Instance>> {
        let instance = self.parts.instance.lock().clone();
        instance.ok_or_else(|| self.not_running(doing))
    }

    fn set_instance(&self, instance: Option<Arc<Instance>>) {
        let running = instance.as_ref().map(|it| Arc::clone(&it.running));
        let before = std::mem::replace(&mut *self.parts.instance.lock(), instance);
        self.guest.set_current(running);
        // Kills its processes, after the lock was released.
        drop(before);
    }
}

impl Deref for Container {
    type Target = Guest;

    fn deref(&self) -> &Guest {
        &self.guest
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container")
            .field("guest", &self.guest)
            .finish_non_exhaustive()
    }
}
