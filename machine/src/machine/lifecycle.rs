//! A machine's power: start, shutdown, crash, reboot, release.

use std::path::PathBuf;
use std::sync::Arc;

use super::Machine;
use crate::error::Result;
use crate::instance::boot_source::BootSource;
use crate::instance::{Instance, Launch};
use crate::start::StartCommand;

/// # Power
impl Machine {
    /// Starts the machine, without waiting for its guest to boot. Does nothing if it runs
    /// already. If the guest reboots, QEMU exits.
    ///
    /// With [`Builder::templates`](crate::Builder::templates), this makes the template
    /// first if there is none, however long that takes.
    ///
    /// # Errors
    /// [`StartScript`](crate::ErrorKind::StartScript),
    /// [`NotExecutable`](crate::ErrorKind::NotExecutable), [`Spawn`](crate::ErrorKind::Spawn);
    /// [`Exited`](crate::ErrorKind::Exited) if the start command exits at once, with
    /// its standard error; [`NoConnection`](crate::ErrorKind::NoConnection).
    ///
    /// # Cancellation
    /// QEMU is killed if it was started, and the machine is off.
    pub async fn start(&self) -> Result<()> {
        self.start_qemu(false).await
    }

    /// Like [`start`](Self::start), but the guest may [reboot](Self::reboot).
    pub async fn start_allowing_reboot(&self) -> Result<()> {
        self.start_qemu(true).await
    }

    /// Changes the start command from the next start on. The machine keeps its name and
    /// state.
    pub fn set_start_command(&self, start: impl Into<StartCommand>) {
        *self.parts.start.lock() = start.into();
    }

    /// Runs the start command in another directory than the [state
    /// directory](crate::Guest::state_dir) from the next start on, which boots. The disk
    /// and other files of start scripts are there then.
    pub fn set_start_dir(&self, dir: impl Into<PathBuf>) {
        *self.parts.start_dir.lock() = Some(dir.into());
        self.boot_next();
    }

    pub(crate) fn start_command(&self) -> StartCommand {
        self.parts.start.lock().clone()
    }

    /// The environment variables for the start command, besides this process's.
    pub(crate) fn start_env(&self) -> &[(std::ffi::OsString, std::ffi::OsString)] {
        &self.parts.env
    }

    /// Lets operations that need the guest start the machine when it is off.
    pub(super) fn start_on_demand(&self) {
        let (parts, key_delay) = (Arc::downgrade(&self.parts), self.key_delay);
        self.guest.set_start(move |guest| {
            let parts = parts.upgrade();
            Box::pin(async move {
                let Some(parts) = parts else { return Ok(()) };
                let machine = Self {
                    parts,
                    guest,
                    key_delay,
                };
                machine.start().await
            })
        });
    }

    async fn start_qemu(&self, allow_reboot: bool) -> Result<()> {
        let _one_at_a_time = self.parts.starting.lock().await;
        if self.pid().is_some() {
            return Ok(());
        }
        self.set_instance(None);
        self.start_next(allow_reboot).await
    }

    pub(super) async fn start_from(&self, source: &BootSource, allow_reboot: bool) -> Result<()> {
        self.step("starting vm", async {
            let start_dir = self.parts.start_dir.lock().clone();
            let launch = Launch {
                start: self.start_command(),
                dir: start_dir.as_deref().unwrap_or(self.state_dir()),
                env: &self.parts.env,
                source,
                allow_reboot,
            };
            let instance = Instance::start(&self.guest, launch).await?;
            self.set_instance(Some(Arc::new(instance)));
            Ok(())
        })
        .await
    }

    /// Ends QEMU as a power failure would: it quits without notice to the guest, or is
    /// killed if it does not quit within five seconds.
    ///
    /// # Cancellation
    /// QEMU may exit all the same.
    pub async fn crash(&self) -> Result<()> {
        if self.pid().is_none() {
            return Ok(());
        }
        let instance = self.unchecked_instance("forced crash")?;
        instance.crash(&self.guest).await
    }

    /// Presses Ctrl+Alt+Delete, when no command uses the guest's shell. The next operation
    /// that needs the shell waits for the new one, which requires a machine that [may
    /// reboot](Self::start_allowing_reboot).
    ///
    /// # Cancellation
    /// The keys may have been pressed.
    pub async fn reboot(&self) -> Result<()> {
        let doing = "pressing ctrl-alt-delete";
        self.step(doing, async {
            let instance = self.checked_instance(doing).await?;
            let pressed = instance.request(self, doing, async |monitors| {
                let command = "sendkey ctrl-alt-delete";
                monitors.hmp(doing, command).await.map(drop)
            });
            let gate = &instance.running.gate;
            gate.disconnect_after(self, doing, pressed).await
        })
        .await
    }

    /// Has systemd leave the initrd for the real root, and waits for the root
    /// shell there. Both need a service for the root shell.
    ///
    /// # Errors
    /// As [`wait_for_unit`](crate::Guest::wait_for_unit) for `initrd.target`;
    /// [`CommandFailed`](crate::ErrorKind::CommandFailed) if there is no initrd to leave.
    ///
    /// # Cancellation
    /// The guest may leave the initrd all the same.
    pub async fn switch_root(&self) -> Result<()> {
        self.step("switching to the real root", async {
            self.wait_for_unit("initrd.target").await?;
            let isolate = "systemctl isolate --no-block initrd-switch-root.target";
            match self.succeed(isolate).await {
                Ok(_) => self.disconnect().await?,
                // The new shell came before the old one could answer.
                Err(error) if error.is_shell_restart() => {}
                Err(error) => return Err(error),
            }
            self.connect().await
        })
        .await
    }

    /// Kills QEMU and every process that its start command has spawned; the machine is
    /// off. Does nothing if the machine was not started. Blocks until they have exited:
    /// milliseconds, five seconds at most.
    pub fn release(&self) {
        if let Some(running) = self.guest.current() {
            let pid = running.lifetime.pid();
            tracing::info!(machine = self.name(), "kill machine (pid {pid})");
            running.lifetime.kill();
            self.set_instance(None);
        }
    }
}
