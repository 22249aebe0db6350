//! Executes a QMP command, then prints events until QEMU exits:
//! `cargo run -p qmp-mon --example qmp -- SOCKET query-status '{}'`.

#![expect(clippy::print_stdout, reason = "prints the result and events")]

use qmp_mon::Qmp;
use tokio::net::UnixStream;
use tokio_stream::StreamExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: qmp SOCKET COMMAND [ARGUMENTS]";
    let (socket, command) = arguments.next().zip(arguments.next()).ok_or(usage)?;
    let options = arguments.next().unwrap_or_else(|| "null".into());

    let qmp = Qmp::connect(UnixStream::connect(socket).await?).await?;
    let mut events = qmp.events();
    println!("{:#}", qmp.execute(&command, options.parse()?).await?);
    while let Some(event) = events.next().await {
        match event {
            Err(error) if error.is_closed() => break,
            event => println!("{:?}", event?),
        }
    }
    Ok(())
}
