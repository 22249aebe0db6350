//! Commands in the guest's root shell.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backdoor_shell::{Command, Exit, Output, Shell};
use serial_log::Follow;
use tokio::io::AsyncWrite;
use tokio::net::UnixStream;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use crate::error::{ErrorKind, Result, tail};
use crate::guest::waiting::Look;
use crate::machine::{Machine, Running};
use crate::time_scale::scaled;
use crate::trace;

/// What the last try of a wait may take, even if less time is left: else all it
/// would show is that its time was up.
const SHORTEST_TRY: Duration = Duration::from_secs(1);

/// How much longer than that a try may take if the shell does not answer, or
/// somebody else has it.
const BUSY_LIMIT: Duration = Duration::from_secs(20);

/// How long a failed command's standard error is listened for.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// # Commands
///
/// A command is bash, run by root with `set -euo pipefail`; a `&str`, or a
/// [`Command`] with a time-out of its own. It has ended when all who
/// hold its standard output have closed it: a process left in the background
/// must be given another (`sleep 1d >&2 &`). Its standard input is empty, its
/// standard error goes to the serial console.
///
/// A machine runs one command at a time. One that others came before waits for its turn,
/// however long they take; its own time-out begins then.
impl Machine {
    /// Runs a command and gives its status and output, whatever they are.
    /// Connects first, if need be.
    ///
    /// Dropping the future ends the command before the next one is run.
    ///
    /// # Errors
    /// [`Shell`](ErrorKind::Shell) if there is no result to give, or more output than
    /// [`MAX_OUTPUT`](crate::MAX_OUTPUT).
    pub async fn execute(&self, command: impl Into<Command>) -> Result<Output> {
        self.run(command.into().map_timeout(scaled)).await
    }

    /// Runs a command whose time limit is this host's.
    pub(crate) async fn run(&self, command: Command) -> Result<Output> {
        self.in_shell(command, async |shell, command| shell.run(command).await)
            .await
    }

    /// Like [`execute`](Self::execute), but passes the output on to `writer` as
    /// it comes, in memory that does not grow with it.
    pub async fn execute_into<W>(&self, command: impl Into<Command>, writer: &mut W) -> Result<Exit>
    where
        W: AsyncWrite + Unpin,
    {
        let ran = self.run_into(command.into().map_timeout(scaled), writer);
        ran.await.map(|(exit, _)| exit)
    }

    /// The same for a command whose time limit is this host's, with how long it took from
    /// when it was its turn.
    pub(crate) async fn run_into<W>(
        &self,
        command: Command,
        writer: &mut W,
    ) -> Result<(Exit, Duration)>
    where
        W: AsyncWrite + Unpin,
    {
        let mut took = Duration::ZERO;
        let ran = self.in_shell(command, async |shell, command| {
            let turn = Instant::now();
            let exit = shell.run_into(command, writer).await?;
            took = turn.elapsed();
            // The output is the writer's alone.
            let stdout = Vec::new();
            Ok(Output { exit, stdout })
        });
        let exit = ran.await?.exit;
        Ok((exit, took))
    }

    /// Has the guest's shell do something with a command.
    async fn in_shell(
        &self,
        command: Command,
        run: impl AsyncFnOnce(&mut Shell<UnixStream>, Command) -> Result<Output, backdoor_shell::Error>,
    ) -> Result<Output> {
        let (script, start) = (command.script().to_owned(), Instant::now());
        let command = command.default_timeout(self.limit);
        self.check_conditions().await?;
        self.start_if_off().await?;
        let doing = format!("running `{script}`");
        let ran = self.with_shell(&doing, async |running, shell| {
            let result = run(shell, command).await;
            result.map_err(|source| shell_error(running, source))
        });
        let result = Box::pin(ran).await;
        let traced = match &result {
            Ok(output) => Ok((output.status(), &*output.stdout)),
            Err(error) => Err(error as &dyn Display),
        };
        trace::ran(self.name(), &script, start, traced);
        result
    }

