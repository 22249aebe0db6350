//! Polling in the guest: a loop in one running command, so that a probe costs no round trip.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use backdoor_shell::{Command, Exit, Output};
use tokio::time::timeout;

use super::script::Script;
use super::shell_gate::{BUSY, GuestShell, running_command};
use super::waiting::{Probe, pause};
use super::{Guest, Running};
use crate::error::{Result, tail};
use crate::sync::Mutex;
use crate::trace;

/// The loop.
const POLL: &str = include_str!("poll.sh");

/// A function that sleeps.
pub(super) const PAUSE: &str = include_str!("pause.sh");

/// How long the loop runs at a time, unless another caller needs the shell.
const TURN: Duration = Duration::from_secs(10);

/// How long a command of a test is repeated at a time: it can't be interrupted.
const COMMAND_TURN: Duration = Duration::from_secs(2);

/// How long the loop runs, without an interruption, while several callers need the shell,
/// so that each completes a probe.
const SHARED_TURN: Duration = Duration::from_secs(1);

/// For how long the turns are short after a caller had to queue for the shell.
const SHARED: Duration = Duration::from_secs(3);

/// How long it runs although another caller needs the shell.
const LEAST_TURN: Duration = Duration::from_millis(250);

/// The least time for a try: with less, it could only time out.
pub(super) const SHORTEST_TRY: Duration = Duration::from_secs(1);

/// How much longer a try may take if the shell does not answer, or is in use.
pub(super) const BUSY_LIMIT: Duration = Duration::from_secs(20);

/// The unit of processor times in `/proc`.
const TICK: Duration = Duration::from_millis(10);

/// A loop in the guest.
pub(crate) struct Polling {
    /// The operation it belongs to, for errors.
    doing: String,
    /// A script that defines the function `probe`.
    script: String,
    /// The command that is traced, with the output and the status of its last run.
    traced: Option<String>,
    /// Whether the loop can be ended at any time.
    is_interruptible: bool,
    changes: Option<Changes>,
}

/// What a loop compares, to go on until it finds something else.
struct Changes {
    last_seen: Mutex<Vec<u8>>,
    /// The part of the output that is compared.
    part: fn(&[u8]) -> &[u8],
}

/// What the last probe of a loop has found.
pub(crate) struct Found {
    /// Whether it has succeeded.
    pub(crate) is_ready: bool,
    /// Its output, and the status that it has set.
    pub(crate) output: Output,
    probes: u32,
    cost: Duration,
}

impl Polling {
    /// A loop over the function `probe` that `script` defines, which has no effects.
    pub(super) fn new(script: Script<'_>) -> Self {
        Self {
            doing: script.doing().to_owned(),
            script: script.append(PAUSE).append(POLL).into_text(),
            traced: None,
            is_interruptible: true,
            changes: None,
        }
    }

    /// The same for a `probe` that succeeds if `part` of its output is not `$last_seen`: what
    /// it was when it last succeeded.
    pub(super) fn for_changes(script: Script<'_>, part: fn(&[u8]) -> &[u8]) -> Self {
        let last_seen = Mutex::default();
        Self {
            changes: Some(Changes { last_seen, part }),
            ..Self::new(script)
        }
    }

    /// The same for a `probe` that runs a command of a test: it is not interrupted.
    pub(super) fn of_command(script: Script<'_>, command: &str) -> Self {
        Self {
            traced: Some(command.to_owned()),
            is_interruptible: false,
            ..Self::new(script)
        }
    }

    /// The script for a turn of this length.
    fn script(&self, guest: &Guest, turn: Duration) -> Result<String> {
        let hundredths = (turn.as_millis() / 10).to_string();
        let script = guest.script(&self.doing);
        let mut script = script.set("__vm_turn", &hundredths)?.into_text();
        if let Some(changes) = &self.changes {
            // What a guest prints may be in any encoding.
            let seen = changes.last_seen.lock();
            let _ = writeln!(script, "last_seen=$'{}'", seen.escape_ascii());
        }
        Ok(script + &self.script)
    }

    /// Keeps what has changed.
    fn record(&self, found: &Found) {
        if let Some(Changes { last_seen, part }) = &self.changes
            && found.is_ready
        {
            *last_seen.lock() = part(&found.output.stdout).to_vec();
        }
    }
}

