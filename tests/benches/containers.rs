//! Containers beside machines: the time to the first command's result, the cost of a command
//! beside `nsenter` alone, and the memory of ten containers: `cargo xtask bench containers`, as
//! root.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::error::Error;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use machine::Container;
use tracing::Level;
use vm_tests::{container, systemd};

const ROUNDS: usize = 5;
const BOOTS: usize = 2;
const COMMANDS: usize = 100;
const CONTAINERS: usize = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` only checks that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    tracing_subscriber::fmt().with_max_level(Level::WARN).init();
    first_commands().await?;
    commands().await?;
    memory().await
}

async fn first_commands() -> Result<(), Box<dyn Error>> {
    let (mut containers, mut machines) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let start = Instant::now();
        let one = container("one");
        one.succeed("true").await?;
        containers.push(start.elapsed());
        drop(one);
        if round < BOOTS {
            let start = Instant::now();
            let vm = systemd();
            vm.succeed("true").await?;
            machines.push(start.elapsed());
        }
    }
    let [container, machine] = [containers, machines].map(median);
    let ratio = machine.div_duration_f64(container);
    println!("first command's result:");
    println!("  container: {container:.2?}");
    println!("  machine with the same system: {machine:.2?}; ratio {ratio:.1}");
    Ok(())
}

async fn commands() -> Result<(), Box<dyn Error>> {
    let one = container("one");
    one.connect().await?;
    let init = init(&one)?.to_string();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..COMMANDS {
        let start = Instant::now();
        one.succeed("true").await?;
        ours.push(start.elapsed());
        let start = Instant::now();
        let mut nsenter = Command::new("nsenter");
        let status = nsenter
            .args(["--all", "--target", &init, "true"])
            .status()?;
        theirs.push(start.elapsed());
        if !status.success() {
            return Err("nsenter failed".into());
        }
    }
    let [ours, theirs] = [ours, theirs].map(median);
    let ratio = ours.div_duration_f64(theirs);
    println!("`true`: {ours:.1?}; `nsenter … true` alone: {theirs:.1?}; ratio {ratio:.2}");
    Ok(())
}

/// The process id of a container's init: the child of systemd-nspawn, which is the child of the
/// container's process, a shell.
fn init(container: &Container) -> Result<u32, Box<dyn Error>> {
    let mut pid = container.pid().ok_or("no process")?;
    for _ in 0..2 {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        pid = children.split(' ').next().ok_or("no child")?.parse()?;
    }
    Ok(pid)
}

async fn memory() -> Result<(), Box<dyn Error>> {
    let before = available()?;
    let containers: Vec<Container> = (0..CONTAINERS)
        .map(|number| container(&format!("c{number}")))
        .collect();
    let start = Instant::now();
    let units = containers
        .iter()
        .map(|it| it.wait_for_unit("multi-user.target"));
    try_join_all(units).await?;
    let (took, used) = (start.elapsed(), before.saturating_sub(available()?));
    println!("{CONTAINERS} containers at once: {used} MiB of memory, up after {took:.1?}");
    Ok(())
}

/// The host's memory that is free or can be freed, in MiB.
fn available() -> Result<u64, Box<dyn Error>> {
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let mut lines = meminfo.lines();
    let line = lines.find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("no MemAvailable")?
        .parse()?;
    Ok(kib / 1024)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