    /// Does something with the guest's shell, when it is its turn and connected.
    pub(crate) async fn with_shell<T>(
        &self,
        doing: &str,
        run: impl AsyncFnOnce(&Running, &mut Shell<UnixStream>) -> Result<T, ErrorKind>,
    ) -> Result<T> {
        self.on_guest(doing, async |running| {
            self.with_shell_of(running, run).await
        })
        .await
    }

    /// The same on a QEMU that nobody else may have found yet.
    pub(crate) async fn with_shell_of<T>(
        &self,
        running: &Running,
        run: impl AsyncFnOnce(&Running, &mut Shell<UnixStream>) -> Result<T, ErrorKind>,
    ) -> Result<T, ErrorKind> {
        let mut shell = running.shell.lock().await;
        self.connect_shell(running, &mut shell).await?;
        let result = run(running, &mut shell).await;
        running.is_connected.send_replace(shell.is_connected());
        result
    }

    /// The guest's shell, when whoever has it is done: no longer than this handle waits.
    pub(crate) async fn turn(
        &self,
        running: &Running,
    ) -> Result<OwnedMutexGuard<Shell<UnixStream>>, ErrorKind> {
        let turn = timeout(self.limit, Arc::clone(&running.shell).lock_owned()).await;
        turn.map_err(|_| self.timed_out(running, "the guest's shell", 1, BUSY))
    }

    /// Runs a command that must succeed and gives its output. Bytes that are
    /// not UTF-8 become U+FFFD; [`execute`](Self::execute) gives the exact ones.
    ///
    /// # Errors
    /// [`CommandFailed`](ErrorKind::CommandFailed) with the last of its output.
    pub async fn succeed(&self, command: impl Into<Command>) -> Result<String> {
        let command = command.into();
        let step = format!("must succeed: {}", command.script());
        self.step(&step, async {
            self.start_if_off().await?;
            let console = self.running(&step)?.qemu.console.follow();
            let output = self.execute(command.clone()).await?;
            if output.success() {
                return Ok(output.text());
            }
            let error = self.error(ErrorKind::CommandFailed {
                command: command.script().to_owned(),
                exit: output.exit,
                output: tail(&output.stdout),
            });
            Err(error.with_evidence("on the console meanwhile", &said(console).await))
        })
        .await
    }

    /// Runs a command that must fail and gives its output. A command whose time
    /// is up has failed.
    ///
    /// # Errors
    /// [`CommandSucceeded`](ErrorKind::CommandSucceeded) with the last of its output.
    pub async fn fail(&self, command: impl Into<Command>) -> Result<String> {
        let command = command.into();
        let step = format!("must fail: {}", command.script());
        self.step(&step, async {
            let output = self.execute(command.clone()).await?;
            if !output.success() {
                return Ok(output.text());
            }
            Err(self.error(ErrorKind::CommandSucceeded {
                command: command.script().to_owned(),
                output: tail(&output.stdout),
            }))
        })
        .await
    }

    /// Repeats a command until it succeeds and gives its output. The command's
    /// time-out is that of the whole wait.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with how the last try ended.
    pub async fn wait_until_succeeds(&self, command: impl Into<Command>) -> Result<String> {
        self.repeat("success", command.into(), Output::success)
            .await
    }

    /// Repeats a command until it fails and gives its output. The command's
    /// time-out is that of the whole wait.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with how the last try ended.
    pub async fn wait_until_fails(&self, command: impl Into<Command>) -> Result<String> {
        self.repeat("failure", command.into(), |output| !output.success())
            .await
    }

