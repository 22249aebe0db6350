//! The first start of a machine that goes on from a template of its own start command.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use crate::error::Result;
use crate::host::vlan;
use crate::instance::saved_state::{Disk, Origin, Saved};
use crate::machine::Machine;
use crate::template::{Template, TemplateBuilder};

impl Machine {
    /// Starts where the template was saved, or boots, and tells why.
    pub(crate) async fn start_from_template(
        &self,
        cache_dir: &Path,
        allow_reboot: bool,
    ) -> Result<()> {
        let reason = match self.go_on_from_template(cache_dir, allow_reboot).await {
            Ok(()) => return Ok(()),
            Err(reason) => reason,
        };
        tracing::warn!(
            machine = self.parts.name,
            "it is booted, not cloned: {reason}"
        );
        self.start_from(&Origin::Boot, allow_reboot).await
    }

    /// # Errors
    /// Why it does not.
    async fn go_on_from_template(
        &self,
        cache_dir: &Path,
        allow_reboot: bool,
    ) -> Result<(), String> {
        let saved = self.own_template(cache_dir).await?;
        let placed = self.disks_to_place(&saved)?;
        let origin = Origin::Own(saved.clone());
        match self.start_from(&origin, allow_reboot).await {
            Ok(()) => {
                placed.stay();
                let _ = self.parts.saved.set(saved);
                Ok(())
            }
            Err(error) => {
                saved.failed(&error);
                Err(error.to_string())
            }
        }
    }

    /// The disks that it gets of a template, unless it has its own already.
    fn disks_to_place(&self, saved: &Saved) -> Result<Placed, String> {
        let state = self.parts.state.path();
        let disks = saved.contents().into_iter().flat_map(|it| &it.disks);
        let disks: Vec<PathBuf> = disks.map(|Disk { name, .. }| state.join(name)).collect();
        match disks.iter().find(|disk| disk.exists()) {
            Some(disk) => Err(format!("it has {} already", disk.display())),
            None => Ok(Placed(disks)),
        }
    }

    /// A template of the machine's start command as it is now, alone on networks of the
    /// same numbers.
    ///
    /// Making one starts a machine: a future that has itself in it is in a box.
    fn own_template(&self, cache_dir: &Path) -> BoxFuture<'static, Result<Saved, String>> {
        let description = self.describe_template(cache_dir);
        Box::pin(async {
            let template = description?.build().await;
            template.map_err(|error| error.to_string())?.current()
        })
    }

    fn describe_template(&self, cache_dir: &Path) -> Result<TemplateBuilder, String> {
        if self.parts.state.is_kept() {
            return Err("its state is kept".to_owned());
        }
        let own = self.parts.env.iter().map(|(name, _)| vlan::number(name));
        let Some(own) = own.collect::<Option<Vec<u32>>>() else {
            return Err("its start command has variables of its own".to_owned());
        };
        let inherited = env::vars_os().filter_map(|(name, _)| vlan::number(&name));
        let vlans: BTreeSet<u32> = inherited.chain(own).collect();
        let template = Template::builder(self.start_command()).cache_dir(cache_dir);
        Ok(vlans.into_iter().fold(template, TemplateBuilder::vlan))
    }
}

/// Disks of a template's that go again, unless the machine has been started with them.
struct Placed(Vec<PathBuf>);

impl Placed {
    fn stay(mut self) {
        self.0.clear();
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        for disk in &self.0 {
            let _ = fs::remove_file(disk);
        }
    }
}
