//! The container's root shell: a service that a process in the container starts.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backdoor_shell::Shell;
use serial_log::SerialLog;
use tokio::net::UnixStream;

use crate::error::ErrorKind;
use crate::guest::shell_gate::GuestShell;
use crate::guest::waiting::pause;
use crate::host::leader::Leader;
use crate::host::process::{CommandSpec, Process};
use crate::time_scale::scaled;

const ENTER: &str = include_str!("enter.sh");
const SHELL: &str = include_str!("shell.sh");

/// How often a shell that ends at once is started again.
const RESTART_INTERVAL: Duration = Duration::from_secs(1);

/// If so many shells of a boot have ended at once, there is probably none that does not.
const FAILURES: u32 = 3;

/// The container's end of the shell's connection. As at a virtio port, the connection survives
/// the shell: the next one greets on it.
#[derive(Debug)]
pub(super) struct ShellEnd {
    port: OwnedFd,
    /// The protocol's console, on which nothing is sent.
    _console: StdStream,
}

/// A shell's connection: its client, and the container's end.
pub(super) fn connection() -> io::Result<(GuestShell, ShellEnd)> {
    let (console, console_end) = StdStream::pair()?;
    let (port, port_end) = StdStream::pair()?;
    let [console, port] = [console, port].map(|stream| {
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    });
    let shell = Shell::new(console?).with_port(port?);
    let end = ShellEnd {
        port: port_end.into(),
        _console: console_end,
    };
    Ok((shell, end))
}

impl ShellEnd {
    /// Runs a root shell in the container, and another whenever it ends, for as long as the
    /// container runs. Dropping the future kills the shell.
    pub(super) async fn run(self: Arc<Self>, machine: String, leader: Arc<Leader>) {
        let (mut ended, mut has_lasted) = (0, false);
        while leader.is_alive() {
            let start = Instant::now();
            match self.spawn(&machine, &leader) {
                Ok(shell) => {
                    let status = shell.exited().await;
                    ended += 1;
                    has_lasted |= start.elapsed() >= scaled(RESTART_INTERVAL);
                    if ended == FAILURES && !has_lasted {
                        tracing::warn!(
                            machine,
                            "its root shell ends at once, with {status}: see its console, and \
                             /etc/profile in it"
                        );
                    }
                }
                Err(error) => tracing::warn!(machine, "the root shell does not start: {error}"),
            }
            pause(RESTART_INTERVAL.saturating_sub(start.elapsed())).await;
        }
    }

    fn spawn(&self, machine: &str, leader: &Leader) -> Result<Process, ErrorKind> {
        let shell = leader.inside(CommandSpec {
            program: "/bin/sh".into(),
            args: ["-c", ENTER, "enter.sh", SHELL].map(Into::into).to_vec(),
        });
        let port = self.port.try_clone().map_err(|source| ErrorKind::Spawn {
            program: shell.program.clone().into(),
            source,
        })?;
        let (process, stderr) = Process::spawn_on(port, shell)?;
        let machine = machine.to_owned();
        // The log's task reads until the shell has opened the container's console instead.
        drop(
            SerialLog::builder()
                .on_line(move |line| {
                    let line = serial_log::printable(line);
                    tracing::warn!(machine, "the root shell printed: {line}");
                })
                .start(stderr),
        );
        Ok(process)
    }
}
