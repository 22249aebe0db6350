//! `qemu-img`, QEMU's program for disk images.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
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

/// What it prints of an image of this format (`qemu-img info`).
///
/// # Errors
/// As [`qemu_img`].
pub(crate) async fn info(image: &Path, format: &str) -> io::Result<Value> {
    let info = ["info", "--output=json", "-f", format].map(OsStr::new);
    let info = qemu_img(info.into_iter().chain([image.as_os_str()])).await?;
    Ok(serde_json::from_slice(&info)?)
}
