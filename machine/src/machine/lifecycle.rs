//! A machine's life: start, connect, shutdown, crash, reboot, release.

use std::fs;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use backdoor_shell::Shell;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::error::{ErrorKind, Result};
use crate::guest::commands::shell_error;
use crate::instance::saved_state::Origin;
use crate::machine::monitor::monitor_error;
use crate::machine::{Machine, Running};
use crate::start::StartCommand;

/// How long QEMU may take to quit before it is killed.
const QUIT_LIMIT: Duration = Duration::from_secs(5);

/// How often a guest that does not boot is mentioned.
const BOOT_REMINDER: Duration = Duration::from_secs(30);

/// # Life
impl Machine {
    /// Starts the machine, without waiting for its guest to boot; but for its template, if
    /// it is to go on from [one](crate::Builder::templates) that must be made, however long
    /// that takes. Does nothing if it runs already. If the guest reboots, QEMU ends.
    ///
    /// # Errors
    /// [`StartScript`](ErrorKind::StartScript),
    /// [`NotExecutable`](ErrorKind::NotExecutable), [`Spawn`](ErrorKind::Spawn);
    /// [`Exited`](ErrorKind::Exited) if the start command ends at once, with
    /// what it said; [`NoConnection`](ErrorKind::NoConnection).
    pub async fn start(&self) -> Result<()> {
        self.start_qemu(false).await
    }

    /// Like [`start`](Self::start), but the guest may [reboot](Self::reboot).
    pub async fn start_allowing_reboot(&self) -> Result<()> {
        self.start_qemu(true).await
    }

    /// Changes how QEMU is started from the next start on. The machine keeps its name
    /// and state.
    pub fn set_start_command(&self, start: impl Into<StartCommand>) {
        let present = self.parts.start.lock();
        *present.unwrap_or_else(PoisonError::into_inner) = start.into();
    }

