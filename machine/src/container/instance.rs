//! One systemd-nspawn from spawn to exit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::cards::Cards;
use super::command::ContainerCommand;
use super::follow::Follower;
use super::network::Networks;
use super::notify::NotifySocket;
use super::refusal::cannot;
use super::{sandbox, shell, start_command};
use crate::error::ErrorKind;
use crate::guest::console_watch::ConsoleWatch;
use crate::guest::lifetime::{Lifetime, Setup};
use crate::guest::shell_gate::ShellGate;
use crate::guest::{Guest, Running};
use crate::host::blocking::blocking;
use crate::host::cgroup::Cgroup;
use crate::host::leader::Leader;
use crate::time_scale::scaled;

/// How long systemd-nspawn may take to start the container's init.
const START_LIMIT: Duration = Duration::from_mins(1);

/// A container that was started.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) running: Arc<Running>,
    pub(super) cards: Arc<Cards>,
    /// The container's init, once it was started, and after each reboot.
    pub(super) init: watch::Receiver<Option<Arc<Leader>>>,
    /// Dropped after the processes in it were killed.
    cgroup: Cgroup,
    /// Keeps the state directory until then.
    _guest: Guest,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
        self.cards.disconnect_now();
    }
}

impl Instance {
    /// Starts a container, and waits until its init was started and its network cards are
    /// connected.
    pub(super) async fn launch(
        guest: &Guest,
        command: &ContainerCommand,
        networks: &Networks,
    ) -> Result<Self, ErrorKind> {
        let namespace = ContainerCommand::check_host()?;
        if sandbox::is_build_in(&namespace) {
            blocking(sandbox::complete).await?;
        }
        networks.check(guest.name())?;
        let is_on_host = namespace.is_of_host();
        let cgroup = Cgroup::create(&command.host_name())?;
        let notify = guest.state().sockets().notify;
        let socket = NotifySocket::bind(&notify)?;
        let (spec, mounts) =
            start_command::process(guest, command, networks, &cgroup, namespace).await?;
        let lifetime = Arc::new(Lifetime::spawn(Setup {
            guest,
            name: "systemd-nspawn",
            spec,
            dir: guest.state().path(),
            env: start_command::environment(guest, &notify, &cgroup),
            mounts,
            watch: Arc::new(ConsoleWatch::new(Arc::clone(guest.signs()), true)),
            boot_log: None,
            screen: None,
        })?);
        let (shell, shell_end) = shell::connection().map_err(|error| cannot_connect(&error))?;
        let gate = ShellGate::new(Arc::clone(&lifetime), shell);
        let running = Arc::new(Running { lifetime, gate });
        let name = guest.name().to_owned();
        let watch = Arc::clone(&running.lifetime.watch);
        let cards = Cards::new(name.clone(), command.is_script(), networks.clone(), watch);
        let cards = Arc::new(cards);
        let (init, init_receiver) = watch::channel(None);
        let (started, is_started) = oneshot::channel();
        let instance = Self {
            running: Arc::clone(&running),
            cards: Arc::clone(&cards),
            init: init_receiver,
            cgroup,
            _guest: guest.clone(),
        };
        let follower = Follower {
            machine: name,
            socket,
            running: Arc::downgrade(&running),
            cards,
            is_script: command.is_script(),
            is_on_host,
            init,
            shell_end: Arc::new(shell_end),
            shell: None,
        };
        tokio::spawn(follower.run(Arc::clone(&running.lifetime), started));
        instance.until_started(is_started).await?;
        Ok(instance)
    }

    /// Kills all its processes. May block the thread for five seconds.
    pub(super) fn kill(&self) {
        self.cgroup.thaw();
        self.running.lifetime.kill();
    }

    async fn until_started(
        &self,
        is_started: oneshot::Receiver<Result<(), ErrorKind>>,
    ) -> Result<(), ErrorKind> {
        let lifetime = &self.running.lifetime;
        let started = async {
            let limit = scaled(START_LIMIT);
            match timeout(limit, is_started).await {
                Ok(Ok(started)) => started,
                // The process has ended.
                Ok(Err(_)) => std::future::pending().await,
                Err(_) => Err(cannot(format!(
                    "systemd-nspawn did not report within {limit:?} that it was started: \
                     does the start script execute it with the script's arguments?"
                ))),
            }
        };
        let started = lifetime
            .until_exit("starting systemd-nspawn", started)
            .await;
        started.map_err(|mut kind| {
            if let ErrorKind::Exited { starting, .. } = &mut kind {
                *starting = true;
            }
            kind
        })
    }
}

fn cannot_connect(error: &std::io::Error) -> ErrorKind {
    cannot(format!(
        "can't make the connection of its root shell: {error}"
    ))
}
