//! The time until a fault is detected, for the rows of `docs/faults.md` whose cause can be timed
//! from outside: `cargo xtask bench faults`.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::error::Error;
use std::time::{Duration, Instant};

use machine::{Command, Machine};
use rustix::process::{Pid, Signal, kill_process};
use tracing_subscriber::filter::LevelFilter;
use vm_tests::{KILL_SHELL, fresh};

const ROUNDS: usize = 5;

/// The time limit of commands whose fault includes it.
const LIMIT: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` only checks that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::OFF)
        .init();
    println!("from the cause to the error, the slowest of {ROUNDS}:");
    show("kernel panic, under a command", panic_under_a_command).await;
    show("kernel panic, under a wait", panic_under_a_wait).await;
    show("root shell killed", shell_killed).await;
    show("QEMU killed, under a command", qemu_killed).await;
    println!("beyond the command's own time-out:");
    show("its output is held open", output_held_open).await;
    show("it ignores SIGTERM", ignores_sigterm).await;
    show("the processor is stopped", processor_stopped).await;
    Ok(())
}

async fn show(name: &str, fault: impl AsyncFn(&Machine) -> Duration) {
    let mut slowest = Duration::ZERO;
    for _ in 0..ROUNDS {
        let vm = fresh("minimal").await;
        slowest = slowest.max(fault(&vm).await);
    }
    println!("  {name}: {slowest:.2?}");
}

const PANIC: &str = "echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger; sleep 1000";

async fn panic_under_a_command(vm: &Machine) -> Duration {
    let start = Instant::now();
    vm.execute(PANIC).await.expect_err("a panic");
    start.elapsed()
}

async fn panic_under_a_wait(vm: &Machine) -> Duration {
    let wait = vm.wait_for_console_text("never printed");
    let start = Instant::now();
    let (waited, _) = tokio::join!(wait, vm.execute(PANIC));
    waited.expect_err("a panic");
    start.elapsed()
}

async fn shell_killed(vm: &Machine) -> Duration {
    let start = Instant::now();
    vm.succeed(KILL_SHELL).await.expect_err("no shell");
    start.elapsed()
}

async fn qemu_killed(vm: &Machine) -> Duration {
    let kill = async {
        vm.wait_for_console_text("command runs")
            .await
            .expect("a command");
        let pid = vm.pid().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        kill_process(pid.expect("a process"), Signal::KILL).expect("our own");
        Instant::now()
    };
    let command = vm.execute("echo command runs >/dev/ttyS0; sleep 1000");
    let (result, start) = tokio::join!(command, kill);
    result.expect_err("no QEMU");
    start.elapsed()
}

async fn output_held_open(vm: &Machine) -> Duration {
    time_after_limit(vm, "sleep 1000 &").await
}

async fn ignores_sigterm(vm: &Machine) -> Duration {
    time_after_limit(vm, "trap '' TERM; sleep 1000; sleep 1000").await
}

async fn processor_stopped(vm: &Machine) -> Duration {
    let stopped = vm.send_monitor_command("stop").await;
    stopped.expect("an answer");
    time_after_limit(vm, "true").await
}

/// The time from a command's time limit until the command returns.
async fn time_after_limit(vm: &Machine, script: &str) -> Duration {
    let start = Instant::now();
    // Either an exit code or an error; the tests check which.
    let _ = vm.execute(Command::new(script).timeout(LIMIT)).await;
    start.elapsed().saturating_sub(LIMIT)
}
