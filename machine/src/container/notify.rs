//! What systemd-nspawn reports of its container: `sd_notify(3)`, and `--notify-ready` in
//! systemd-nspawn(1).

use std::io;
use std::path::Path;

use tokio::net::UnixDatagram;

use crate::error::ErrorKind;
use crate::host::files::{at, remove_file_if_exists};

/// A message is longer only if its status is, which is not read.
const MAX_MESSAGE: usize = 4096;

/// The socket of a container's notifications. It must be read for as long as the container
/// runs: systemd blocks when too many are unread.
#[derive(Debug)]
pub(super) struct NotifySocket(UnixDatagram);

/// A report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// The container was started, and its init has this process id.
    Started(u32),
    /// The container has booted.
    Ready,
}

impl NotifySocket {
    pub(super) fn bind(path: &Path) -> Result<Self, ErrorKind> {
        remove_file_if_exists(path).map_err(at(path))?;
        let socket = UnixDatagram::bind(path).map_err(at(path))?;
        Ok(Self(socket))
    }

    /// Waits for the next reports. Cancel safe.
    pub(super) async fn next(&self) -> io::Result<Vec<Report>> {
        let mut message = [0; MAX_MESSAGE];
        let length = self.0.recv(&mut message).await?;
        Ok(reports(&message[..length]))
    }
}

fn reports(message: &[u8]) -> Vec<Report> {
    let lines = message.split(|&byte| byte == b'\n');
    let report = |line| match str::from_utf8(line).ok()?.split_once('=')? {
        ("X_NSPAWN_LEADER_PID", pid) => pid.parse().ok().map(Report::Started),
        ("READY", "1") => Some(Report::Ready),
        _ => None,
    };
    lines.filter_map(report).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_lines_are_ignored() {
        let started = b"STATUS=Container running.\nX_NSPAWN_LEADER_PID=42";
        assert_eq!(reports(started), [Report::Started(42)]);
        assert_eq!(reports(b"READY=1\n"), [Report::Ready]);
        assert_eq!(reports(b"STOPPING=1\nSTATUS=READY=1\n\xff=1\nX"), []);
    }

    #[tokio::test]
    async fn messages_are_received() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        for _ in 0..2 {
            let socket = NotifySocket::bind(&path).unwrap();
            let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
            sender.send_to(b"READY=1", &path).unwrap();
            assert_eq!(socket.next().await.unwrap(), [Report::Ready]);
        }
    }
}
