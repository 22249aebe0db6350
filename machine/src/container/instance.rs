//! One systemd-nspawn from spawn to exit.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::cards::Cards;
use super::command::{ContainerCommand, bind, cannot};
use super::follow::Follower;
use super::network::Networks;
use super::notify::NotifySocket;
use super::shell;
use crate::error::ErrorKind;
use crate::guest::console_watch::ConsoleWatch;
use crate::guest::copy_dir::MOUNT_POINT;
use crate::guest::lifetime::{Lifetime, Setup};
use crate::guest::shell_gate::ShellGate;
use crate::guest::{Guest, Running};
use crate::host::blocking::blocking;
use crate::host::cgroup::Cgroup;
use crate::host::files::at;
use crate::host::leader::Leader;
use crate::host::process::CommandSpec;
use crate::host::root_dir::RootDir;

const START: &str = include_str!("start.sh");

/// How long systemd-nspawn may take to start the container's init.
const START_LIMIT: Duration = Duration::from_mins(1);

/// The most bytes of the container's `/etc/hosts` that are kept.
const MAX_HOSTS: u64 = 1 << 20;

/// The console shows the journal, as a machine's serial console shows its kernel's log.
const JOURNALD: &str = "[Journal]\nForwardToConsole=yes\nMaxLevelConsole=info\n";

/// A container that was started.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) running: Arc<Running>,
    pub(super) cards: Arc<Cards>,
    /// The container's init, once it was started, and after each reboot.
    pub(super) init: watch::Receiver<Option<Arc<Leader>>>,
    /// Dropped after the processes in it were killed.
    _cgroup: Cgroup,
    /// Keeps the state directory until then.
    _guest: Guest,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.running.lifetime.kill();
        self.cards.disconnect_now();
    }
}

impl Instance {
    /// Starts a container, and waits until its init was started and its network cards are
    /// connected.
    pub(super) async fn launch(
        guest: &Guest,
        command: &ContainerCommand,
        networks: &Networks,
    ) -> Result<Self, ErrorKind> {
        command.check().await?;
        networks.check()?;
        let cgroup = Cgroup::create(&command.host_name())?;
        let notify = guest.state().sockets().notify;
        let socket = NotifySocket::bind(&notify)?;
        let lifetime = Arc::new(Lifetime::spawn(Setup {
            guest,
            name: "systemd-nspawn",
            spec: spec(guest, command, networks, &cgroup).await?,
            dir: guest.state().path(),
            env: environment(guest, &notify),
            watch: Arc::new(ConsoleWatch::new(Arc::clone(guest.signs()), true)),
            boot_log: None,
            screen: None,
        })?);
        let (shell, shell_end) = shell::connection().map_err(|error| cannot_connect(&error))?;
        let gate = ShellGate::new(Arc::clone(&lifetime), shell);
        let running = Arc::new(Running { lifetime, gate });
        let name = guest.name().to_owned();
        let cards = Cards::new(name.clone(), command.is_script(), networks.clone());
        let cards = Arc::new(cards);
        let (init, init_receiver) = watch::channel(None);
        let (started, is_started) = oneshot::channel();
        let instance = Self {
            running: Arc::clone(&running),
            cards: Arc::clone(&cards),
            init: init_receiver,
            _cgroup: cgroup,
            _guest: guest.clone(),
        };
        let follower = Follower {
            machine: name,
            socket,
            running: Arc::downgrade(&running),
            cards,
            is_script: command.is_script(),
            init,
            shell_end: Arc::new(shell_end),
            shell: None,
        };
        tokio::spawn(follower.run(Arc::clone(&running.lifetime), started));
        instance.until_started(is_started).await?;
        Ok(instance)
    }

    async fn until_started(
        &self,
        is_started: oneshot::Receiver<Result<(), ErrorKind>>,
    ) -> Result<(), ErrorKind> {
        let lifetime = &self.running.lifetime;
        let started = async {
            match timeout(START_LIMIT, is_started).await {
                Ok(Ok(started)) => started,
                // The process has ended.
                Ok(Err(_)) => std::future::pending().await,
                Err(_) => Err(cannot(format!(
                    "systemd-nspawn did not report within {START_LIMIT:?} that it was started: \
                     does the start script execute it with the script's arguments?"
                ))),
            }
        };
        let started = lifetime
            .until_exit("starting systemd-nspawn", started)
            .await;
        started.map_err(|mut kind| {
            if let ErrorKind::Exited { starting, .. } = &mut kind {
                *starting = true;
            }
            kind
        })
    }
}

