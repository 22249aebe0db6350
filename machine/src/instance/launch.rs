//! Starting QEMU, and connecting to it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use backdoor_shell::Shell;
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::{ErrorKind, Result};
use crate::guest::console_watch::Watch;
use crate::guest::lifetime::Qemu;
use crate::host::accelerator::accelerator;
use crate::host::state_dir::at;
use crate::instance::arguments as qemu_args;
use crate::instance::saved_state::Origin;
use crate::machine::{Machine, Running, monitor};

/// How long QEMU may take to connect to us. It does so before it starts the
/// guest, so that this is long even for a host under load.
const CONNECT_LIMIT: Duration = Duration::from_mins(1);

impl Machine {
    pub(crate) async fn launch(
        &self,
        allow_reboot: bool,
        origin: &Origin,
    ) -> Result<Running, ErrorKind> {
        let sockets = self.parts.state.sockets();
        let monitor = listen(&sockets.monitor)?;
        let qmp = listen(&sockets.qmp)?;
        let shell = listen(&sockets.shell)?;
        let shell_port = listen(&sockets.shell_port)?;
        let waiter = listen(&sockets.waiter)?;

        let accelerator = accelerator().await;
        let start = self.start_command();
        let mut spec = start.spec(accelerator, self.parts.state.shared())?;
        spec.args
            .extend(qemu_args::connections(&sockets, allow_reboot));
        spec.args.extend(qemu_args::origin(origin));
        if start.wants_qemu_opts() {
            spec.args.extend(qemu_args::qemu_opts());
        }
        spec.args.extend(qemu_args::display());
        let env = [
            ("TMPDIR", OsString::from(self.parts.state.path())),
            ("SHARED_DIR", OsString::from(self.parts.state.shared())),
            ("USE_TMPDIR", OsString::from("1")),
            ("VM_ACCEL", OsString::from(accelerator.name())),
        ];
        let env = env.map(|(name, value)| (OsString::from(name), value));
        let env = self.parts.env.iter().cloned().chain(env).collect();
        let shows_serial = Arc::clone(&self.parts.shows_serial);
        let watch = Arc::new(Watch::new(Arc::clone(&self.parts.signs), allow_reboot));
        let (name, state) = (&self.parts.name, &self.parts.state);
        let qemu = Qemu::spawn(name, spec, state, env, shows_serial, watch)?;

        let accepted = async {
            let connections = async {
                let monitor = accept(&monitor).await?;
                let qmp = accept(&qmp).await?;
                let shell = Shell::new(accept(&shell).await?);
                let shell = shell.with_port(accept(&shell_port).await?);
                let waiter = BufReader::new(accept(&waiter).await?);
                let (hmp, qmp) = monitor::open(monitor, qmp).await?;
                Ok((hmp, qmp, shell, waiter))
            };
            match timeout(CONNECT_LIMIT, connections).await {
                Ok(connections) => connections,
                Err(_) => Err(ErrorKind::NoConnection {
                    waited: CONNECT_LIMIT,
                    stderr: qemu.last_stderr_lines(),
                }),
            }
        };
        let opened = qemu.or_exit("starting QEMU", accepted).await;
        let (hmp, qmp, shell, waiter) = opened.map_err(why_it_ended)?;
        tokio::spawn(Arc::clone(&qemu.watch).follow(qmp.events()));
        Ok(Running {
            qemu,
            hmp,
            events: tokio::sync::Mutex::new(qmp.events()),
            qmp,
            shell: Arc::new(tokio::sync::Mutex::new(shell)),
            snapshots: Arc::default(),
            waiter: tokio::sync::Mutex::new(waiter),
            is_connected: watch::Sender::new(false),
            end_is_known: AtomicBool::new(false),
        })
    }
}

/// A start command that has ended well was not QEMU.
fn why_it_ended(mut kind: ErrorKind) -> ErrorKind {
    if let ErrorKind::Exited { doing, status, .. } = &mut kind
        && status.success()
    {
        doing.push_str(" (the start command is to become it, by `exec`, not to leave it behind)");
    }
    kind
}

pub(crate) fn listen(path: &Path) -> Result<UnixListener, ErrorKind> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => UnixListener::bind(path).map_err(at(path)),
    }
}

async fn accept(listener: &UnixListener) -> Result<UnixStream, ErrorKind> {
    match listener.accept().await {
        Ok((stream, _)) => Ok(stream),
        Err(source) => Err(ErrorKind::StateDir {
            path: "an accepted socket".into(),
            source,
        }),
    }
}
