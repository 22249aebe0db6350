//! Boots a machine from its start script and runs some commands.
//!
//! `cargo run -p vmwright-machine --example boot -- target/vm/minimal/run-minimal-vm`

#![allow(clippy::print_stdout, reason = "an example prints its results")]

use machine::{Machine, StartScript};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let script = std::env::args_os()
        .nth(1)
        .ok_or("usage: boot START-SCRIPT")?;
    let vm = Machine::new(StartScript::new(script))?;
    vm.start().await?;
    for command in ["uname -a", "cat /proc/uptime", "free -m"] {
        let output = vm.succeed(command).await?;
        println!("{command}\n{output}");
    }
    println!(
        "info status\n{}",
        vm.send_monitor_command("info status").await?
    );
    vm.shutdown().await?;
    println!(
        "the console's log has {} lines",
        vm.get_console_log().await?.lines().count()
    );
    Ok(())
}
