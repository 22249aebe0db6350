//! Commands in the guest's root shell.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backdoor_shell::{Command, Exit, Output};
use futures_util::StreamExt as _;
use serial_log::Follow;
use tokio::io::AsyncWrite;
use tokio::time::timeout;

use super::Guest;
use super::poll::{BUSY_LIMIT, Polling, SHORTEST_TRY, result_line};
use super::script::Script;
use super::shell_gate::{GuestShell, running_command};
use super::waiting::Probe;
use crate::error::{ErrorKind, Result, tail};
use crate::time_scale::scaled;

/// How long to wait for the standard error of a command that has failed.
const STDERR_DELAY: Duration = Duration::from_millis(100);

/// Runs a command as a probe.
const REPEAT: &str = include_str!("repeat.sh");

/// # Commands
///
/// A command is bash, run by root with `set -euo pipefail`: a `&str`, or a
/// [`Command`] with a time-out of its own. It has ended when every process that holds its
/// standard output has closed it: a process left in the background must be given another
/// (`sleep 1d >&2 &`). Its standard input is empty, its standard error goes to the serial
/// console.
///
/// A guest runs one command at a time. The others queue, however long that takes; the
/// time-out of each starts when it does.
impl Guest {
    /// Runs a command and returns its status and output, whatever they are.
    /// Connects first, if necessary.
    ///
    /// # Errors
    /// [`Shell`](ErrorKind::Shell) if there is no result, or more output than
    /// [`MAX_OUTPUT`](crate::MAX_OUTPUT).
    ///
    /// # Cancellation
    /// Dropping the future ends the command before the next one is run.
    pub async fn execute(&self, command: impl Into<Command>) -> Result<Output> {
        self.run(command.into().map_timeout(scaled)).await
    }

    /// Runs a command whose time limit is scaled already.
    async fn run(&self, command: Command) -> Result<Output> {
        let running = self.started(&running_command(command.script())).await?;
        let run = async |shell: &mut GuestShell, command| shell.run(command).await;
        running.gate.run_command(self, command, run).await
    }

    /// Like [`execute`](Self::execute), but passes the output to `writer` as it arrives,
    /// in bounded memory.
    ///
    /// # Cancellation
    /// As [`execute`](Self::execute); `writer` may have got part of the output.
    pub async fn execute_into<W>(&self, command: impl Into<Command>, writer: &mut W) -> Result<Exit>
    where
        W: AsyncWrite + Unpin,
    {
        let ran = self.run_into(command.into().map_timeout(scaled), writer);
        ran.await.map(|(exit, _)| exit)
    }

    /// The same for a command whose time limit is scaled already. Returns also how long it
    /// ran, without its time in the queue.
    pub(super) async fn run_into<W>(
        &self,
        command: Command,
        writer: &mut W,
    ) -> Result<(Exit, Duration)>
    where
        W: AsyncWrite + Unpin,
    {
        let mut took = Duration::ZERO;
        let running = self.started(&running_command(command.script())).await?;
        let run = async |shell: &mut GuestShell, command| {
            let start = Instant::now();
            let exit = shell.run_into(command, writer).await?;
            took = start.elapsed();
            let stdout = Vec::new();
            Ok(Output { exit, stdout })
        };
        let output = running.gate.run_command(self, command, run).await?;
        Ok((output.exit, took))
    }

    /// Runs a command that must succeed and returns its output. Bytes that are
    /// not UTF-8 become U+FFFD; [`execute`](Self::execute) returns the exact ones.
    ///
    /// # Errors
    /// [`CommandFailed`](ErrorKind::CommandFailed) with the end of its output.
    pub async fn succeed(&self, command: impl Into<Command>) -> Result<String> {
        let command = command.into().map_timeout(scaled);
        let script = command.script().to_owned();
        let step = format!("must succeed: {script}");
        self.step(&step, async {
            let running = self.started(&step).await?;
            let console = running.lifetime.console.follow();
            let run = async |shell: &mut GuestShell, command| shell.run(command).await;
            let output = running.gate.run_command(self, command, run).await?;
            if output.success() {
                return Ok(output.text());
            }
            let error = self.command_failed(&script, &output);
            let shown = shown_on(console).await;
            let shown = serial_log::visible(&shown);
            Err(error.with_evidence("on the console meanwhile", &shown))
        })
        .await
    }

    /// Runs a command that must fail and returns its output. A command that timed out
    /// has failed.
    ///
    /// # Errors
    /// [`CommandSucceeded`](ErrorKind::CommandSucceeded) with the end of its output.
    pub async fn fail(&self, command: impl Into<Command>) -> Result<String> {
        let command = command.into();
        let script = command.script().to_owned();
        let step = format!("must fail: {script}");
        self.step(&step, async {
            let output = self.execute(command).await?;
            if !output.success() {
                return Ok(output.text());
            }
            Err(self.error(ErrorKind::CommandSucceeded {
                command: script,
                output: tail(&output.stdout),
            }))
        })
        .await
    }

