//! Sends commands to a human monitor.
//!
//! ```sh
//! qemu-system-x86_64 -S -display none -monitor unix:/tmp/monitor,server=on,wait=off &
//! cargo run -p qmp-mon --example monitor -- /tmp/monitor "info status" "info version"
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use qmp_mon::Hmp;
use tokio::net::UnixStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let socket = arguments.next().ok_or("name a monitor's socket")?;
    let hmp = Hmp::connect(UnixStream::connect(socket).await?).await?;
    println!("{}", hmp.greeting());
    for command in arguments {
        print!("> {command}\n{}", hmp.command(&command).await?);
    }
    Ok(())
}