    async fn repeat(
        &self,
        wanted: &str,
        command: Command,
        is_wanted: impl Fn(&Output) -> bool,
    ) -> Result<String> {
        let what = format!("{wanted} of `{}`", command.script());
        let command = command.map_timeout(scaled).default_timeout(self.limit);
        let limit = command.time_limit().unwrap_or(Duration::MAX);
        self.step(&format!("waiting for {what}"), async {
            self.connect().await?;
            let (command, is_wanted) = (&command, &is_wanted);
            let look = |left| async move {
                let Some(output) = self.look(command.script(), left).await? else {
                    return Ok(Look::NotYet(BUSY.to_owned()));
                };
                Ok(if is_wanted(&output) {
                    Look::Done(output.text())
                } else {
                    Look::NotYet(seen(&output))
                })
            };
            self.limited(limit).wait(&what, look).await
        })
        .await
    }

    /// Runs a command as one look of a wait that has so much time left. `None`
    /// if the guest's shell did not get round to it.
    pub(crate) async fn look(&self, script: &str, left: Duration) -> Result<Option<Output>> {
        let limit = left.max(SHORTEST_TRY);
        let tried = self.run(Command::new(script).timeout(limit));
        match timeout(limit.saturating_add(BUSY_LIMIT), tried).await {
            Ok(output) => output.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The same for a command that shows something only if it gets to its end: `None`
    /// if it does not.
    pub(crate) async fn look_to_the_end(
        &self,
        script: &str,
        left: Duration,
    ) -> Result<Option<Output>> {
        let looked = self.look(script, left).await?;
        Ok(looked.filter(|output| output.exit != Exit::TimedOut))
    }

    /// Waits until `test`, a bash command that is cheap to run, succeeds.
    ///
    /// It is the guest that looks, twenty times a second for a second, without
    /// starting a process for each: what happens is noticed at once.
    pub(crate) async fn wait_in_guest(&self, what: &str, test: &str, seen: &str) -> Result<()> {
        let script = format!(
            "exec {{pause}}<> <(:)
            for ((look = 0; look < 20; look++)); do
                if {test}; then exit 0; fi
                read -rt 0.05 -u $pause || :
            done
            exit 1"
        );
        self.step(&format!("waiting for {what}"), async {
            self.connect().await?;
            let script = script.as_str();
            let look = |left| async move {
                Ok(match self.look(script, left).await? {
                    Some(output) if output.success() => Look::Done(()),
                    Some(output) if output.status() == 1 => Look::StillNot(seen.to_owned()),
                    Some(output) => Look::NotYet(format!("{seen} ({})", self::seen(&output))),
                    None => Look::NotYet(BUSY.to_owned()),
                })
            };
            self.wait(what, look).await
        })
        .await
    }

    /// Sleeps for so long by the guest's clock, which may be slower than the host's: by
    /// as much as this handle waits.
    ///
    /// # Errors
    /// As [`succeed`](Self::succeed).
    pub async fn sleep(&self, duration: Duration) -> Result<()> {
        let script = format!("sleep {}", duration.as_secs_f64());
        let handle = self.limited(duration.saturating_add(self.limit));
        handle.succeed(script).await.map(drop)
    }
}

/// What a look saw that was not to be.
pub(crate) const BUSY: &str = "the guest's shell is busy, or away";

/// What a console has said since then: a command's standard error comes there, and may
/// come a moment after the command's end.
async fn said(mut console: Follow) -> String {
    let mut said = String::new();
    let listen = async {
        while let Some(more) = console.next().await {
            said.push_str(&more);
        }
    };
    let _ = timeout(LAST_WORDS, listen).await;
    said
}

/// How a try ended, in a line.
fn seen(output: &Output) -> String {
    let status = output.status();
    match tail(&output.stdout).as_slice() {
        [] => format!("exit code {status}, no output"),
        lines => format!("exit code {status}, output: {}", lines.join("\n    ")),
    }
}

pub(crate) fn shell_error(running: &Running, source: backdoor_shell::Error) -> ErrorKind {
    ErrorKind::Shell {
        source,
        console: running.qemu.last_console_lines(),
    }
}
