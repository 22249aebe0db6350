//! Runs a command in a bash on this host, by the protocol that guests speak:
//! `cargo run -p backdoor-shell --example local -- 'seq 5; exit 3'`.

#![expect(clippy::print_stdout, reason = "prints the command's result")]

use std::process::Stdio;
use std::time::Duration;

use backdoor_shell::{Command, Shell};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let script = std::env::args().nth(1).ok_or("usage: local COMMAND")?;
    let mut bash = tokio::process::Command::new("bash")
        .arg("--norc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (output, input) = bash
        .stdout
        .take()
        .zip(bash.stdin.take())
        .ok_or("no pipes")?;

    let mut shell = Shell::new(tokio::io::join(output, input)).without_greeting();
    shell.connect(|line| println!("bash says: {line}")).await?;
    let command = Command::new(script).timeout(Duration::from_secs(10));
    let result = shell.run(command).await?;
    println!("{}", result.text());
    println!("status {}", result.status());
    Ok(())
}
