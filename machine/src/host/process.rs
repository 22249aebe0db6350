//! Processes that end with this one, whatever the reason.

#[expect(unsafe_code, reason = "system calls between fork and exec")]
mod supervisor;

use std::env;
use std::ffi::{CString, OsString};
use std::io::{self, Read as _};
use std::net::Shutdown;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

use crate::error::ErrorKind;

/// Time limit for the end of killed processes, in [`Process::kill`].
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// The most bytes of a process's output that an error shows.
const MAX_SHOWN: u64 = 4096;

/// The program and the arguments of a process to be spawned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CommandSpec {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
}

/// A mount that is not attached yet, and where a process sees it: at a path that is relative to
/// the directory in which it starts.
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) tree: OwnedFd,
    pub(crate) target: CString,
}

/// A start command's process, and all that it has spawned.
///
/// A supervisor process between this one and the command kills all of them when its
/// connection to this process closes: when this value is dropped, or this process ends for
/// any reason, including SIGKILL.
///
/// Dropping it [kills](Self::kill) the processes, which may block the thread for five
/// seconds.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    lifeline: UnixStream,
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// The standard streams of a spawned start command.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

impl Streams {
    /// What a process that has ended has printed on its standard error: at most 4 KiB, trimmed.
    pub(crate) async fn error_output(&mut self) -> String {
        let mut output = String::new();
        let mut stderr = (&mut self.stderr).take(MAX_SHOWN);
        let _ = stderr.read_to_string(&mut output).await;
        output.trim().to_owned()
    }
}

/// The ends of a process's standard streams that are pipes.
struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

/// The session of a process (credentials(7)).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Session {
    /// That of this process: `sudo` in a start script asks at the terminal.
    Inherited,
    /// One of its own, without a terminal.
    New,
}

/// The path of a program in `PATH`.
pub(crate) fn find_in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

impl Process {
    /// Starts the command in `dir`, with this process's environment and `env`. If there are
    /// `mounts`, it has a mount namespace of its own.
    pub(crate) fn spawn(
        spec: CommandSpec,
        dir: &Path,
        env: Vec<(OsString, OsString)>,
        mounts: Vec<Mount>,
    ) -> Result<(Self, Streams), ErrorKind> {
        let program = PathBuf::from(&spec.program);
        let mut command = Command::new(&spec.program);
        command
            .args(spec.args)
            .current_dir(dir)
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let spawned =
            Self::supervise(command, Session::Inherited, mounts).and_then(|(process, pipes)| {
                let streams = Streams {
                    stdin: pipes.stdin.ok_or_else(missing_stream)?,
                    stdout: pipes.stdout.ok_or_else(missing_stream)?,
                    stderr: pipes.stderr.ok_or_else(missing_stream)?,
                };
                Ok((process, streams))
            });
        spawned.map_err(|source| ErrorKind::Spawn { program, source })
    }

    /// Starts a command that reads and writes `socket`, and returns its standard error. It has
    /// no environment variables and no terminal.
    pub(crate) fn spawn_on(
        socket: OwnedFd,
        spec: CommandSpec,
    ) -> Result<(Self, ChildStderr), ErrorKind> {
        let program = PathBuf::from(&spec.program);
        let spawned = socket.try_clone().and_then(|output| {
            let mut command = Command::new(&spec.program);
            command
                .args(spec.args)
                .current_dir("/")
                .env_clear()
                .stdin(socket)
                .stdout(output)
                .stderr(Stdio::piped());
            let (process, pipes) = Self::supervise(command, Session::New, Vec::new())?;
            Ok((process, pipes.stderr.ok_or_else(missing_stream)?))
        });
        spawned.map_err(|source| ErrorKind::Spawn { program, source })
    }

    fn supervise(
        mut command: Command,
        session: Session,
        mounts: Vec<Mount>,
    ) -> io::Result<(Self, Pipes)> {
        let (lifeline, supervisor_end) = UnixStream::pair()?;
        supervisor::supervise(&mut command, supervisor_end.as_raw_fd(), session);
        supervisor::mount(&mut command, mounts);
        let mut supervisor = command.spawn()?;
        // The command's ends of its streams, too.
        drop((supervisor_end, command));

        let pid = read_pid(&lifeline)?;
        let pipes = Pipes {
            stdin: supervisor.stdin.take(),
            stdout: supervisor.stdout.take(),
            stderr: supervisor.stderr.take(),
        };
        let (sender, exit) = watch::channel(None);
        tokio::spawn(async move {
            // The supervisor exits with the command's status.
            if let Ok(status) = supervisor.wait().await {
                sender.send_replace(Some(status));
            }
        });
        let process = Self {
            pid,
            lifeline,
            exit,
        };
        Ok((process, pipes))
    }

    /// The start command's process id: QEMU's, because start commands `exec` it.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The exit status, once the process has ended.
    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits for the end of the process. Cancel safe.
    pub(crate) async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await.map(|status| *status) {
            Ok(Some(status)) => status,
            // The runtime is shutting down, which drops this future.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Kills the process and all that it has spawned. Does nothing if they have ended.
    ///
    /// Blocks the thread until they have ended: usually for milliseconds, at most for five
    /// seconds.
    pub(crate) fn kill(&self) {
        let ended = self
            .lifeline
            .shutdown(Shutdown::Write)
            .and_then(|()| self.lifeline.set_read_timeout(Some(KILL_LIMIT)))
            .and_then(|()| self.wait_for_supervisor());
        if let Err(error) = ended
            && error.kind() != io::ErrorKind::NotConnected
        {
            tracing::warn!(pid = self.pid, %error, "a killed process did not end");
        }
    }

    /// The supervisor's end of the lifeline closes as it exits.
    fn wait_for_supervisor(&self) -> io::Result<()> {
        loop {
            match (&self.lifeline).read(&mut [0]) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn missing_stream() -> io::Error {
    io::Error::other("a standard stream is missing")
}

fn read_pid(mut lifeline: &UnixStream) -> io::Result<u32> {
    let mut pid = [0; 4];
    lifeline.read_exact(&mut pid)?;
    Ok(u32::from_ne_bytes(pid))
}
