//! The gate to the guest's one root shell: callers queue for it, and the first connects it.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use backdoor_shell::{Command, Output, Session, Shell};
use tokio::net::UnixStream;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::timeout;

use super::{Guest, Running};
use crate::error::{ErrorKind, Result};
use crate::sync::Mutex;
use crate::trace;

/// How often a guest that does not boot is mentioned.
const BOOT_REMINDER: Duration = Duration::from_secs(30);

/// What is being waited for while the shell is not connected.
const BOOTING: &str = "waiting for the VM to finish booting";

/// The state of a probe that the shell could not run.
pub(crate) const BUSY: &str = "the guest's shell is busy or not connected";

/// The operation of running a command, in errors.
pub(super) fn running_command(script: &str) -> String {
    format!("running `{script}`")
}

pub(crate) type GuestShell = Shell<UnixStream>;

/// The shell, its lock, and whether it is connected.
#[derive(Debug)]
pub(crate) struct ShellGate {
    shell: Arc<tokio::sync::Mutex<GuestShell>>,
    state: Arc<State>,
    /// How many callers queue for the lock.
    queue: watch::Sender<usize>,
    /// When a caller last had to queue.
    needed: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct State {
    /// Whether the shell was connected when its lock was last released.
    is_connected: watch::Sender<bool>,
    /// When the shell last greeted or was connected. Times are those of the host's clock.
    greeted: Mutex<SystemTime>,
    /// When the guest was last reset, which ends its shell.
    reset: watch::Sender<SystemTime>,
}

impl ShellGate {
    pub(crate) fn new(shell: GuestShell) -> Self {
        Self {
            shell: Arc::new(tokio::sync::Mutex::new(shell)),
            state: Arc::new(State {
                is_connected: watch::Sender::new(false),
                greeted: Mutex::new(UNIX_EPOCH),
                reset: watch::Sender::new(UNIX_EPOCH),
            }),
            queue: watch::Sender::new(0),
            needed: Mutex::new(None),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        *self.state.is_connected.borrow()
    }

    /// Waits until another caller has connected the shell.
    async fn connected(&self) {
        let mut news = self.state.is_connected.subscribe();
        // The sender is in `self`.
        let _ = news.wait_for(|is_connected| *is_connected).await;
    }

    /// The guest was reset at this time. A shell that was connected later is that of the new
    /// boot, even if this report comes last.
    pub(crate) fn reset(&self, time: SystemTime) {
        let State {
            is_connected,
            reset,
            ..
        } = &*self.state;
        reset.send_replace(time);
        if self.state.was_reset() {
            is_connected.send_replace(false);
        }
    }

    /// Waits until the guest was reset after this time.
    pub(crate) async fn reset_after(&self, time: SystemTime) {
        let mut reset = self.state.reset.subscribe();
        // The sender is in `self`.
        let _ = reset.wait_for(|reset| *reset > time).await;
    }

    /// Waits until a caller queues for the lock.
    pub(super) async fn is_needed(&self) {
        let mut queue = self.queue.subscribe();
        // The sender is in `self`.
        let _ = queue.wait_for(|length| *length > 0).await;
    }

    /// Whether a caller had to queue within this time.
    pub(super) fn was_needed_within(&self, time: Duration) -> bool {
        let needed = *self.needed.lock();
        needed.is_some_and(|needed| needed.elapsed() < time)
    }

    /// Locks the shell for as long as it takes.
    pub(crate) async fn lock(&self) -> ShellGuard {
        let shell = if let Ok(shell) = Arc::clone(&self.shell).try_lock_owned() {
            shell
        } else {
            *self.needed.lock() = Some(Instant::now());
            let _place = Place::in_queue(&self.queue);
            Arc::clone(&self.shell).lock_owned().await
        };
        let mut guard = ShellGuard {
            shell,
            state: Arc::clone(&self.state),
        };
        if guard.state.was_reset() {
            guard.shell.disconnect();
        }
        guard
    }
}

impl State {
    fn greets(&self) {
        *self.greeted.lock() = SystemTime::now();
    }

    /// Whether the guest was reset since its shell greeted.
    fn was_reset(&self) -> bool {
        *self.reset.borrow() > *self.greeted.lock()
    }

    /// Waits for that.
    async fn until_reset(&self) {
        let mut reset = self.reset.subscribe();
        // The sender is in `self`.
        let _ = reset.wait_for(|reset| *reset > *self.greeted.lock()).await;
    }
}

/// A caller's place in the queue.
struct Place<'a>(&'a watch::Sender<usize>);

impl<'a> Place<'a> {
    fn in_queue(queue: &'a watch::Sender<usize>) -> Self {
        queue.send_modify(|length| *length += 1);
        Self(queue)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|length| *length -= 1);
    }
}

/// The locked shell.
pub(crate) struct ShellGuard {
    pub(crate) shell: OwnedMutexGuard<GuestShell>,
    state: Arc<State>,
}

impl ShellGuard {
    /// Resumes the shell of a guest that was restored.
    pub(crate) fn rewind(&mut self, session: Session) {
        self.shell.rewind(session);
        self.state.greets();
    }

    /// Connects a shell that is not connected.
    async fn connect(&mut self, on_line: impl FnMut(&str)) -> Result<(), backdoor_shell::Error> {
        self.shell.connect(on_line).await?;
        self.state.greets();
        self.publish();
        Ok(())
    }

    /// Announces whether the shell is connected.
    fn publish(&self) {
        let is_connected = self.shell.is_connected() && !self.state.was_reset();
        self.state.is_connected.send_replace(is_connected);
    }
}