    pub(crate) fn start_command(&self) -> StartCommand {
        let start = self.parts.start.lock();
        start.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn start_qemu(&self, allow_reboot: bool) -> Result<()> {
        let _one_at_a_time = self.parts.starting.lock().await;
        if self.pid().is_some() {
            return Ok(());
        }
        self.set_current(None);
        // Only the first start goes on where a template was saved.
        let templates = self.templates().clone();
        match templates {
            Some(cache_dir) => {
                self.start_from_template(&cache_dir, allow_reboot).await?;
                self.templates().take();
                Ok(())
            }
            None => self.start_from(&self.take_origin(), allow_reboot).await,
        }
    }

    pub(crate) async fn start_from(&self, origin: &Origin, allow_reboot: bool) -> Result<()> {
        self.step("starting vm", async {
            if let Some(saved) = origin.saved() {
                self.place_disks(saved)?;
            }
            let running = self
                .launch(allow_reboot, origin)
                .await
                .map_err(|kind| self.error(kind))?;
            let pid = running.qemu.pid();
            tracing::info!(
                machine = self.parts.name,
                command_line = command_line(pid),
                "QEMU running (pid {pid})"
            );
            let running = Arc::new(running);
            if let Some(saved) = origin.saved() {
                self.load(&running, saved).await?;
                // Before anybody else finds it running.
                if let (Origin::Own(_), Some(contents)) = (origin, saved.contents()) {
                    self.freshen_guest(&running, contents, None).await?;
                }
            }
            self.set_current(Some(running));
            Ok(())
        })
        .await
    }

    /// Waits for the guest to boot and its root shell to answer; starts the
    /// machine, if it was not started, or has been shut down or crashed on
    /// purpose. Does nothing if it is connected already, be it busy or not.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the last console lines.
    pub async fn connect(&self) -> Result<()> {
        self.start_if_off().await?;
        let doing = "waiting for the VM to finish booting";
        self.on_guest(doing, async |running| {
            let mut news = running.is_connected.subscribe();
            let connected = async { news.wait_for(|is_connected| *is_connected).await.map(drop) };
            tokio::select! {
                biased;
                // By whoever has the shell now, perhaps.
                _ = connected => Ok(()),
                turn = self.turn(running) => self.connect_shell(running, &mut *turn?).await,
            }
        })
        .await
    }

    /// Starts a machine that was not started, or is off on purpose.
    pub(crate) async fn start_if_off(&self) -> Result<()> {
        let is_off = |running: Arc<Running>| running.end_is_known.load(Ordering::Relaxed);
        if self.current().is_none_or(is_off) {
            Box::pin(self.start()).await?;
        }
        Ok(())
    }

    /// Connects a shell that is not connected.
    pub(crate) async fn connect_shell(
        &self,
        running: &Running,
        shell: &mut Shell<UnixStream>,
    ) -> Result<(), ErrorKind> {
        if !shell.is_connected() {
            self.step(
                "waiting for the VM to finish booting",
                self.wait_for_greeting(running, shell),
            )
            .await?;
        }
        running.is_connected.send_replace(true);
        Ok(())
    }

    async fn wait_for_greeting(
        &self,
        running: &Running,
        shell: &mut Shell<UnixStream>,
    ) -> Result<(), ErrorKind> {
        let said = |line: &str| {
            let line = serial_log::printable(line);
            tracing::info!(machine = self.parts.name, "Guest shell says: {line}");
        };
        let start = Instant::now();
        let mut reminders = 0;
        while start.elapsed() < self.limit {
            let left = self.limit.saturating_sub(start.elapsed());
            if let Ok(connected) = timeout(BOOT_REMINDER.min(left), shell.connect(said)).await {
                return connected.map_err(|source| shell_error(running, source));
            }
            reminders += 1;
            tracing::warn!(
                machine = self.parts.name,
                "the guest's root shell gives no sign yet; the console may tell why, \
                 and in the guest `systemctl status backdoor.service`"
            );
        }
        let seen = "no greeting on the shell's line";
        Err(self.timed_out(running, "the guest's root shell", reminders, seen))
    }

    /// Whether the machine was started, and neither released nor waited for to end
    /// since.
    pub fn is_booted(&self) -> bool {
        let is_on = |running: Arc<Running>| !running.end_is_known.load(Ordering::Relaxed);
        self.current().is_some_and(is_on)
    }

    /// Whether the machine runs and its root shell is connected.
    pub fn is_up(&self) -> bool {
        let Some(running) = self.current() else {
            return false;
        };
        *running.is_connected.borrow() && running.qemu.exit_status().is_none()
    }

    /// Powers the guest off from inside and waits for QEMU to end. Does nothing
    /// if the machine does not run.
    ///
    /// # Errors
    /// [`CommandFailed`](ErrorKind::CommandFailed) if the guest's `poweroff`
    /// does; as [`wait_for_shutdown`](Self::wait_for_shutdown).
    pub async fn shutdown(&self) -> Result<()> {
        if self.pid().is_none() {
            return Ok(());
        }
        match self.succeed("poweroff").await {
            // The machine may be off before it has answered.
            Err(error) if !matches!(error.kind(), ErrorKind::Exited { .. }) => Err(error),
            _ => self.wait_for_shutdown().await.map(drop),
        }
    }

    /// Pulls the plug: QEMU quits without the guest being told, or is killed if
    /// it does not within five seconds.
    pub async fn crash(&self) -> Result<()> {
        if self.pid().is_none() {
            return Ok(());
        }
        self.step("forced crash", async {
            let running = self.running("forced crash")?;
            // QEMU may be gone before it has answered; or it hangs.
            let _ = timeout(QUIT_LIMIT, running.hmp.command("quit")).await;
            if timeout(QUIT_LIMIT, running.qemu.exited()).await.is_err() {
                running.qemu.kill();
                let _ = timeout(self.limit, running.qemu.exited()).await;
            }
            self.wait_for_shutdown().await.map(drop)
        })
        .await
    }

    /// Waits for QEMU to end and gives how it did; `None` if the machine was not
    /// running.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the last console lines;
    /// [`GuestEnded`](ErrorKind::GuestEnded) if the guest has ended and QEMU goes on: at
    /// once if the console shows that a kernel which has panicked stays, or trouble that
    /// [a test has end it](Self::watch_console), or QEMU has stopped it for want of room. If only QEMU's `pvpanic` device tells of a panic, the
    /// kernel has 30 seconds to reboot, or as long as this handle waits.
    pub async fn wait_for_shutdown(&self) -> Result<Option<ExitStatus>> {
        let Some(running) = self.current() else {
            return Ok(None);
        };
        let doing = "waiting for the VM to power off";
        self.step(doing, async {
            let end = timeout(self.limit, running.qemu.exit_unless_guests_end(doing));
            let end = end.await.unwrap_or_else(|_| {
                let in_vain =
                    || self.timed_out(&running, "the VM to power off", 1, "QEMU still runs");
                Err(running
                    .qemu
                    .guests_end_until_now(doing)
                    .unwrap_or_else(in_vain))
            });
            let status = self.told(&running, end).await?;
            running.end_is_known.store(true, Ordering::Relaxed);
            Ok(Some(status))
        })
        .await
    }

    /// How QEMU ended, if it was started and has; until it is released.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.current()?.qemu.exit_status()
    }

