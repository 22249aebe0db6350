//! Networks between machines.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result};
use crate::host::orphan_cleanup::Janitor;
use crate::host::process::CommandSpec;
use crate::host::process::{Process, Streams};
use crate::host::state_dir::{absolute, at, check_socket_path};

/// How long a switch may take to start.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How much of what a switch says is shown.
const SHOWN: u64 = 4096;

/// A network between machines, on which they reach each other and nobody else: a
/// `vde_switch`, to which each is connected by a network card.
///
/// Start scripts find it in the environment, as `QEMU_VDE_SOCKET_N` with its number:
/// see [`Builder::vlan`](crate::Builder::vlan). It ends when it is dropped, or with
/// this process, whatever its cause.
#[derive(Debug)]
pub struct Vlan {
    number: u32,
    socket_dir: PathBuf,
    process: Process,
    /// A switch ends when its console does.
    _streams: Streams,
    /// A switch that is killed with us leaves its sockets.
    _janitor: Janitor,
}

impl Vlan {
    /// Starts a switch whose socket is `vdeN.ctl` in the directory `dir`, for this
    /// user alone.
    ///
    /// # Errors
    /// [`Vlan`](ErrorKind::Vlan), [`Spawn`](ErrorKind::Spawn) without `vde_switch`;
    /// [`SocketPathTooLong`](ErrorKind::SocketPathTooLong).
    pub async fn start(number: u32, dir: impl AsRef<Path>) -> Result<Self> {
        let started = Self::start_in(number, dir.as_ref()).await;
        started.map_err(|kind| Error::new(&format!("vlan{number}"), kind))
    }

    async fn start_in(number: u32, dir: &Path) -> Result<Self, ErrorKind> {
        let dir = absolute(dir)?;
        let socket_dir = dir.join(format!("vde{number}.ctl"));
        // Each port has a socket of its own there, which has a number for a name.
        check_socket_path(&socket_dir)?;
        let words = ["-s", "", "--dirmode", "0700", "--mode", "0600", "--hub"];
        let mut args = words.map(OsString::from).to_vec();
        args[1] = socket_dir.clone().into();
        // As a hub it passes on tagged frames, too.
        let spec = CommandSpec {
            program: "vde_switch".into(),
            args,
        };
        let janitor = Janitor::of(&socket_dir).map_err(at(&socket_dir))?;
        let (process, mut streams) = Process::spawn(spec, &dir, Vec::new())?;
        let answered = timeout(START_LIMIT, answer(&mut streams)).await;
        if !matches!(answered, Ok(Ok(true))) || !socket_dir.join("ctl").exists() {
            process.kill();
            let mut output = String::new();
            let _ = (&mut streams.stderr)
                .take(SHOWN)
                .read_to_string(&mut output)
                .await;
            return Err(ErrorKind::Vlan {
                socket_dir,
                output: output.trim().to_owned(),
            });
        }
        Ok(Self {
            number,
            socket_dir,
            process,
            _streams: streams,
            _janitor: janitor,
        })
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The directory of its socket: what `-netdev vde,sock=` takes.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The process number of the switch.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The environment variable by which start scripts find it, and its value.
    pub(crate) fn variable(&self) -> (OsString, OsString) {
        (variable(self.number), self.socket_dir.clone().into())
    }
}

const VARIABLE: &str = "QEMU_VDE_SOCKET_";

/// The environment variable that tells of the network of a number.
pub(crate) fn variable(number: u32) -> OsString {
    format!("{VARIABLE}{number}").into()
}

/// The number of the network that a variable tells of.
pub(crate) fn number(variable: &OsStr) -> Option<u32> {
    let number = variable.to_str()?.strip_prefix(VARIABLE)?;
    number.parse().ok()
}

impl Drop for Vlan {
    fn drop(&mut self) {
        self.process.kill();
        // Nobody is left to use it; a switch removes it unless it was killed.
        let _ = fs::remove_dir_all(&self.socket_dir);
    }
}

/// Whether the switch's console answers, which it does once the socket is there.
async fn answer(streams: &mut Streams) -> std::io::Result<bool> {
    streams.stdin.write_all(b"version\n").await?;
    let mut line = String::new();
    let mut console = BufReader::new(&mut streams.stdout);
    Ok(console.read_line(&mut line).await? > 0)
}
