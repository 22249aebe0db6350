//! What is done when systemd-nspawn reports that its container was started, or has booted.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use tokio::sync::{oneshot, watch};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::cards::Cards;
use super::notify::{NotifySocket, Report};
use super::refusal::cannot;
use super::shell::ShellEnd;
use crate::error::ErrorKind;
use crate::guest::Running;
use crate::guest::lifetime::Lifetime;
use crate::host::leader::Leader;

/// Follows the reports of a container for as long as it runs.
pub(super) struct Follower {
    /// The container's name.
    pub(super) machine: String,
    pub(super) socket: NotifySocket,
    pub(super) running: Weak<Running>,
    pub(super) cards: Arc<Cards>,
    /// Whether the cards are in the network namespace of a start script.
    pub(super) is_script: bool,
    /// Whether this process is in the host's user namespace.
    pub(super) is_on_host: bool,
    pub(super) init: watch::Sender<Option<Arc<Leader>>>,
    pub(super) shell_end: Arc<ShellEnd>,
    pub(super) shell: Option<AbortOnDropHandle<()>>,
}

impl Follower {
    /// Runs until the process has ended. `started` receives the result of the first start.
    pub(super) async fn run(
        mut self,
        lifetime: Arc<Lifetime>,
        started: oneshot::Sender<Result<(), ErrorKind>>,
    ) {
        let mut started = Some(started);
        loop {
            let reports = tokio::select! {
                _ = lifetime.exited() => break,
                reports = self.socket.next() => reports,
            };
            let reports = match reports {
                Ok(reports) => reports,
                Err(error) => {
                    let failure =
                        format!("unplugged, as systemd-nspawn's reports can't be read: {error}");
                    self.cards.report_failure(&failure);
                    break;
                }
            };
            for report in reports {
                match report {
                    Report::Started(pid) => {
                        let connected = self.start(pid, &lifetime).await;
                        match (started.take(), connected) {
                            (Some(started), connected) => drop(started.send(connected)),
                            // Its end will be reported otherwise.
                            (None, Err(kind)) if self.is_alive() => {
                                self.cards
                                    .report_failure(&format!("after a reboot: {kind}"));
                            }
                            (None, _) => {}
                        }
                    }
                    Report::Ready => self.start_shell(),
                }
            }
        }
        self.shell = None;
        self.cards.disconnect().await;
    }

    fn is_alive(&self) -> bool {
        self.init.borrow().as_ref().is_some_and(|it| it.is_alive())
    }

    /// The container was started, and its init has this process id.
    async fn start(&mut self, pid: u32, lifetime: &Lifetime) -> Result<(), ErrorKind> {
        let init = leader(pid)?;
        if !init.is_in_container() {
            return Err(cannot(format!("its init, process {pid}, has ended")));
        }
        self.shell = None;
        let rebooted = self.init.send_replace(Some(Arc::clone(&init))).is_some();
        if rebooted && let Some(running) = self.running.upgrade() {
            running.lifetime.watch.restart();
            running.gate.reset(SystemTime::now());
        }
        if !rebooted && self.is_script && self.is_on_host && init.has_same_users() {
            tracing::warn!(
                machine = self.machine,
                "its users are those of the host, and its root is root of the host: the start \
                 script gives systemd-nspawn no option `--private-users=pick`"
            );
        }
        let cards = if self.is_script {
            leader(lifetime.pid())?
        } else {
            init
        };
        self.cards.connect(cards).await
    }

    /// The container has booted: it gets a root shell.
    fn start_shell(&mut self) {
        let Some(init) = self.init.borrow().clone() else {
            return;
        };
        if self.shell.is_some() {
            // systemd was reloaded.
            return;
        }
        let shell = Arc::clone(&self.shell_end).run(self.machine.clone(), init);
        let shell = tokio::spawn(shell.in_current_span());
        self.shell = Some(AbortOnDropHandle::new(shell));
    }
}

fn leader(pid: u32) -> Result<Arc<Leader>, ErrorKind> {
    let leader = Leader::of(pid);
    let leader =
        leader.map_err(|error| cannot(format!("can't open the process {pid}: {error}")))?;
    Ok(Arc::new(leader))
}
