//! Saving a QEMU's devices and loading them.

use std::path::Path;

use backdoor_shell::Session;
use serde_json::Value;

use super::network_info::shared_macs;
use super::saved_state::SavedState;
use super::{Monitors, migration, refusal};
use crate::error::{ErrorKind, Result, chain};

/// The operation of loading, in errors.
pub(crate) const LOADING: &str = "continuing from a template";

impl Monitors<'_> {
    /// The size of the guest's RAM in bytes.
    pub(crate) async fn ram_size(&self) -> Result<u64, ErrorKind> {
        let summary = self.qmp("query-memory-size-summary", Value::Null).await?;
        summary["base-memory"].as_u64().ok_or_else(|| {
            not_savable(format!(
                "QEMU does not report the size of its RAM: {summary}"
            ))
        })
    }

    /// Fails if the guest has a balloon: QEMU frees the RAM that it gives back in the
    /// RAM's file, which clones share, and they would read zeros.
    pub(crate) async fn refuse_balloon(&self) -> Result<(), ErrorKind> {
        match self.qmp("query-balloon", Value::Null).await {
            Ok(_) => Err(not_savable(
                "virtio-balloon is attached; it would free RAM shared by clones",
            )),
            Err(kind) if refusal(&kind).is_some() => Ok(()),
            Err(kind) => Err(kind),
        }
    }

    /// The hardware addresses that must differ between clones.
    pub(crate) async fn shared_macs(&self) -> Result<Vec<String>, ErrorKind> {
        let info = self.hmp("listing networks", "info network").await?;
        Ok(shared_macs(&info))
    }

    /// Saves the devices of a stopped guest to a file.
    pub(crate) async fn save_devices(&self, file: &Path) -> Result<(), ErrorKind> {
        let saved = migration::save(self.instance, file);
        let saved = self.answer("saving the machine", saved).await;
        saved.map_err(|kind| match refusal(&kind) {
            // QEMU refuses at once if a device can't be saved.
            Some(reason) => not_savable(reason),
            None => kind,
        })
    }

    /// Loads a saved state and lets the guest continue.
    pub(crate) async fn load(&self, saved: &SavedState) -> Result<(), ErrorKind> {
        let vm = saved.vm().cloned().unwrap_or_default();
        let version = self.instance.qmp.greeting().version.to_string();
        if version != vm.qemu {
            let reason = format!("QEMU {} saved it, and this is {version}", vm.qemu);
            return Err(template_error(LOADING, reason));
        }
        let session: Session = match vm.session.parse() {
            Ok(session) => session,
            Err(error) => return Err(template_error(LOADING, chain(&error))),
        };
        let devices = saved.state();
        self.answer(LOADING, async {
            migration::load(self.instance, &devices).await?;
            self.instance.running.gate.resume(session).await;
            self.qmp("cont", Value::Null).await.map(drop)
        })
        .await
    }
}

/// The error of a load: QEMU exits with a status if it can't load the state.
pub(crate) fn load_error(kind: ErrorKind) -> ErrorKind {
    match kind {
        ErrorKind::Exited { status, stderr, .. } if status.code().is_some() => {
            let reason = format!("QEMU has ended ({status}): {}", stderr.join("; "));
            template_error(LOADING, reason)
        }
        kind => kind,
    }
}

pub(crate) fn not_savable(reason: impl Into<String>) -> ErrorKind {
    ErrorKind::NotSavable {
        reason: reason.into(),
    }
}

/// A template could not be made or used.
pub(crate) fn template_error(doing: &str, reason: impl Into<String>) -> ErrorKind {
    ErrorKind::Template {
        doing: doing.to_owned(),
        reason: reason.into(),
        misuse: false,
    }
}
