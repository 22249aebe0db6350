//! The gate to the guest's one root shell: callers queue for it, and the first connects it.

mod connection;
mod greeting;
mod queue;

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use backdoor_shell::{Command, Output, Session, Shell};
use tokio::net::UnixStream;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::timeout;

use self::connection::Connection;
pub(super) use self::greeting::BOOTING;
use self::queue::Queue;
use super::Guest;
use super::lifetime::Lifetime;
use crate::error::{ErrorKind, LoginError, Result};
use crate::start::serial_login::LoginState;
use crate::trace;

/// The state of a probe that the shell could not run.
pub(crate) const BUSY: &str = "the guest's shell is busy or not connected";

/// The operation of running a command, in errors.
pub(super) fn running_command(script: &str) -> String {
    format!("running `{script}`")
}

pub(crate) type GuestShell = Shell<UnixStream>;

/// The shell, its lock, and whether it is connected.
///
/// A `caller` is the handle whose time limit and polling conditions apply.
#[derive(Debug)]
pub(crate) struct ShellGate {
    lifetime: Arc<Lifetime>,
    shell: Arc<tokio::sync::Mutex<GuestShell>>,
    connection: Arc<Connection>,
    queue: Queue,
    login: watch::Sender<LoginState>,
}

impl ShellGate {
    /// The gate of a guest with this lifetime.
    pub(crate) fn new(lifetime: Arc<Lifetime>, shell: GuestShell) -> Self {
        Self {
            lifetime,
            shell: Arc::new(tokio::sync::Mutex::new(shell)),
            connection: Arc::new(Connection::new()),
            queue: Queue::new(),
            login: watch::Sender::default(),
        }
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Records how far the login on the console has come.
    pub(super) fn set_login(&self, state: LoginState) {
        self.login.send_replace(state);
    }

    pub(crate) fn login(&self) -> LoginState {
        self.login.borrow().clone()
    }

    /// Waits until the login on the console fails.
    async fn until_login_fails(&self) -> LoginError {
        let mut login = self.login.subscribe();
        loop {
            if let LoginState::Failed(error) = &*login.borrow_and_update() {
                return error.clone();
            }
            // The sender is in `self`.
            let _ = login.changed().await;
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_connected()
    }

    /// Waits until the shell is connected.
    pub(crate) async fn connected(&self) {
        self.connection.connected().await;
    }

    /// Runs a command of a test, whose time limit is scaled already, and emits its result.
    pub(super) async fn run_command(
        &self,
        caller: &Guest,
        command: Command,
        run: impl AsyncFnOnce(&mut GuestShell, Command) -> Result<Output, backdoor_shell::Error>,
    ) -> Result<Output> {
        let command = command.default_timeout(caller.limit());
        let (script, start) = (command.script().to_owned(), Instant::now());
        let doing = running_command(&script);
        let run = async |shell: &mut GuestShell| run(shell, command).await;
        let result = self.run(caller, &doing, run).await;
        let traced = match &result {
            Ok(output) => Ok((output.status(), &*output.stdout)),
            Err(error) => Err(error as &dyn Display),
        };
        trace::ran(caller.name(), &script, start, traced);
        result
    }

    /// Runs `operation` with the shell, connected; a reset of the guest ends it. Waits for
    /// the callers before, however long that takes. Checks the polling conditions before the
    /// operation, during it, and after it if it was long.
    pub(crate) async fn run<T>(
        &self,
        caller: &Guest,
        doing: &str,
        operation: impl AsyncFnOnce(&mut GuestShell) -> Result<T, backdoor_shell::Error>,
    ) -> Result<T> {
        caller.require_shell(doing)?;
        caller.check_conditions().await?;
        let start = tokio::time::Instant::now();
        let result = Box::pin(self.run_locked(caller, doing, operation)).await?;
        caller.check_conditions_after(start).await?;
        Ok(result)
    }

    async fn run_locked<T>(
        &self,
        caller: &Guest,
        doing: &str,
        operation: impl AsyncFnOnce(&mut GuestShell) -> Result<T, backdoor_shell::Error>,
    ) -> Result<T> {
        let lock = async { Ok(self.lock_shell().await) };
        let mut lock = caller.until_guest_end(&self.lifetime, doing, lock).await?;
        self.connect_in(&mut lock, caller, doing).await?;
        let ShellLock { shell, connection } = &mut lock;
        let run = async {
            tokio::select! {
                biased;
                result = operation(shell) => {
                    if matches!(result, Err(backdoor_shell::Error::Restarted { .. })) {
                        connection.record_greeting();
                    }
                    result.map_err(|source| self.lifetime.shell_error(source))
                }
                () = connection.until_reset() => Err(self.lifetime.reset_error(doing)),
            }
        };
        caller.until_guest_end(&self.lifetime, doing, run).await
    }

    /// Connects the shell, unless it is connected, busy or not.
    pub(super) async fn connect(&self, caller: &Guest) -> Result<()> {
        tokio::select! {
            biased;
            () = self.connection.connected() => Ok(()),
            lock = self.lock_shell_in_time(caller, BOOTING) => {
                self.connect_in(&mut lock?, caller, BOOTING).await
            }
        }
    }

    /// Disconnects the shell, which is about to end.
    pub(super) async fn disconnect(&self, caller: &Guest, doing: &str) -> Result<()> {
        let mut lock = self.lock_shell_in_time(caller, doing).await?;
        lock.shell.disconnect();
        Ok(())
    }

    /// Runs `operation`, which makes the shell end, while no command uses it; then
    /// disconnects it.
    pub(crate) async fn disconnect_after(
        &self,
        caller: &Guest,
        doing: &str,
        operation: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let mut lock = self.hold(caller, doing).await?;
        operation.await?;
        lock.shell.disconnect();
        Ok(())
    }

    /// Suspends the shell of a guest that is about to be saved, if it has one. No command is
    /// run until the lock is dropped.
    pub(crate) async fn suspend(&self, caller: &Guest) -> Result<(ShellLock, Option<Session>)> {
        let doing = "suspending the guest's shell";
        if !caller.has_shell() {
            return Ok((self.hold(caller, doing).await?, None));
        }
        let mut lock = self.lock_shell_in_time(caller, doing).await?;
        let suspended = async {
            let session = lock.shell.suspend().await;
            session.map_err(|source| self.lifetime.shell_error(source))
        };
        let suspended = caller.until_guest_end(&self.lifetime, doing, suspended);
        let session = suspended.await?;
        Ok((lock, Some(session)))
    }

    /// Resumes the shell of a guest that continues from a saved state in another process.
    pub(crate) async fn resume(&self, session: Session) {
        self.lock_shell().await.shell.resume(session);
    }

    /// Waits until no command uses the shell, even if the guest is dead, to
    /// [rewind](ShellLock::rewind) it.
    pub(crate) async fn hold(&self, caller: &Guest, doing: &str) -> Result<ShellLock> {
        let lock = self.lock_shell_within(caller.limit());
        caller.until_exit(&self.lifetime, doing, lock).await
    }

    /// Whether a shell that is connected answers in time, once no command uses it.
    pub(crate) async fn answers(&self, limit: Duration) -> bool {
        let mut lock = self.lock_shell().await;
        let command = Command::new(":").timeout(limit);
        lock.shell.is_connected() && lock.shell.run(command).await.is_ok()
    }

    /// The guest was reset at this time. A shell that was connected later is that of the new
    /// boot, even if this report comes last.
    pub(crate) fn reset(&self, time: SystemTime) {
        self.connection.record_reset(time);
    }

    /// Waits until the guest was reset after this time.
    pub(crate) async fn reset_after(&self, time: SystemTime) {
        self.connection.reset_after(time).await;
    }

    /// Waits for the shell, no longer than the caller waits.
    async fn lock_shell_in_time(&self, caller: &Guest, doing: &str) -> Result<ShellLock> {
        let lock = self.lock_shell_within(caller.limit());
        caller.until_guest_end(&self.lifetime, doing, lock).await
    }

    async fn lock_shell_within(&self, limit: Duration) -> Result<ShellLock, ErrorKind> {
        let lock = timeout(limit, self.lock_shell()).await;
        lock.map_err(|_| {
            let what = "the guest's shell";
            self.lifetime.timed_out(limit, what, 1, BUSY)
        })
    }

    /// Waits for the shell, however long it takes.
    async fn lock_shell(&self) -> ShellLock {
        let shell = if let Ok(shell) = Arc::clone(&self.shell).try_lock_owned() {
            shell
        } else {
            let _waiting = self.queue.join();
            Arc::clone(&self.shell).lock_owned().await
        };
        let connection = Arc::clone(&self.connection);
        let mut lock = ShellLock { shell, connection };
        if lock.connection.was_reset() {
            lock.shell.disconnect();
        }
        lock
    }
}

/// The lock of the shell: until it is dropped, no other caller uses the shell.
pub(crate) struct ShellLock {
    shell: OwnedMutexGuard<GuestShell>,
    connection: Arc<Connection>,
}

impl ShellLock {
    /// Resumes the shell of a guest that was restored.
    pub(crate) fn rewind(&mut self, session: Session) {
        self.shell.rewind(session);
        self.connection.record_greeting();
    }

    fn publish(&self) {
        self.connection.publish(self.shell.is_connected());
    }
}

impl Drop for ShellLock {
    fn drop(&mut self) {
        self.publish();
    }
}
