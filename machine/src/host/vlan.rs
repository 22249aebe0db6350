//! Networks between machines.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result};
use crate::host::blocking::blocking;
use crate::host::files::at;
use crate::host::orphan_cleanup::OrphanCleanup;
use crate::host::process::CommandSpec;
use crate::host::process::{Process, Streams};
use crate::host::sockets::check_socket_path;
use crate::host::state_dir::absolute;
use crate::sync::Mutex;

/// Time limit for the start of a switch.
const START_LIMIT: Duration = Duration::from_secs(10);

/// An isolated network between machines: a `vde_switch`, to which each machine is connected
/// by a network card.
///
/// [`Builder::vlan`](crate::Builder::vlan) connects a machine to it. The switch ends when this is dropped,
/// or when this process ends for any reason.
#[derive(Debug)]
pub struct Vlan {
    number: u32,
    socket_dir: PathBuf,
    /// Those that are in no list of nodes, in the order of their addresses.
    unlisted: Arc<Mutex<Vec<String>>>,
    process: Process,
    /// Kept open: a switch exits when its console closes.
    _streams: Streams,
    /// Removes the sockets, which a killed switch leaves behind.
    _orphan_cleanup: OrphanCleanup,
}

impl Vlan {
    /// Starts a switch whose socket is `vdeN.ctl` in the directory `dir`, accessible only to
    /// this user.
    ///
    /// # Errors
    /// [`Vlan`](ErrorKind::Vlan), [`Spawn`](ErrorKind::Spawn) without `vde_switch`;
    /// [`SocketPathTooLong`](ErrorKind::SocketPathTooLong).
    ///
    /// # Cancellation
    /// The switch is killed if it was started.
    pub async fn start(number: u32, dir: impl AsRef<Path>) -> Result<Self> {
        let started = Self::start_in(number, dir.as_ref()).await;
        started.map_err(|kind| Error::new(&format!("vlan{number}"), kind))
    }

    async fn start_in(number: u32, dir: &Path) -> Result<Self, ErrorKind> {
        let dir = absolute(dir)?;
        let socket_dir = dir.join(format!("vde{number}.ctl"));
        // Each port has a socket there, named by a number.
        check_socket_path(&socket_dir)?;
        let words = ["-s", "", "--dirmode", "0700", "--mode", "0600", "--hub"];
        let mut args = words.map(OsString::from).to_vec();
        args[1] = socket_dir.clone().into();
        // Only a hub forwards tagged frames.
        let spec = CommandSpec {
            program: "vde_switch".into(),
            args,
        };
        let orphan_cleanup = OrphanCleanup::remove_dir(&socket_dir).map_err(at(&socket_dir))?;
        let (process, mut streams) = Process::spawn(spec, &dir, Vec::new(), Vec::new())?;
        let ready = timeout(START_LIMIT, is_ready(&mut streams)).await;
        if !matches!(ready, Ok(Ok(true))) || !socket_dir.join("ctl").exists() {
            blocking(move || drop(process)).await;
            return Err(ErrorKind::Vlan {
                socket_dir,
                output: streams.error_output().await,
            });
        }
        Ok(Self {
            number,
            socket_dir,
            unlisted: Arc::default(),
            process,
            _streams: streams,
            _orphan_cleanup: orphan_cleanup,
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

    /// The names of those that are in no list of nodes, in the order of their addresses.
    pub(crate) fn unlisted(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.unlisted)
    }

    /// The process id of the switch.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The environment variable by which start scripts find it, and its value.
    pub(crate) fn variable(&self) -> (OsString, OsString) {
        (variable(self.number), self.socket_dir.clone().into())
    }
}

const VARIABLE: &str = "QEMU_VDE_SOCKET_";

/// The environment variable of the network with a number.
pub(crate) fn variable(number: u32) -> OsString {
    format!("{VARIABLE}{number}").into()
}

/// The number of the network of an environment variable.
pub(crate) fn number(variable: &OsStr) -> Option<u32> {
    let number = variable.to_str()?.strip_prefix(VARIABLE)?;
    number.parse().ok()
}

/// The numbers and socket directories of the networks in this process's environment and in
/// `own` variables, which take precedence.
pub(crate) fn networks(own: &[(OsString, OsString)]) -> BTreeMap<u32, OsString> {
    let variables = env::vars_os().chain(own.iter().cloned());
    let networks = variables.filter_map(|(name, dir)| Some((number(&name)?, dir)));
    networks.collect()
}

impl Drop for Vlan {
    fn drop(&mut self) {
        self.process.kill();
        // The switch removes it only if it was not killed.
        let _ = fs::remove_dir_all(&self.socket_dir);
    }
}

/// Whether the switch's console responds, as it does once the socket exists.
async fn is_ready(streams: &mut Streams) -> std::io::Result<bool> {
    streams.stdin.write_all(b"version\n").await?;
    let mut line = String::new();
    let mut console = BufReader::new(&mut streams.stdout);
    Ok(console.read_line(&mut line).await? > 0)
}
