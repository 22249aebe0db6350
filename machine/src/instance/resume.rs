//! Starting QEMU where a saved machine continues.

use std::fs;

use backdoor_shell::Session;
use serde_json::Value;

use super::boot_source::BootSource;
use super::disks::create_disks;
use super::errors::template_error;
use super::launch::Launch;
use super::saved_state::{SavedState, SavedVm};
use super::{Instance, Monitors, migration};
use crate::error::{ErrorKind, Result};
use crate::guest::Guest;
use crate::guest::identity::Identity;
use crate::host::blocking::blocking;

/// The operation of loading, in errors.
const LOADING: &str = "continuing from a template";

impl Instance {
    /// Starts QEMU. Its guest boots, or continues from the saved state of the launch.
    pub(crate) async fn start(guest: &Guest, launch: Launch<'_>) -> Result<Self> {
        let source = launch.source;
        if let Some(saved) = source.saved() {
            let created = create_disks(guest.state_dir(), saved).await;
            created.map_err(|kind| guest.error(kind))?;
        }
        let launched = Self::launch(guest, launch).await;
        let mut instance = launched.map_err(|kind| guest.error(kind))?;
        let pid = instance.running.lifetime.pid();
        tracing::info!(
            machine = guest.name(),
            command_line = command_line(pid),
            "QEMU running (pid {pid})"
        );
        if let Some(saved) = source.saved() {
            if let Err(error) = instance.resume(guest, source, saved).await {
                // Waits for QEMU to exit.
                blocking(move || drop(instance)).await;
                return Err(error);
            }
            // The events of loading are not the guest's.
            instance.events = instance.qmp.event_history();
        }
        Ok(instance)
    }

    /// Loads the saved state from which the guest continues.
    async fn resume(&self, guest: &Guest, source: &BootSource, saved: &SavedState) -> Result<()> {
        let monitors = self.monitors(guest.limit());
        let lifetime = &self.running.lifetime;
        let loaded = lifetime.until_exit(LOADING, Box::pin(monitors.load(saved)));
        let loaded = loaded.await.map_err(load_error);
        guest.with_diagnosis(lifetime, loaded).await?;
        match (source, saved.vm()) {
            (BootSource::SavedSelf(_), Some(vm)) => self.identify(guest, vm, None).await,
            _ => Ok(()),
        }
    }

    /// Gives a guest that has continued an identity of its own, and a host name if there is
    /// one.
    pub(crate) async fn identify(
        &self,
        guest: &Guest,
        vm: &SavedVm,
        host_name: Option<&str>,
    ) -> Result<()> {
        let identity = Identity::cloned(&vm.mounts, host_name);
        let agent = vm.agent.as_deref();
        self.apply_identity(guest, agent, &identity).await
    }
}

impl Monitors<'_> {
    /// Loads a saved state and lets the guest continue.
    async fn load(&self, saved: &SavedState) -> Result<(), ErrorKind> {
        let vm = saved.vm().cloned().unwrap_or_default();
        let version = self.instance.qmp.greeting().version.to_string();
        if version != vm.qemu {
            let reason = format!("QEMU {} saved it, and this is {version}", vm.qemu);
            return Err(template_error(LOADING, reason));
        }
        let session = vm.session.as_deref().map(str::parse::<Session>).transpose();
        let session = session.map_err(|error| template_error(LOADING, error))?;
        let devices = saved.state();
        self.answer(LOADING, async {
            migration::load(self.instance, &devices).await?;
            if let Some(session) = session {
                self.instance.running.gate.resume(session).await;
            }
            self.qmp("cont", Value::Null).await.map(drop)
        })
        .await
    }
}

/// The error of a load: QEMU exits with a status if it can't load the state.
fn load_error(kind: ErrorKind) -> ErrorKind {
    match kind {
        ErrorKind::Exited { status, stderr, .. } if status.code().is_some() => {
            let reason = format!("QEMU has ended ({status}): {}", stderr.join("; "));
            template_error(LOADING, reason)
        }
        kind => kind,
    }
}

/// The command line of a process, quoted for a shell.
fn command_line(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let words = line.split_terminator('\0');
    shlex::try_join(words).unwrap_or_default()
}
