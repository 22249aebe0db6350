//! The time of a command, compared with the NixOS test driver's way to run one, on the same
//! virtual machine in one run: `cargo xtask bench commands`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints its figures, and panics on errors"
)]

mod reference;

use std::time::{Duration, Instant};

use machine::{Machine, StartScript};
use vm_tests::start_script;

use self::reference::{Reference, idle};

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
    vm.execute(idle()).await.unwrap();
}

async fn reference(image: &str) -> Duration {
    let mut vm = Reference::start(image).await;
    let start = Instant::now();
    for _ in 0..COMMANDS {
        assert_eq!(vm.execute("true").await, 0);
    }
    let mean = start.elapsed() / COMMANDS;
    vm.stop().await;
    mean
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
