//! Runs commands in QEMU's human monitor:
//! `cargo run -p qmp-mon --example monitor -- SOCKET "info status" "info block"`.

#![expect(clippy::print_stdout, reason = "prints the replies")]

use qmp_mon::Hmp;
use tokio::net::UnixStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let socket = arguments.next().ok_or("usage: monitor SOCKET COMMAND…")?;

    let monitor = Hmp::connect(UnixStream::connect(socket).await?).await?;
    for command in arguments {
        print!("{}", monitor.command(&command).await?);
    }
    Ok(())
}