/// The variables of a start script, and of systemd-nspawn.
fn environment(guest: &Guest, notify: &Path) -> Vec<(OsString, OsString)> {
    let (state, root) = (guest.state(), root(guest));
    let variables = [
        ("NOTIFY_SOCKET", notify.as_os_str()),
        ("RUN_NSPAWN_ROOT_DIR", root.as_os_str()),
        ("RUN_NSPAWN_SHARED_DIR", state.shared().as_os_str()),
        // A root without `os-release` is one, too.
        ("SYSTEMD_NSPAWN_CHECK_OS_RELEASE", "0".as_ref()),
    ];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    variables.to_vec()
}

/// Where `start.sh` mounts the container's root.
fn root(guest: &Guest) -> PathBuf {
    guest.state_dir().join("root")
}

/// The command that runs `start.sh`.
async fn spec(
    guest: &Guest,
    command: &ContainerCommand,
    networks: &Networks,
    cgroup: &Cgroup,
) -> Result<CommandSpec, ErrorKind> {
    let lower = match command.lower()? {
        Some(lower) => lower,
        None => empty_dir(guest)?,
    };
    // The start script has its own names.
    let hosts = networks.hosts().filter(|_| !command.is_script());
    let options = options(guest, &lower, hosts).await?;
    let nspawn = command.spec(&root(guest), options)?;
    let namespaces: &[&str] = if command.is_script() {
        &["--mount", "--net"]
    } else {
        &["--mount"]
    };
    let mut args: Vec<OsString> = namespaces.iter().map(Into::into).collect();
    args.extend(["--", "/bin/sh", "-c", START, "start.sh"].map(OsString::from));
    args.push(lower.into());
    args.extend(cgroup.dirs().map(OsString::from));
    args.extend(["--".into(), nspawn.program]);
    args.extend(nspawn.args);
    Ok(CommandSpec {
        program: "unshare".into(),
        args,
    })
}

fn empty_dir(guest: &Guest) -> Result<PathBuf, ErrorKind> {
    let dir = guest.state_dir().join("empty");
    fs::create_dir_all(&dir).map_err(at(&dir))?;
    Ok(dir)
}

/// The options of systemd-nspawn for every container.
async fn options(
    guest: &Guest,
    lower: &Path,
    hosts: Option<String>,
) -> Result<Vec<OsString>, ErrorKind> {
    let state = guest.state();
    let journald = guest.state_dir().join("journald.conf");
    let mut options = vec![
        "--notify-ready=yes".into(),
        "--console=interactive".into(),
        bind("--bind=", state.shared(), "/tmp/shared"),
        bind("--bind=", state.copies(), MOUNT_POINT),
        bind(
            "--bind-ro=",
            &journald,
            "/run/systemd/journald.conf.d/vmwright.conf",
        ),
    ];
    let mut files = vec![(journald, JOURNALD.to_owned())];
    if let Some(nodes) = hosts {
        let hosts = guest.state_dir().join("hosts");
        options.push(bind("--bind=", &hosts, "/etc/hosts"));
        // A file of an earlier start may have been changed.
        if !hosts.exists() {
            let lower = lower.to_owned();
            let before = blocking(move || hosts_of(&lower)).await;
            files.push((hosts, before + &nodes));
        }
    }
    blocking(move || {
        for (path, text) in files {
            fs::write(&path, text).map_err(at(&path))?;
            // All users of the container read them, whatever this process's umask.
            let readable = fs::Permissions::from_mode(0o644);
            fs::set_permissions(&path, readable).map_err(at(&path))?;
        }
        Ok(options)
    })
    .await
}

/// The container's own `/etc/hosts`, or the least that one has.
fn hosts_of(lower: &Path) -> String {
    let mut hosts = String::new();
    if let Ok(file) = RootDir::open(lower).and_then(|root| root.file("etc/hosts")) {
        let _ = file.take(MAX_HOSTS).read_to_string(&mut hosts);
    }
    if hosts.is_empty() {
        return "127.0.0.1 localhost\n::1 localhost\n".to_owned();
    }
    if !hosts.ends_with('\n') {
        hosts.push('\n');
    }
    hosts
}

fn cannot_connect(error: &std::io::Error) -> ErrorKind {
    cannot(format!(
        "can't make the connection of its root shell: {error}"
    ))
}
