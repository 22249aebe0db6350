//! Processes that end with this one, whatever the reason.

#[expect(unsafe_code, reason = "system calls between fork and exec")]
mod supervisor;

use std::env;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::net::Shutdown;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

use crate::error::ErrorKind;

/// Time limit for the end of killed processes, in [`Process::kill`].
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// The program and the arguments of a process to be spawned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CommandSpec {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
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

/// The path of a program in `PATH`.
pub(crate) fn find_in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

impl Process {
    /// Starts the command in `dir`, with this process's environment and `env`.
    pub(crate) fn spawn(
        spec: CommandSpec,
        dir: &Path,
        env: Vec<(OsString, OsString)>,
    ) -> Result<(Self, Streams), ErrorKind> {
        let program = PathBuf::from(&spec.program);
        let spawn_error = |source| ErrorKind::Spawn {
            program: program.clone(),
            source,
        };
        let (lifeline, supervisor_end) = UnixStream::pair().map_err(&spawn_error)?;

        let mut command = Command::new(&spec.program);
        command
            .args(spec.args)
            .current_dir(dir)
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        supervisor::supervise(&mut command, supervisor_end.as_raw_fd());
        let mut supervisor = command.spawn().map_err(&spawn_error)?;
        drop(supervisor_end);

        let pid = read_pid(&lifeline).map_err(&spawn_error)?;
        let missing = || spawn_error(io::Error::other("a standard stream is missing"));
        let streams = Streams {
            stdin: supervisor.stdin.take().ok_or_else(missing)?,
            stdout: supervisor.stdout.take().ok_or_else(missing)?,
            stderr: supervisor.stderr.take().ok_or_else(missing)?,
        };

        let (sender, exit) = watch::channel(None);
        tokio::spawn(async move {
            // The supervisor exits with the command's status.
            if let Ok(status) = supervisor.wait().await {
                sender.send_replace(Some(status));
            }
        });
        Ok((
            Self {
                pid,
                lifeline,
                exit,
            },
            streams,
        ))
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

fn read_pid(mut lifeline: &UnixStream) -> io::Result<u32> {
    let mut pid = [0; 4];
    lifeline.read_exact(&mut pid)?;
    Ok(u32::from_ne_bytes(pid))
}
