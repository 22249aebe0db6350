//! The time of a command, compared with the NixOS test driver's way to run one, on the same
//! virtual machine in one run: `cargo xtask bench commands`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints its figures, and panics on errors"
)]

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use machine::{Machine, StartScript};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use vm_tests::start_script;

const COMMANDS: u32 = 50;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // `cargo test --benches` only checks that it builds.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    println!("`true`, mean of {COMMANDS}:");
    for image in ["minimal", "systemd"] {
        let theirs = reference(image).await;
        let ours = ours(image).await;
        println!(
            "{image:8} NixOS driver's way {:6.1} ms   execute {:6.1} ms   ratio {:.1}",
            milliseconds(theirs),
            milliseconds(ours),
            theirs.as_secs_f64() / ours.as_secs_f64()
        );
    }
    let (cpu, waited) = waiting().await;
    println!(
        "waiting  {:.1} ms of our own processor time in {waited:?} of waits",
        milliseconds(cpu)
    );
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

async fn ours(image: &str) -> Duration {
    let vm = Machine::new(StartScript::new(start_script(image))).unwrap();
    wait_for_idle(&vm).await;
    let start = Instant::now();
    for _ in 0..COMMANDS {
        assert!(vm.execute("true").await.unwrap().success());
    }
    start.elapsed() / COMMANDS
}

/// Waits for the end of the boot, which would slow commands down.
async fn wait_for_idle(vm: &Machine) {
    vm.connect().await.unwrap();
    vm.execute("systemctl is-system-running --wait")
        .await
        .unwrap();
}

/// The NixOS test driver's way: two round trips for each command, and `timeout`, `bash` and
/// `base64` started.
async fn reference(image: &str) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let shell = UnixListener::bind(dir.path().join("shell")).unwrap();
    let mut qemu = start_by_hand(image, dir.path());
    let (line, _) = shell.accept().await.unwrap();
    let mut line = BufReader::new(line);
    while !answer(&mut line)
        .await
        .contains("Spawning backdoor root shell...")
    {}
    execute(&mut line, "systemctl is-system-running --wait >&2 || true").await;

    let start = Instant::now();
    for _ in 0..COMMANDS {
        execute(&mut line, "true").await;
    }
    let mean = start.elapsed() / COMMANDS;
    qemu.kill().await.unwrap();
    mean
}

async fn execute(line: &mut BufReader<UnixStream>, command: &str) {
    let run = format!("timeout 900 bash -c 'set -euo pipefail; {command}' | (base64 -w 0; echo)\n");
    line.write_all(run.as_bytes()).await.unwrap();
    answer(line).await;
    line.write_all(b"echo ${PIPESTATUS[0]}\n").await.unwrap();
    assert_eq!(answer(line).await, "0\n");
}

async fn answer(line: &mut BufReader<UnixStream>) -> String {
    let mut answer = String::new();
    assert_ne!(
        line.read_line(&mut answer).await.unwrap(),
        0,
        "the shell was closed"
    );
    answer
}

fn start_by_hand(image: &str, dir: &Path) -> tokio::process::Child {
    tokio::process::Command::new(start_script(image))
        .arg("-chardev")
        .arg(format!(
            "socket,id=shell,path={}",
            dir.join("shell").display()
        ))
        .args([
            "-device",
            "virtio-serial",
            "-device",
            "virtconsole,chardev=shell",
        ])
        .args([
            "-device",
            "virtio-rng-pci",
            "-serial",
            "null",
            "-monitor",
            "none",
            "-nographic",
        ])
        .current_dir(dir)
        .env("SHARED_DIR", dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The processor time that this process uses during three concurrent waits.
async fn waiting() -> (Duration, Duration) {
    const WAIT: Duration = Duration::from_secs(5);
    let vm = Machine::new(StartScript::new(start_script("minimal"))).unwrap();
    wait_for_idle(&vm).await;
    let before = processor_time();
    let patient = vm.within(WAIT);
    let waits = tokio::join!(
        patient.wait_for_console_text("never printed"),
        vm.execute("sleep 5"),
        tokio::time::timeout(WAIT, vm.wait_for_shutdown()),
    );
    assert!(waits.0.is_err() && waits.2.is_err());
    (processor_time().saturating_sub(before), WAIT)
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}