    /// Presses Ctrl+Alt+Delete. The next operation that needs the guest's shell
    /// waits for it to be back, which takes a machine that was
    /// [started so](Self::start_allowing_reboot).
    pub async fn reboot(&self) -> Result<()> {
        self.check_conditions().await?;
        let doing = "pressing ctrl-alt-delete";
        self.step(
            doing,
            self.ask_qemu(doing, async |running| {
                // Nobody else is to talk to a shell that is going away.
                let mut shell = running.shell.lock().await;
                let pressed = running.hmp.command("sendkey ctrl-alt-delete").await;
                pressed.map_err(|source| monitor_error(doing, source))?;
                shell.disconnect();
                running.is_connected.send_replace(false);
                Ok(())
            }),
        )
        .await
    }

    /// Has systemd leave the initrd for the real root, and waits for the root
    /// shell there. Both need a backdoor.
    ///
    /// # Errors
    /// As [`wait_for_unit`](Self::wait_for_unit) for `initrd.target`;
    /// [`CommandFailed`](ErrorKind::CommandFailed) if there is nothing to leave.
    pub async fn switch_root(&self) -> Result<()> {
        self.step("switching to the real root", async {
            self.wait_for_unit("initrd.target").await?;
            let isolate = "systemctl isolate --no-block initrd-switch-root.target";
            match self.succeed(isolate).await {
                Ok(_) => self.disconnect().await?,
                // It was gone before it could answer, and the next is there already.
                Err(error) if error.is_shell_restart() => {}
                Err(error) => return Err(error),
            }
            self.connect().await
        })
        .await
    }

    /// Lets go of a guest's shell that is going away, because the guest was told to
    /// reboot, say. The next operation that needs one waits for it to be back.
    pub async fn disconnect(&self) -> Result<()> {
        self.on_qemu("letting go of the guest's shell", async |running| {
            self.turn(running).await?.disconnect();
            running.is_connected.send_replace(false);
            Ok(())
        })
        .await
    }

    /// Kills QEMU, and all that its start command has spawned, and forgets it.
    /// Does nothing if the machine was not started.
    pub fn release(&self) {
        if let Some(running) = self.current() {
            tracing::info!(
                machine = self.parts.name,
                "kill machine (pid {})",
                running.qemu.pid()
            );
            running.qemu.kill();
            self.set_current(None);
        }
    }
}

/// The words that a process was started with, as for a shell.
fn command_line(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let words = line.split_terminator('\0');
    // No word has a NUL in it.
    shlex::try_join(words).unwrap_or_default()
}