impl Guest {
    /// Connects, and polls in the guest until `read` is ready. It is passed what the last
    /// probe of each turn has found, and the time that is left.
    pub(crate) async fn wait_polling<T, F>(
        &self,
        what: &str,
        polling: &Polling,
        read: impl Fn(Found, Duration) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<Probe<T>>>,
    {
        self.connect().await?;
        let read = &read;
        let probe = |left| self.poll(polling, left, move |found| read(found, left));
        self.wait(what, probe).await
    }

    /// Polls in the guest until a probe succeeds, or for a while: until another caller needs
    /// the shell, such as a polling condition. `read` is passed what the last probe has
    /// found.
    pub(super) async fn poll<T, F>(
        &self,
        polling: &Polling,
        left: Duration,
        read: impl FnOnce(Found) -> F,
    ) -> Result<Probe<T>>
    where
        F: Future<Output = Result<Probe<T>>>,
    {
        let running = self.started(&polling.doing).await?;
        let is_shared = running.gate.queue().was_needed_within(SHARED);
        let turn = match polling.is_interruptible {
            true if is_shared => SHARED_TURN,
            true => TURN,
            false => self
                .conditions_interval()
                .map_or(COMMAND_TURN, |it| it.min(COMMAND_TURN)),
        };
        let turn = turn.min(left);
        let is_interruptible = polling.is_interruptible && !is_shared;
        // A try that hangs must not use up the wait.
        let longest_try = (self.limit / 2).min(left).max(SHORTEST_TRY);
        let script = polling.script(self, turn)?;
        let command = Command::new(script).timeout(turn.saturating_add(longest_try));
        let Some(output) = self
            .run_turn(polling, &running, is_interruptible, command)
            .await?
        else {
            return Ok(Probe::Unknown(BUSY.to_owned()));
        };
        if !matches!(output.exit, Exit::Status(_)) {
            let reason = format!("it did not end within {longest_try:?}, and was ended");
            return Ok(Probe::Hung(reason));
        }
        let Some(found) = Found::parse(&output.stdout) else {
            return Ok(Probe::Pending(result_line(&output)));
        };
        polling.record(&found);
        let (probes, cost) = (found.probes, found.cost);
        Ok(match read(found).await? {
            Probe::Pending(seen) => Probe::Polled { seen, probes, cost },
            other => other,
        })
    }

    /// Runs the loop. `None` if the shell is not available, or is needed by another caller.
    async fn run_turn(
        &self,
        polling: &Polling,
        running: &Running,
        is_interruptible: bool,
        command: Command,
    ) -> Result<Option<Output>> {
        let limit = command.time_limit().unwrap_or(Duration::MAX);
        let start = Instant::now();
        let doing = match &polling.traced {
            Some(command) => running_command(command),
            None => polling.doing.clone(),
        };
        let run = async |shell: &mut GuestShell| shell.run(command).await;
        let ran = running.gate.run(self, &doing, run);
        let ran = timeout(limit.saturating_add(BUSY_LIMIT), ran);
        let interrupted = async {
            if !is_interruptible {
                std::future::pending::<()>().await;
            }
            pause(LEAST_TURN).await;
            running.gate.queue().is_needed().await;
        };
        tokio::select! {
            biased;
            ran = ran => {
                let Ok(output) = ran else { return Ok(None) };
                let output = output?;
                if let Some(command) = &polling.traced {
                    let shown = Found::parse(&output.stdout);
                    let shown = shown.as_ref().map_or(&output, |found| &found.output);
                    trace::ran(self.name(), command, start, Ok((shown.status(), &shown.stdout)));
                }
                Ok(Some(output))
            }
            () = interrupted => Ok(None),
        }
    }
}

impl Found {
    /// Parses what the loop has printed.
    fn parse(stdout: &[u8]) -> Option<Self> {
        let end = stdout.iter().rposition(|&byte| byte == b'\n')?;
        let (output, line) = stdout.split_at(end);
        let line = std::str::from_utf8(line).ok()?;
        let numbers: Vec<u32> = line
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        let &[used, probes, found, status] = numbers.as_slice() else {
            return None;
        };
        Some(Self {
            is_ready: found == 0,
            output: Output {
                exit: Exit::Status(status.try_into().ok()?),
                stdout: output.to_vec(),
            },
            probes,
            cost: TICK * used,
        })
    }
}

/// The result of a try, in a line.
pub(super) fn result_line(output: &Output) -> String {
    let status = output.status();
    match tail(&output.stdout).as_slice() {
        [] => format!("exit code {status}, no output"),
        lines => format!("exit code {status}, output: {}", lines.join("\n    ")),
    }
}

#[cfg(test)]
mod tests;
