//! The NixOS test driver's way to run a command and to wait, for comparison.

#![allow(dead_code, reason = "no benchmark needs all of it")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use vm_tests::start_script;

/// A machine that was started by hand.
pub(crate) struct Reference {
    shell: BufReader<UnixStream>,
    /// The lines of the serial console, and when each came.
    console: UnboundedReceiver<(Instant, String)>,
    qmp: BufReader<UnixStream>,
    /// The number of commands of the machine protocol.
    commands: u32,
    qemu: Child,
    dir: tempfile::TempDir,
}

impl Reference {
    /// Starts a machine, and waits until it has booted completely and is idle.
    pub(crate) async fn start(image: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listen = |name| UnixListener::bind(dir.path().join(name)).unwrap();
        let (shell, console, qmp) = (listen("shell"), listen("console"), listen("qmp"));
        let qemu = start(image, dir.path());
        let (console, _) = console.accept().await.unwrap();
        let mut console = BufReader::new(console).lines();
        let (sender, lines) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = console.next_line().await {
                let _ = sender.send((Instant::now(), line));
            }
        });
        let (shell, _) = shell.accept().await.unwrap();
        let (qmp, _) = qmp.accept().await.unwrap();
        let mut vm = Self {
            shell: BufReader::new(shell),
            console: lines,
            qmp: BufReader::new(qmp),
            commands: 0,
            qemu,
            dir,
        };
        vm.qmp("qmp_capabilities", json!({})).await;
        let greeting = "Spawning backdoor root shell...";
        while !line(&mut vm.shell).await.contains(greeting) {}
        vm.execute(&idle()).await;
        vm
    }

    /// Two round trips for each command, and `timeout`, `bash` and `base64` started. Returns
    /// the exit status.
    pub(crate) async fn execute(&mut self, command: &str) -> i32 {
        let command = format!("set -euo pipefail; {command}");
        let command = machine::quote(&command).unwrap();
        let run = format!("timeout 900 bash -c {command} | (base64 -w 0; echo)\n");
        self.shell.write_all(run.as_bytes()).await.unwrap();
        line(&mut self.shell).await;
        let status = b"echo ${PIPESTATUS[0]}\n";
        self.shell.write_all(status).await.unwrap();
        line(&mut self.shell).await.trim().parse().unwrap()
    }

    /// Waits in the reference's way until a command succeeds: it pauses for a second.
    pub(crate) async fn retry(&mut self, command: &str) {
        while self.execute(command).await != 0 {
            #[expect(clippy::disallowed_methods, reason = "the reference does it")]
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// When the console showed a line that contains `text`.
    pub(crate) async fn shown(&mut self, text: &str) -> Instant {
        loop {
            let (time, line) = self.console.recv().await.unwrap();
            if line.contains(text) {
                return time;
            }
        }
    }

    /// Reads the rest of a command whose future was dropped.
    pub(crate) async fn finish(&mut self) {
        self.shell
            .write_all(b"echo; echo finished\n")
            .await
            .unwrap();
        while line(&mut self.shell).await != "finished\n" {}
    }

    /// Runs a command whose standard output counts.
    pub(crate) async fn output(&mut self, command: &str) -> String {
        self.shell
            .write_all(format!("{command}\n").as_bytes())
            .await
            .unwrap();
        line(&mut self.shell).await
    }

    /// A new picture of the screen.
    pub(crate) async fn screen(&mut self) -> PathBuf {
        let path = self.dir.path().join("screen.ppm");
        self.qmp("screendump", json!({ "filename": path })).await;
        path
    }

    /// Runs a command of the machine protocol. Skips the reply to one whose future was dropped.
    async fn qmp(&mut self, command: &str, arguments: Value) {
        self.commands += 1;
        let id = self.commands;
        let command = json!({ "execute": command, "arguments": arguments, "id": id });
        let command = format!("{command}\n");
        self.qmp.write_all(command.as_bytes()).await.unwrap();
        loop {
            let reply: Value = serde_json::from_str(&line(&mut self.qmp).await).unwrap();
            if reply["id"] == id {
                assert!(reply["error"].is_null(), "{reply}");
                return;
            }
        }
    }

    /// QEMU's process ID.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.qemu.id()
    }

    pub(crate) async fn stop(mut self) {
        self.qemu.kill().await.unwrap();
    }
}

/// A command that ends when the guest has booted and is idle: for a minute after a boot, it
/// does what would slow down the first commands, and the faster way more.
pub(crate) fn idle() -> String {
    let idle = concat!(
        include_str!("../../machine/src/guest/pause.sh"),
        include_str!("../../machine/src/guest/wait_for_idle.sh")
    );
    let idle: Vec<&str> = idle.lines().filter(|line| !line.starts_with('#')).collect();
    let idle = idle.join("\n");
    format!(
        "systemctl is-system-running --wait >&2 || true\nfor i in 1 2 3; do ( {idle} ) && break; done || true"
    )
}

async fn line(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.unwrap();
    assert_ne!(read, 0, "the guest has ended");
    line
}

fn start(image: &str, dir: &Path) -> Child {
    let socket = |id: &str| format!("socket,id={id},path={}", dir.join(id).display());
    Command::new(start_script(image))
        .args(["-chardev", &socket("shell"), "-chardev", &socket("console")])
        .args([
            "-chardev",
            &socket("qmp"),
            "-mon",
            "chardev=qmp,mode=control",
        ])
        .args(["-device", "virtio-serial"])
        .args(["-device", "virtconsole,chardev=shell"])
        .args(["-device", "virtio-rng-pci", "-serial", "chardev:console"])
        .args(["-monitor", "none", "-nographic"])
        .current_dir(dir)
        .env("SHARED_DIR", dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
