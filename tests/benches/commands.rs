//! The time of a command, compared with the NixOS test driver's way to run one, on the same
//! virtual machine in one run: `cargo xtask bench commands`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints its figures, and panics on errors"
)]

mod processor_time;
mod reference;

use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use machine::{Machine, StartScript};
use vm_tests::start_script;

use self::processor_time::work;
use self::reference::{Reference, idle};

const COMMANDS: u32 = 50;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // `cargo test --benches` only checks that it builds.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    println!(
        "`true`, mean of {COMMANDS}, and QEMU's processor time for it, which a busy host changes less:"
    );
    for image in ["minimal", "systemd"] {
        let theirs = reference(image).await;
        let ours = ours(image).await;
        println!(
            "{image:8} NixOS driver's way {theirs}   execute {ours}   ratio {:.1} ({:.1})",
            theirs.time.as_secs_f64() / ours.time.as_secs_f64(),
            theirs.work.as_secs_f64() / ours.work.as_secs_f64()
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

/// The mean of a command.
struct Mean {
    time: Duration,
    /// The processor time of QEMU.
    work: Duration,
}

impl Mean {
    fn since(start: Instant, work_before: Duration, qemu: Option<u32>) -> Self {
        Self {
            time: start.elapsed() / COMMANDS,
            work: work(qemu).saturating_sub(work_before) / COMMANDS,
        }
    }
}

impl Display for Mean {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (time, work) = (milliseconds(self.time), milliseconds(self.work));
        write!(f, "{time:6.1} ms ({work:6.1} ms)")
    }
}

async fn ours(image: &str) -> Mean {
    let vm = Machine::new(StartScript::new(start_script(image))).unwrap();
    wait_for_idle(&vm).await;
    let (start, before) = (Instant::now(), work(vm.pid()));
    for _ in 0..COMMANDS {
        assert!(vm.execute("true").await.unwrap().success());
    }
    Mean::since(start, before, vm.pid())
}

/// Waits for the end of the boot, which would slow commands down.
async fn wait_for_idle(vm: &Machine) {
    vm.execute(idle()).await.unwrap();
}

async fn reference(image: &str) -> Mean {
    let mut vm = Reference::start(image).await;
    let (start, before) = (Instant::now(), work(vm.pid()));
    for _ in 0..COMMANDS {
        assert_eq!(vm.execute("true").await, 0);
    }
    let mean = Mean::since(start, before, vm.pid());
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
