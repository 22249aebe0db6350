//! A bash on this host, started as in a guest.

#![allow(dead_code, reason = "each test file uses a part")]

use std::process::Stdio;

use backdoor_shell::Shell;
use tokio::io::Join;
use tokio::process::{Child, ChildStdin, ChildStdout};

pub(crate) const BACKDOOR: &str =
    "echo connecting; echo 'Spawning backdoor root shell...'; exec bash --norc";

/// The same, with an agent that treats its line as a virtio port.
pub(crate) const AT_A_PORT: &str = "echo 'Spawning backdoor root shell...'; \
     exec bash --norc < <(exec sed -u 's/ __vm_on_port= / __vm_on_port=1 /')";

pub(crate) struct Guest {
    pub(crate) shell: Shell<Join<ChildStdout, ChildStdin>>,
    /// The lines before the agent's answer.
    pub(crate) greeting: Vec<String>,
    /// Kills bash when dropped.
    pub(crate) process: Child,
}

pub(crate) async fn guest(backdoor: &str) -> Guest {
    let mut process = tokio::process::Command::new("bash")
        .args(["-c", backdoor])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let line = tokio::io::join(
        process.stdout.take().unwrap(),
        process.stdin.take().unwrap(),
    );
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
