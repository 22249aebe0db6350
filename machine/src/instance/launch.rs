//! Starting QEMU, and connecting to it.

use std::ffi::OsString;
use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backdoor_shell::Shell;
use qmp_mon::{Hmp, Qmp};
use tokio::fs::File;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::boot_source::BootSource;
use super::locks::Locks;
use super::saved_state::SavedState;
use super::{Instance, arguments, clone_agent, diagnosis, event_watch, monitor_error, start_port};
use crate::error::{ErrorKind, Result};
use crate::guest::console_watch::ConsoleWatch;
use crate::guest::lifetime::{Lifetime, Setup};
use crate::guest::serial_login::log_in_at_boot;
use crate::guest::shell_gate::ShellGate;
use crate::guest::{Guest, Running};
use crate::host::accelerator::{Accelerator, accelerator};
use crate::host::blocking::blocking;
use crate::host::files::at;
use crate::host::sockets::{Listener, Sockets};
use crate::host::vlan;
use crate::start::StartCommand;

/// How long QEMU may take to connect. It does so before it starts the guest, so this is
/// long even for a host under load.
const CONNECT_LIMIT: Duration = Duration::from_mins(1);

/// How QEMU's C library gets memory: as huge pages, and for all threads from one heap. QEMU writes
/// to 20 MB of it when it loads a saved state: with usual pages, that is half of a clone's page
/// faults, and a twentieth of its time.
const GLIBC_TUNABLES: &str = "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1";

/// How a QEMU is to be started.
pub(crate) struct Launch<'a> {
    pub(crate) start: StartCommand,
    /// Where the start command runs.
    pub(crate) dir: &'a Path,
    pub(crate) env: &'a [(OsString, OsString)],
    pub(crate) source: &'a BootSource,
    pub(crate) allow_reboot: bool,
}

impl Instance {
    /// Starts QEMU and waits until it has connected to its sockets.
    pub(crate) async fn launch(guest: &Guest, launch: Launch<'_>) -> Result<Self, ErrorKind> {
        let (lifetime, connections) = match connect(guest, &launch, Copies::Shared).await {
            Err(kind) if is_9p_unsupported(&kind) => {
                tracing::warn!(
                    machine = guest.name(),
                    "QEMU does not support 9p: files are copied through the shell"
                );
                connect(guest, &launch, Copies::Absent).await?
            }
            started => started?,
        };
        let Connections {
            hmp,
            qmp,
            shell,
            agent,
        } = connections;
        lifetime.reports.begin();
        let lifetime = Arc::new(lifetime);
        let gate = ShellGate::new(Arc::clone(&lifetime), shell);
        let running = Arc::new(Running { lifetime, gate });
        let (weak, monitor) = (Arc::downgrade(&running), qmp.clone());
        let start = guest.has_shell().then(|| launch.start.clone());
        running.lifetime.set_diagnosis(Box::new(move || {
            let diagnosis = diagnosis::diagnose(weak.clone(), monitor.clone(), start.clone());
            Box::pin(diagnosis)
        }));
        tokio::spawn(event_watch::follow(
            Arc::downgrade(&running),
            qmp.clone(),
            qmp.events(),
        ));
        let locks = Locks::default();
        if guest.has_shell() {
            bring_shell(&launch, &running, &qmp, &locks);
        }
        Ok(Self {
            _guest: guest.clone(),
            running,
            hmp,
            events: qmp.event_history(),
            qmp,
            agent: tokio::sync::Mutex::new(agent),
            locks,
            migration_socket: guest.state().sockets().migration,
        })
    }
}

/// Starts the tasks by which the shell gets into a guest that does not start it by itself.
fn bring_shell(launch: &Launch<'_>, running: &Arc<Running>, qmp: &Qmp, locks: &Locks) {
    let has_booted = launch.source.saved().is_some();
    if launch.start.needs_start_port() {
        let (running, lock) = (Arc::clone(running), Arc::clone(&locks.start_port));
        tokio::spawn(start_port::start_shell(
            running,
            qmp.clone(),
            lock,
            has_booted,
        ));
    }
    if let Some(login) = launch.start.serial_login() {
        let login = log_in_at_boot(Arc::clone(running), login.clone(), has_booted);
        tokio::spawn(login);
    }
}

/// Whether the guest gets the directory for copies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copies {
    Shared,
    Absent,
}

/// Starts QEMU and waits until it has connected to its sockets.
async fn connect(
    guest: &Guest,
    launch: &Launch<'_>,
    copies: Copies,
) -> Result<(Lifetime, Connections), ErrorKind> {
    let sockets = guest.state().sockets();
    let listeners = Listeners::bind(&sockets)?;
    let lifetime = spawn(guest, &sockets, launch, copies).await?;
    let connected = async {
        match timeout(CONNECT_LIMIT, listeners.accept()).await {
            Ok(connections) => connections,
            Err(_) => Err(ErrorKind::NoConnection {
                waited: CONNECT_LIMIT,
                stderr: lifetime.last_stderr_lines(),
            }),
        }
    };
    let connected = lifetime.until_exit("starting QEMU", connected).await;
    match connected {
        Ok(connections) => Ok((lifetime, connections)),
        Err(kind) => {
            // Waits for QEMU to exit.
            blocking(move || drop(lifetime)).await;
            Err(explain_exit(kind))
        }
    }
}

