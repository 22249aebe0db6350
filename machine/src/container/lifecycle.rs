//! A container's life: start, reboot, crash, release; and its cables.

use std::sync::Arc;

use rustix::process::Signal;

use super::Container;
use super::instance::Instance;
use super::refusal::cannot;
use crate::error::Result;
use crate::guest::Running;
use crate::host::blocking::blocking;

/// # Life
impl Container {
    /// Starts the container, without waiting for it to boot. Its network cards are connected.
    /// Does nothing if it runs already.
    ///
    /// # Errors
    /// [`Container`](crate::ErrorKind::Container) if the host can't run it, or not as this user;
    /// [`BadArgument`](crate::ErrorKind::BadArgument) without a root;
    /// [`Root`](crate::ErrorKind::Root), [`StartScript`](crate::ErrorKind::StartScript),
    /// [`NotExecutable`](crate::ErrorKind::NotExecutable), [`Spawn`](crate::ErrorKind::Spawn);
    /// [`Exited`](crate::ErrorKind::Exited) if systemd-nspawn exits at once, with its standard
    /// error.
    ///
    /// # Cancellation
    /// All its processes are killed, and the container is off.
    pub async fn start(&self) -> Result<()> {
        let _one_at_a_time = self.parts.starting.lock().await;
        if self.pid().is_some() {
            return Ok(());
        }
        self.set_instance(None);
        self.step("starting container", async {
            let parts = &self.parts;
            let launched = Instance::launch(&self.guest, &parts.command, &parts.networks).await;
            let instance = launched.map_err(|kind| self.error(kind))?;
            self.set_instance(Some(Arc::new(instance)));
            Ok(())
        })
        .await
    }

    /// Lets operations that need the guest start the container when it is off.
    pub(super) fn start_on_demand(&self) {
        let parts = Arc::downgrade(&self.parts);
        self.guest.set_start(move |guest| {
            let parts = parts.upgrade();
            Box::pin(async move {
                let Some(parts) = parts else { return Ok(()) };
                Self { parts, guest }.start().await
            })
        });
    }

    /// Requests a reboot, as Ctrl+Alt+Delete does at a machine, when no command uses the root
    /// shell. The next operation that needs the shell waits for the new one. What was written
    /// outside of `/run` and `/tmp` is still there.
    ///
    /// # Errors
    /// [`NotRunning`](crate::ErrorKind::NotRunning).
    ///
    /// # Cancellation
    /// The container may reboot all the same.
    pub async fn reboot(&self) -> Result<()> {
        let doing = "rebooting the container";
        self.step(doing, async {
            let instance = self.instance(doing)?;
            self.check_conditions().await?;
            let request = async {
                let init = instance.init.borrow().clone();
                let requested = init.map(|init| init.signal(Signal::INT));
                match requested {
                    Some(Ok(())) => Ok(()),
                    Some(Err(error)) => Err(self.error(cannot(format!("its init: {error}")))),
                    None => Err(self.error(cannot("its init was not started"))),
                }
            };
            let Running { gate, lifetime } = &*instance.running;
            gate.disconnect_after(self, doing, request).await?;
            // What has ended this boot does not end the next one.
            lifetime.watch.restart();
            Ok(())
        })
        .await
    }

    /// Kills all processes of the container, as a power failure would.
    ///
    /// # Cancellation
    /// They may be killed all the same.
    pub async fn crash(&self) -> Result<()> {
        if self.pid().is_none() {
            return Ok(());
        }
        let instance = self.instance("forced crash")?;
        self.step("forced crash", async {
            let killed = Arc::clone(&instance);
            blocking(move || killed.kill()).await;
            self.wait_for_exit(&instance.running).await.map(drop)
        })
        .await
    }

    /// Kills all processes of the container; it is off. Does nothing if it was not started.
    /// Blocks until they have ended: milliseconds, ten seconds at most.
    pub fn release(&self) {
        let instance = self.parts.instance.lock().clone();
        if let Some(instance) = instance {
            let pid = instance.running.lifetime.pid();
            tracing::info!(machine = self.name(), "kill container (pid {pid})");
            // Other operations may still hold the instance.
            instance.kill();
            drop(instance);
            self.set_instance(None);
        }
    }

    /// Disconnects the container from the others: unplugs its first network card, `eth1`.
    ///
    /// # Errors
    /// [`NotRunning`](crate::ErrorKind::NotRunning);
    /// [`Container`](crate::ErrorKind::Container) if it has no network card.
    pub async fn block(&self) -> Result<()> {
        self.set_blocked("unplugging the network card", true).await
    }

    /// Connects it again.
    ///
    /// # Errors
    /// As [`block`](Self::block).
    pub async fn unblock(&self) -> Result<()> {
        self.set_blocked("plugging the network card in", false)
            .await
    }

    async fn set_blocked(&self, doing: &str, is_blocked: bool) -> Result<()> {
        self.step(doing, async {
            let instance = self.instance(doing)?;
            self.check_conditions().await?;
            let lifetime = &instance.running.lifetime;
            if lifetime.exit_status().is_some() {
                return Err(self.not_running(doing));
            }
            let changed = instance.cards.set_blocked(is_blocked);
            self.until_exit(lifetime, doing, changed).await
        })
        .await
    }
}
