//! `qemu-img`, QEMU's program for disk images.

use std::ffi::OsStr;
use std::io;
use std::process::Stdio;

use tokio::process::Command;

/// Running the program, in errors.
pub(crate) const RUNNING: &str = "running qemu-img";

/// Runs it with these arguments, and returns its output.
///
/// # Errors
/// It can't be run, or it fails: the reasons that it prints.
///
/// # Cancellation
/// It is killed.
pub(crate) async fn qemu_img(
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> io::Result<Vec<u8>> {
    let mut command = Command::new("qemu-img");
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = stderr.lines().map(str::trim).collect();
    Err(io::Error::other(lines.join("; ")))
}
