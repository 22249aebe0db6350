//! Compares how many lines per second the whole client and a driver in Python
//! read from a pipe. Both read the same lines, alternating, in one run.
//!
//! The client does all the work of a console log: codec, memory, a file, a
//! callback per line, and a wait for a pattern that only the last line matches.
//! The Python program does the minimum for each line: decode, drop carriage
//! returns, strip, put into a queue.

#![expect(clippy::print_stdout, reason = "prints the results")]

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serial_log::{SerialLog, Spool};

const LINES: u32 = 2_000_000;
const ROUNDS: usize = 5;

const PYTHON: &str = r#"
import queue, subprocess, sys, time
start = time.monotonic()
console = subprocess.Popen(["cat", sys.argv[1]], stdout=subprocess.PIPE)
lines = queue.Queue()
for line in console.stdout:
    lines.put(line.decode(errors="ignore").replace("\r", "").rstrip())
print(lines.qsize() / (time.monotonic() - start))
"#;

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` runs this program to check that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let console = dir.path().join("console");
    write_lines(&console)?;
    let (mut ours, mut python) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(run_ours(&console, &dir.path().join("log"))?);
        python.extend(run_python(&console)?);
    }
    let ours = median(ours);
    println!("{LINES} lines from a pipe, median of {ROUNDS} rounds");
    println!("serial-log: {ours:>9.0} lines/s");
    if python.is_empty() {
        println!("python3:    not found, nothing to compare with");
        return Ok(());
    }
    let python = median(python);
    println!("python3:    {python:>9.0} lines/s");
    println!("ratio:      {:>9.1}", ours / python);
    Ok(())
}

/// Writes lines similar to a kernel's.
fn write_lines(path: &Path) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for n in 1..LINES {
        write!(
            file,
            "[{n:>12}] systemd[1]: Reached target unit-{n}.target.\r\n"
        )?;
    }
    file.write_all(b"reboot: Power down\r\n")?;
    file.flush()
}

#[tokio::main]
async fn run_ours(console: &Path, spool: &Path) -> Result<f64, Box<dyn Error>> {
    let lines = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&lines);
    let start = Instant::now();
    let mut cat = tokio::process::Command::new("cat")
        .arg(console)
        .stdout(Stdio::piped())
        .spawn()?;
    let log = SerialLog::builder()
        .spool(Spool::create(spool)?)
        .on_line(move |_| _ = counted.fetch_add(1, Ordering::Relaxed))
        .start(cat.stdout.take().ok_or("no pipe")?);
    let found = log.wait_for("^reboot: Power down$", None).await?;
    let rate = f64::from(LINES) / start.elapsed().as_secs_f64();
    assert_eq!(found.line, u64::from(LINES));
    assert_eq!(lines.load(Ordering::Relaxed), u64::from(LINES));
    cat.wait().await?;
    Ok(rate)
}

/// Returns `None` if Python is not installed.
fn run_python(console: &Path) -> Result<Option<f64>, Box<dyn Error>> {
    let python = Command::new("python3")
        .args(["-c", PYTHON])
        .arg(console)
        .output();
    match python {
        Ok(output) => Ok(Some(String::from_utf8(output.stdout)?.trim().parse()?)),
        Err(_) => Ok(None),
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
