//! The time to the first command's result in a guest with the host's root, beside that of
//! virtme-ng with the same kernel in the same run: `cargo xtask bench guests`.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use machine::{Linux, Machine};
use tracing::Level;
use vm_tests::unpacked_kernel;

const ROUNDS: usize = 5;

/// Runs virtme-ng, which finds a kernel's modules in `/lib/modules` only, by their indexes. It
/// shows the console, as `machine` does; otherwise it would need udev on the host.
const VNG: &str = r#"
    depmod -b "$1" "$(ls "$1/lib/modules")"
    mkdir -p /lib/modules && mount --bind "$1/lib/modules" /lib/modules
    exec vng --verbose --run "$1/boot/vmlinuz" --disable-kvm -- uname -r"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` only checks that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    tracing_subscriber::fmt().with_max_level(Level::WARN).init();
    let kernel = unpacked_kernel();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // In turns, so that other work on the host slows both.
    for _ in 0..ROUNDS {
        ours.push(first_command(kernel.path()).await?);
        theirs.extend(virtme_ng(kernel.path())?);
    }
    let ours = median(ours).ok_or("no rounds")?;
    println!("`uname -r` in a new guest with the host's root, median of {ROUNDS}:");
    println!("  machine: {ours:.1?}");
    match median(theirs) {
        Some(theirs) => {
            let ratio = ours.div_duration_f64(theirs);
            println!("  virtme-ng: {theirs:.1?}; ratio {ratio:.2}");
        }
        None => println!("  virtme-ng is not installed"),
    }
    Ok(())
}

async fn first_command(kernel: &Path) -> machine::Result<Duration> {
    let start = Instant::now();
    let vm = Machine::new(Linux::new(kernel.join("boot/vmlinuz")).host_root())?;
    vm.succeed("uname -r").await?;
    Ok(start.elapsed())
}

/// The time of virtme-ng, if it is installed.
fn virtme_ng(kernel: &Path) -> Result<Option<Duration>, Box<dyn Error>> {
    let is_installed = Command::new("vng").arg("--version").output().is_ok();
    if !is_installed {
        return Ok(None);
    }
    let start = Instant::now();
    // It wants a terminal.
    let line = format!("unshare --mount sh -euc '{VNG}' sh '{}'", kernel.display());
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .output()?;
    let took = start.elapsed();
    let printed = String::from_utf8_lossy(&output.stdout);
    if !printed.contains("script exited with code 0") {
        return Err(format!("virtme-ng failed: {printed}").into());
    }
    Ok(Some(took))
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort();
    times.get(times.len() / 2).copied()
}