    /// Repeats a command until it succeeds and returns its output, without NUL bytes. The
    /// command's time-out is that of the whole wait.
    ///
    /// A try that takes longer than about half of that time is ended, and the command is tried
    /// again.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the result of the last try.
    pub async fn wait_until_succeeds(&self, command: impl Into<Command>) -> Result<String> {
        self.repeat(command.into(), true).await
    }

    /// Repeats a command until it fails and returns its output, without NUL bytes. The
    /// command's time-out is that of the whole wait.
    ///
    /// A try that takes longer than about half of that time is ended, and the command is tried
    /// again. It has failed if that happens twice.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the result of the last try.
    pub async fn wait_until_fails(&self, command: impl Into<Command>) -> Result<String> {
        self.repeat(command.into(), false).await
    }

    async fn repeat(&self, command: Command, success: bool) -> Result<String> {
        let wanted = if success { "success" } else { "failure" };
        let what = format!("{wanted} of `{}`", command.script());
        let command = command.map_timeout(scaled).default_timeout(self.limit);
        let handle = &self.limited(command.time_limit().unwrap_or(Duration::MAX));
        let script = self
            .script("running a command")
            .set("__vm_command", command.script())?
            .set("__vm_wanted", wanted)?;
        let polling = &Polling::of_command(script.append(REPEAT), command.script());
        let has_hung = &AtomicBool::new(false);
        self.step(&format!("waiting for {what}"), async {
            self.connect().await?;
            let probe = |left| async move {
                let probe = handle.poll(polling, left, async |found| {
                    Ok(if found.is_ready {
                        Probe::Ready(found.output.text())
                    } else {
                        Probe::Pending(result_line(&found.output))
                    })
                });
                Ok(match probe.await? {
                    Probe::Hung(_) if !success && has_hung.swap(true, Ordering::Relaxed) => {
                        Probe::Ready(String::new())
                    }
                    probe => probe,
                })
            };
            handle.wait(&what, probe).await
        })
        .await
    }

    /// Runs a command as a probe of a wait that has this much time left. `None` if the
    /// shell was not available.
    pub(crate) async fn probe(&self, script: &str, left: Duration) -> Result<Option<Output>> {
        let limit = left.max(SHORTEST_TRY);
        let tried = self.run(Command::new(script).timeout(limit));
        match timeout(limit.saturating_add(BUSY_LIMIT), tried).await {
            Ok(output) => output.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The same for a command whose output counts only if it is complete: `None` if it
    /// timed out.
    pub(crate) async fn probe_to_the_end(
        &self,
        script: &str,
        left: Duration,
    ) -> Result<Option<Output>> {
        let output = self.probe(script, left).await?;
        Ok(output.filter(|output| !output.exit.is_timeout()))
    }

    /// Waits until the function `probe` that `script` defines succeeds: see
    /// [`poll`](Self::poll). The state until then is the output that `probe` sets, or `seen`.
    pub(super) async fn wait_in_guest(
        &self,
        what: &str,
        script: Script<'_>,
        seen: &str,
    ) -> Result<()> {
        let polling = &Polling::new(script);
        self.step(&format!("waiting for {what}"), async {
            self.wait_polling(what, polling, async |found, _| {
                if found.is_ready {
                    return Ok(Probe::Ready(()));
                }
                let text = found.output.text();
                let stated = text.lines().next_back().filter(|line| !line.is_empty());
                Ok(Probe::Pending(stated.unwrap_or(seen).to_owned()))
            })
            .await
        })
        .await
    }

    /// Runs a script that is no step of a test: it is not traced, and no polling
    /// condition is checked. Returns its output.
    pub(crate) async fn run_untraced(
        &self,
        running: &super::Running,
        script: String,
    ) -> Result<String> {
        let command = Command::new(script.as_str()).timeout(self.limit);
        let doing = "preparing the guest";
        let run = async |shell: &mut GuestShell| shell.run(command).await;
        let output = running.gate.run(&self.unchecked(), doing, run).await?;
        if output.success() {
            return Ok(output.text());
        }
        Err(self.command_failed(&script, &output))
    }

    pub(crate) fn command_failed(&self, command: &str, output: &Output) -> crate::error::Error {
        self.error(ErrorKind::CommandFailed {
            command: command.to_owned(),
            exit: output.exit.clone(),
            output: tail(&output.stdout),
        })
    }
}

/// What the console has shown: a command's standard error, which may arrive shortly
/// after the command's end.
async fn shown_on(mut console: Follow) -> String {
    let mut text = String::new();
    let read = async {
        while let Some(more) = console.next().await {
            text.push_str(&more);
        }
    };
    let _ = timeout(STDERR_DELAY, read).await;
    text
}
