//! The Unix sockets on which a driver listens for its QEMU, or for its container.

use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use crate::error::ErrorKind;
use crate::host::files::{at, remove_file_if_exists};
use crate::host::tmp_dir::TmpDir;

/// A Unix socket's path may have 107 bytes and a NUL (unix(7), `sun_path`).
const MAX_SOCKET_PATH: usize = 107;

/// The directory that the sockets are in.
#[derive(Debug)]
pub(super) enum SocketDir {
    State,
    Own(TmpDir),
}

impl SocketDir {
    /// The directory for the sockets of a machine with this state directory.
    pub(super) fn of(state: &Path) -> Result<Self, ErrorKind> {
        if check_socket_path(state).is_ok() {
            return Ok(Self::State);
        }
        let dir = TmpDir::new().map_err(at(&std::env::temp_dir()))?;
        check_socket_path(dir.path())?;
        Ok(Self::Own(dir))
    }

    /// Its path, unless it is the state directory.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::State => None,
            Self::Own(dir) => Some(dir.path()),
        }
    }
}

/// The sockets on which a driver listens for its QEMU, or for its container.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) monitor: PathBuf,
    pub(crate) qmp: PathBuf,
    pub(crate) shell: PathBuf,
    pub(crate) shell_port: PathBuf,
    pub(crate) clone_agent: PathBuf,
    /// Carries the state of a machine that is saved or resumed.
    pub(crate) migration: PathBuf,
    /// Receives the notifications of a container.
    pub(crate) notify: PathBuf,
}

impl Sockets {
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self {
            monitor: dir.join("monitor"),
            qmp: dir.join("qmp"),
            shell: dir.join("shell"),
            shell_port: dir.join("shell-port"),
            clone_agent: dir.join("clone-agent"),
            migration: dir.join("migration"),
            notify: dir.join("notify"),
        }
    }
}

pub(crate) fn check_socket_path(dir: &Path) -> Result<(), ErrorKind> {
    let path = Sockets::in_dir(dir).clone_agent; // the longest
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        return Err(ErrorKind::SocketPathTooLong {
            path,
            length,
            limit: MAX_SOCKET_PATH,
        });
    }
    Ok(())
}

/// A socket that awaits a connection.
pub(crate) struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    pub(crate) fn bind(path: &Path) -> Result<Self, ErrorKind> {
        remove_file_if_exists(path).map_err(at(path))?;
        Ok(Self {
            socket: UnixListener::bind(path).map_err(at(path))?,
            path: path.to_owned(),
        })
    }

    pub(crate) async fn accept(&self) -> Result<UnixStream, ErrorKind> {
        let accepted = self.socket.accept().await;
        accepted.map(|(stream, _)| stream).map_err(at(&self.path))
    }
}