impl Drop for ShellGuard {
    fn drop(&mut self) {
        self.publish();
    }
}

impl Running {
    /// Locks the shell, within a time limit.
    pub(crate) async fn lock_shell(&self, limit: Duration) -> Result<ShellGuard, ErrorKind> {
        let lock = timeout(limit, self.gate.lock()).await;
        lock.map_err(|_| {
            let lifetime = &self.lifetime;
            lifetime.timed_out(limit, "the guest's shell", 1, BUSY)
        })
    }
}

impl Guest {
    /// Runs a command of a test in the guest's root shell, as [`in_shell`](Self::in_shell)
    /// does, and emits the result.
    pub(super) async fn in_traced_shell(
        &self,
        running: &Running,
        command: Command,
        run: impl AsyncFnOnce(&mut GuestShell, Command) -> Result<Output, backdoor_shell::Error>,
    ) -> Result<Output> {
        let (script, start) = (command.script().to_owned(), Instant::now());
        let doing = running_command(&script);
        let result = self.in_shell(running, &doing, command, run).await;
        let traced = match &result {
            Ok(output) => Ok((output.status(), &*output.stdout)),
            Err(error) => Err(error as &dyn Display),
        };
        trace::ran(self.name(), &script, start, traced);
        result
    }

    /// Runs a command in the guest's root shell, whose time limit is scaled already. Checks
    /// the polling conditions first, and connects the shell.
    pub(super) async fn in_shell(
        &self,
        running: &Running,
        doing: &str,
        command: Command,
        run: impl AsyncFnOnce(&mut GuestShell, Command) -> Result<Output, backdoor_shell::Error>,
    ) -> Result<Output> {
        let command = command.default_timeout(self.limit);
        self.check_conditions().await?;
        let start = tokio::time::Instant::now();
        let ran = self.with_shell(running, doing, async |shell| run(shell, command).await);
        let output = Box::pin(ran).await?;
        self.check_conditions_after(start).await?;
        Ok(output)
    }

    /// Runs `operation` with a guest's shell, connected; a reset of the guest ends it. The
    /// guest may not be the machine's current one yet.
    pub(crate) async fn with_shell<T>(
        &self,
        running: &Running,
        doing: &str,
        operation: impl AsyncFnOnce(&mut GuestShell) -> Result<T, backdoor_shell::Error>,
    ) -> Result<T> {
        let lock = async { Ok(running.gate.lock().await) };
        let mut guard = self.until_guest_end(running, doing, lock).await?;
        self.connect_shell(running, &mut guard, doing).await?;
        let state = Arc::clone(&guard.state);
        self.until_guest_end(running, doing, async {
            tokio::select! {
                biased;
                result = operation(&mut guard.shell) => {
                    if matches!(result, Err(backdoor_shell::Error::Restarted { .. })) {
                        state.greets();
                    }
                    result.map_err(|source| running.shell_error(source))
                }
                () = state.until_reset() => Err(running.reset_error(doing)),
            }
        })
        .await
    }

    /// Locks the shell; waits no longer than this handle waits.
    pub(crate) async fn lock_shell(&self, running: &Running, doing: &str) -> Result<ShellGuard> {
        let lock = running.lock_shell(self.limit);
        self.until_guest_end(running, doing, lock).await
    }

    /// Waits for the guest to boot and its root shell to answer. Starts a machine that
    /// was not started, or was shut down or crashed on purpose. Does nothing if the shell
    /// is connected, busy or not.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the last console lines.
    pub async fn connect(&self) -> Result<()> {
        let running = self.started(BOOTING).await?;
        tokio::select! {
            biased;
            () = running.gate.connected() => Ok(()),
            guard = self.lock_shell(&running, BOOTING) => {
                self.connect_shell(&running, &mut guard?, BOOTING).await
            }
        }
    }

    /// Connects a shell that is not connected.
    pub(crate) async fn connect_shell(
        &self,
        running: &Running,
        guard: &mut ShellGuard,
        doing: &str,
    ) -> Result<()> {
        if guard.shell.is_connected() {
            return Ok(());
        }
        let greeting = self.wait_for_greeting(running, guard);
        let connected = self.until_guest_end(running, doing, greeting);
        self.step(BOOTING, connected).await
    }

    async fn wait_for_greeting(
        &self,
        running: &Running,
        guard: &mut ShellGuard,
    ) -> Result<(), ErrorKind> {
        let on_line = |line: &str| {
            let line = serial_log::printable(line);
            tracing::info!(machine = self.name(), "Guest shell printed: {line}");
        };
        let start = Instant::now();
        let mut reminders = 0;
        while start.elapsed() < self.limit {
            let left = self.limit.saturating_sub(start.elapsed());
            if let Ok(connected) = timeout(BOOT_REMINDER.min(left), guard.connect(on_line)).await {
                return connected.map_err(|source| running.shell_error(source));
            }
            reminders += 1;
            tracing::warn!(
                machine = self.name(),
                "the guest's root shell has not answered yet; see the console, \
                 and in the guest `systemctl status backdoor.service`"
            );
        }
        let seen = "no greeting from the shell";
        let lifetime = &running.lifetime;
        Err(lifetime.timed_out(self.limit, "the guest's root shell", reminders, seen))
    }

    /// Disconnects from a guest's shell that is about to end, because the guest is about
    /// to reboot, say. The next operation that needs a shell waits for the new one.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) if another command keeps the shell.
    pub async fn disconnect(&self) -> Result<()> {
        let doing = "disconnecting the guest's shell";
        let running = self.running(doing)?;
        let mut guard = self.lock_shell(&running, doing).await?;
        guard.shell.disconnect();
        Ok(())
    }
}
