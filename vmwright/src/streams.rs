//! A command's standard streams, through virtio ports of the machine.
//!
//! The root shell has only a standard output. QEMU listens on a socket for each port, in the
//! machine's state directory. Port by port, `streams.sh` is the other end.

mod end;

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use machine::{Command, Machine};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;

use self::end::End;
use crate::command::GuestCommand;

/// The names of the ports, after `org.vmwright.`.
const PORTS: [&str; 3] = ["stdin", "stdout", "stderr"];

/// How many bytes are copied at once.
const PIECE: usize = 1 << 15;

/// The arguments for the ports: on a bus of their own, because that of the machine does not
/// exist yet where they are on its command line.
pub(crate) fn qemu_args() -> Vec<String> {
    let mut args = vec![
        "-device".to_owned(),
        "virtio-serial-pci,id=streams".to_owned(),
    ];
    for name in PORTS {
        args.extend([
            "-chardev".to_owned(),
            // In the machine's state directory.
            format!("socket,id={name},server=on,wait=off,path={name}"),
            "-device".to_owned(),
            format!("virtserialport,bus=streams.0,chardev={name},name=org.vmwright.{name}"),
        ]);
    }
    args
}

/// Runs a command with this process's standard streams, and returns its exit status. It ends
/// when all processes that hold its output have closed it.
pub(crate) async fn run(vm: &Machine, command: &GuestCommand) -> Result<i32> {
    let [stdin, stdout, stderr] = connect(vm.state_dir())
        .await
        .context("connecting to the machine's ports")?;
    let end = End::new();
    let script = Command::new(command.on_ports(&end.format())).no_timeout();
    let ran = async {
        let output = vm.execute(script).await?;
        match &*output.stdout {
            b"ended\n" => Ok(output.status()),
            b"" => bail!("the command was killed with the shell that ran it"),
            _ => bail!("can't run the command: {}", output.text().trim()),
        }
    };
    let outputs = async {
        tokio::try_join!(
            copy_to_end(stdout, tokio::io::stdout(), end.clone()),
            copy_to_end(stderr, tokio::io::stderr(), end.clone()),
        )
        .context("copying the command's output")
    };
    let ran = async { tokio::try_join!(ran, outputs).map(|(status, _)| status) };
    tokio::select! {
        status = ran => status,
        never = send_input(stdin) => match never {},
    }
}

async fn connect(state_dir: &Path) -> io::Result<[UnixStream; 3]> {
    // The whole path may be too long for a socket.
    let dir = File::open(state_dir)?;
    let at = async |name| {
        let path = format!("/proc/self/fd/{}/{name}", dir.as_raw_fd());
        UnixStream::connect(path).await
    };
    let [stdin, stdout, stderr] = PORTS;
    Ok([at(stdin).await?, at(stdout).await?, at(stderr).await?])
}

/// Sends this process's standard input when the guest is ready for it. Errors are those of a
/// command that reads no more, and the end of the input.
async fn send_input(mut port: UnixStream) -> Infallible {
    if port.read_u8().await.is_ok() {
        let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut port).await;
    }
    // QEMU ends the guest's input when it has read all of it; if the port were closed, the rest
    // would be lost.
    let _ = port.shutdown().await;
    std::future::pending().await
}

/// Copies what arrives before the end.
async fn copy_to_end(
    mut port: UnixStream,
    mut output: impl AsyncWrite + Unpin,
    mut end: End,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    while !end.is_found() {
        let Ok(length @ 1..) = port.read(&mut buffer).await else {
            // The machine has ended, which its shell reports.
            return std::future::pending().await;
        };
        output.write_all(&end.output(&buffer[..length])).await?;
        output.flush().await?;
    }
    Ok(())
}
