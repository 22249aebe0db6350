//! Starts a program, and waits until its output has a line that matches a pattern:
//! `cargo run -p serial-log --example follow -- 'Linux version \S+' qemu-system-x86_64 …`.

#![expect(clippy::print_stdout, reason = "prints what was found")]

use std::process::Stdio;
use std::time::Duration;

use serial_log::SerialLog;
use tokio::process::Command;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: follow PATTERN PROGRAM [ARGUMENT]...";
    let (pattern, program) = arguments.next().zip(arguments.next()).ok_or(usage)?;
    let mut program = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let console = program.stdout.take().ok_or("no pipe")?;

    let log = SerialLog::builder().start(console);
    let found = log
        .wait_for(&pattern, Some(Duration::from_secs(60)))
        .await?;
    println!("line {}: {}", found.line, found.text);
    Ok(())
}
