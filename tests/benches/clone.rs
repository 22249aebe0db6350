//! The time to clone a machine, compared with a boot of the same image in the same run:
//! `cargo xtask bench clone`.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

mod processor_time;

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use machine::{Machine, Template};
use tracing::Level;
use vm_tests::{builder, ready, template};

use self::processor_time::work;

const IMAGE: &str = "systemd";
const CLOUD: &str = "cloud";
const READY: &str = "multi-user.target";
const ROUNDS: usize = 10;
const MANY: usize = 16;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` only checks that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    tracing_subscriber::fmt().with_max_level(Level::WARN).init();
    cloud_image().await?;
    let (booted, booted_work) = boot(IMAGE, async |vm| vm.wait_for_unit(READY).await).await?;
    let start = Instant::now();
    let template = template(IMAGE).wait_for_unit(READY).build().await?;
    println!("the template, taken or made: {:.1?}", start.elapsed());
    clone_one_by_one(IMAGE, &template, booted, booted_work).await?;
    clone_in_advance(&template, booted).await?;
    snapshot(template.clone_machine().await?).await?;
    clone_many(&template).await
}

/// An image with cloud-init, not prepared.
async fn cloud_image() -> machine::Result<()> {
    let (booted, booted_work) = boot(CLOUD, async |vm| vm.wait_for_cloud_init().await).await?;
    let template = ready(CLOUD).build().await?;
    clone_one_by_one(CLOUD, &template, booted, booted_work).await
}

/// The time until a machine that boots is in the state of the template's and has run a command,
/// and its QEMU's processor time.
async fn boot(
    image: &str,
    prepare: impl AsyncFn(&Machine) -> machine::Result<()>,
) -> machine::Result<(Duration, Duration)> {
    let start = Instant::now();
    let vm = builder(image).build()?;
    vm.succeed("true").await?;
    let connected = start.elapsed();
    println!("{image}: the first command of a machine that boots has ended after {connected:.1?}");
    prepare(&vm).await?;
    vm.succeed("true").await?;
    Ok((start.elapsed(), work(vm.pid())))
}

async fn clone_one_by_one(
    image: &str,
    template: &Template,
    booted: Duration,
    booted_work: Duration,
) -> machine::Result<()> {
    let (mut answering, mut running, mut working) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let vm = template.clone_machine().await?;
        running.push(start.elapsed());
        vm.succeed("true").await?;
        answering.push(start.elapsed());
        working.push(work(vm.pid()));
    }
    let (running, answering, worked) = (median(running), median(answering), median(working));
    println!("{image}, emulated or not, until it is ready and has run a command:");
    println!("  booted {booted:.1?}");
    println!(
        "  cloned {answering:.2?} (fresh after {running:.2?}), {:.0} times as fast",
        booted.as_secs_f64() / answering.as_secs_f64()
    );
    println!(
        "  QEMU's processor time, which a busy host changes less: booted {booted_work:.1?}, \
         cloned {worked:.2?}, {:.0} times less",
        booted_work.as_secs_f64() / worked.as_secs_f64()
    );
    Ok(())
}

async fn clone_in_advance(template: &Template, booted: Duration) -> machine::Result<()> {
    let prefetching = template.prefetch();
    let mut answering = Vec::new();
    let mut vm = prefetching.clone_machine().await?;
    for _ in 0..ROUNDS {
        // A test that takes two seconds.
        vm.succeed("sleep 2").await?;
        let start = Instant::now();
        vm = prefetching.clone_machine().await?;
        vm.succeed("true").await?;
        answering.push(start.elapsed());
    }
    let answering = median(answering);
    println!(
        "  cloned in advance {answering:.2?}, {:.0} times as fast",
        booted.as_secs_f64() / answering.as_secs_f64()
    );
    Ok(())
}

async fn snapshot(vm: Machine) -> machine::Result<()> {
    let start = Instant::now();
    let snapshot = vm.snapshot().await?;
    let taken = start.elapsed();
    let start = Instant::now();
    vm.restore(&snapshot).await?;
    println!(
        "a snapshot of a clone taken in {taken:.2?}, restored in {:.2?}",
        start.elapsed()
    );
    Ok(())
}

async fn clone_many(template: &Template) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let clones = try_join_all((0..MANY).map(|_| template.clone_machine())).await?;
    let started = start.elapsed();
    let answers = clones.iter().enumerate().map(|(number, vm)| async move {
        vm.succeed(format!(
            "echo {number} >/root/file; cat /root/file /etc/machine-id"
        ))
        .await
    });
    let mut answers = try_join_all(answers).await?;
    let answered = start.elapsed();
    answers.sort();
    answers.dedup();
    let memory: u64 = clones.iter().map(memory).sum();
    println!(
        "{MANY} clones at once: all run after {started:.1?}, all have answered after \
         {answered:.1?}, {} different answers; resident {} MiB together, what they share \
         counted once",
        answers.len(),
        memory >> 10,
    );
    Ok(())
}

/// The proportional memory of a machine's QEMU (PSS), in KiB.
fn memory(vm: &Machine) -> u64 {
    let file = format!("/proc/{}/smaps_rollup", vm.pid().unwrap_or_default());
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kibibytes
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or_default()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
