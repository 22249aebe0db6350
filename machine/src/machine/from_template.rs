//! The first start of a machine that goes on from a template of its own start command.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use futures_util::future::BoxFuture;

use super::Machine;
use crate::error::{ErrorKind, Result};
use crate::saved::{Disk, Origin, Saved};
use crate::template::{Template, TemplateBuilder};
use crate::vlan;

impl Machine {
    /// Starts where the template was saved, or boots, and tells why. Gives what the guest
    /// goes on from.
    pub(super) async fn start_from_template(
        &self,
        cache_dir: &Path,
        allow_reboot: bool,
    ) -> Result<Option<Saved>> {
        let saved = match self.own_template(cache_dir).await {
            Ok(saved) => saved,
            Err(reason) => return self.boot_instead(&reason, allow_reboot).await,
        };
        let saved = self.parts.saved.get_or_init(|| saved);
        let origin = Origin::Saved(saved.clone());
        let Err(error) = self.start_from(&origin, allow_reboot).await else {
            return Ok(Some(saved.clone()));
        };
        if matches!(error.kind(), ErrorKind::Template { .. }) {
            saved.spoil();
        }
        for Disk { name, .. } in saved.contents().into_iter().flat_map(|it| &it.disks) {
            let _ = fs::remove_file(self.parts.state.path().join(name));
        }
        self.boot_instead(&error.to_string(), allow_reboot).await
    }

    async fn boot_instead(&self, reason: &str, allow_reboot: bool) -> Result<Option<Saved>> {
        tracing::warn!(machine = self.parts.name, "it boots, as no clone: {reason}");
        let booting = self.start_from(&Origin::Boot, allow_reboot).await;
        booting.map(|()| None)
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
        if self.parts.keeps_state {
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
