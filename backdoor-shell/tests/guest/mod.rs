//! A bash on this host, started as in a guest.

#![allow(dead_code, reason = "each test file uses a part")]

use std::process::Stdio;

use backdoor_shell::{Event, Nonce, Request, Shell, ShellCodec};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::Join;
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio_util::codec::Framed;

pub(crate) const BACKDOOR: &str =
    "echo connecting; echo 'Spawning backdoor root shell...'; exec bash --norc";

/// The same, with an agent that treats its line as a virtio port.
pub(crate) const AT_A_PORT: &str = "echo 'Spawning backdoor root shell...'; \
     exec bash --norc < <(exec sed -u 's/ __vm_on_port= / __vm_on_port=1 /')";

pub(crate) type Line = Join<ChildStdout, ChildStdin>;

pub(crate) struct Guest {
    pub(crate) shell: Shell<Line>,
    /// The lines before the agent's answer.
    pub(crate) greeting: Vec<String>,
    /// Kills bash when dropped.
    pub(crate) process: Child,
}

/// Starts a bash, which is killed when it is dropped.
pub(crate) fn bash(arguments: &[&str]) -> (Child, Line) {
    let mut process = tokio::process::Command::new("bash")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (output, input) = (process.stdout.take(), process.stdin.take());
    let line = tokio::io::join(output.unwrap(), input.unwrap());
    (process, line)
}

/// The agent in a bash, for single requests, and its nonce.
pub(crate) async fn agent() -> (Child, Framed<Line, ShellCodec>, Nonce) {
    let (process, line) = bash(&["--norc"]);
    let mut line = Framed::new(line, ShellCodec::default());
    let nonce = Nonce::random();
    let at_port = false;
    let bootstrap = Request::Bootstrap { nonce, at_port };
    line.send(bootstrap).await.unwrap();
    assert_eq!(line.next().await.unwrap().unwrap(), Event::Ready(nonce));
    (process, line, nonce)
}

pub(crate) async fn guest(backdoor: &str) -> Guest {
    let (process, line) = bash(&["-c", backdoor]);
    let mut shell = Shell::new(line);
    let mut greeting = Vec::new();
    shell
        .connect(|line| greeting.push(line.to_owned()))
        .await
        .unwrap();
    Guest {
        shell,
        greeting,
        process,
    }
}

/// The process IDs of a process's children.
pub(crate) fn children(pid: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap()
}

pub(crate) fn signal(pid: &str, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Pseudorandom bytes.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[7]
    })
    .take(length)
    .collect()
}