/// Whether QEMU has ended because it was built without 9p, as on RHEL.
fn is_9p_unsupported(kind: &ErrorKind) -> bool {
    let ErrorKind::Exited { stderr, .. } = kind else {
        return false;
    };
    let reasons = [
        "fsdev support is disabled",
        "'virtio-9p-pci' is not a valid device",
    ];
    stderr
        .iter()
        .any(|line| reasons.iter().any(|reason| line.contains(reason)))
}

async fn spawn(
    guest: &Guest,
    sockets: &Sockets,
    launch: &Launch<'_>,
    copies: Copies,
) -> Result<Lifetime, ErrorKind> {
    let state = guest.state();
    let accelerator = accelerator().await;
    let start = &launch.start;
    start.prepare(launch.dir).await?;
    let mut spec = start.spec(accelerator, state.shared())?;
    spec.args
        .extend(arguments::connections(sockets, launch.allow_reboot));
    if copies == Copies::Shared {
        spec.args.extend(arguments::copies(state.copies()));
    }
    spec.args.extend(arguments::boot_source(launch.source));
    if start.wants_network_cards() {
        let networks = vlan::networks(launch.env);
        spec.args.extend(arguments::cards(guest.name(), &networks));
    }
    if start.wants_qemu_opts() {
        spec.args.extend(arguments::qemu_opts());
    }
    spec.args.extend(arguments::display());
    let (boot_log, shown) = match launch.source.boot_log() {
        Some(path) => {
            let log = File::open(&path).await.map_err(at(&path))?;
            let len = log.metadata().await.map_err(at(&path))?.len();
            (Some(log), usize::try_from(len).unwrap_or(usize::MAX))
        }
        None => (None, 0),
    };
    let saved = launch.source.saved().and_then(SavedState::vm);
    let screen = saved.map(|vm| (vm.screen.clone(), shown));
    let signs = Arc::clone(guest.signs());
    Lifetime::spawn(Setup {
        guest,
        name: "QEMU",
        spec,
        dir: launch.dir,
        env: environment(guest, launch, accelerator),
        mounts: Vec::new(),
        watch: Arc::new(ConsoleWatch::new(signs, launch.allow_reboot)),
        boot_log,
        screen,
    })
}

/// The variables of QEMU or its start script, besides those of this process.
fn environment(
    guest: &Guest,
    launch: &Launch<'_>,
    accelerator: Accelerator,
) -> Vec<(OsString, OsString)> {
    let efi_vars = format!("{}-efi-vars.fd", guest.name());
    let variables = [
        ("TMPDIR", OsString::from(launch.dir)),
        ("SHARED_DIR", OsString::from(guest.state().shared())),
        ("USE_TMPDIR", OsString::from("1")),
        ("VM_ACCEL", OsString::from(accelerator.name())),
        ("NIX_EFI_VARS", launch.dir.join(efi_vars).into()),
    ];
    let tunables = std::env::var_os("GLIBC_TUNABLES").unwrap_or_else(|| GLIBC_TUNABLES.into());
    let variables = variables.map(|(name, value)| (OsString::from(name), value));
    // A machine's own variable replaces this one.
    iter::once(("GLIBC_TUNABLES".into(), tunables))
        .chain(launch.env.iter().cloned())
        .chain(variables)
        .collect()
}

/// The sockets to which QEMU connects.
struct Listeners {
    monitor: Listener,
    qmp: Listener,
    shell: Listener,
    shell_port: Listener,
    agent: Listener,
}

struct Connections {
    hmp: Hmp,
    qmp: Qmp,
    shell: Shell<UnixStream>,
    agent: clone_agent::Connection,
}

impl Listeners {
    fn bind(sockets: &Sockets) -> Result<Self, ErrorKind> {
        Ok(Self {
            monitor: Listener::bind(&sockets.monitor)?,
            qmp: Listener::bind(&sockets.qmp)?,
            shell: Listener::bind(&sockets.shell)?,
            shell_port: Listener::bind(&sockets.shell_port)?,
            agent: Listener::bind(&sockets.clone_agent)?,
        })
    }

    async fn accept(&self) -> Result<Connections, ErrorKind> {
        let monitor = self.monitor.accept().await?;
        let qmp = self.qmp.accept().await?;
        let shell = Shell::new(self.shell.accept().await?);
        let shell = shell.with_port(self.shell_port.accept().await?);
        let agent = BufReader::new(self.agent.accept().await?);
        let hmp = Hmp::connect(monitor).await;
        let qmp = Qmp::connect(qmp).await;
        Ok(Connections {
            hmp: hmp.map_err(|source| monitor_error("opening the monitor", source))?,
            qmp: qmp.map_err(|source| monitor_error("opening QMP", source))?,
            shell,
            agent,
        })
    }
}

/// Marks the exit as one during the start. A start command that succeeded was not QEMU.
fn explain_exit(mut kind: ErrorKind) -> ErrorKind {
    if let ErrorKind::Exited {
        doing,
        status,
        starting,
        ..
    } = &mut kind
    {
        *starting = true;
        if status.success() {
            doing.push_str(" (the start command must become it by `exec`, not start and leave it)");
        }
    }
    kind
}
