//! Machines whose first start continues from a template of their own start command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Template, TemplateBuilder};
use crate::host::vlan;
use crate::machine::{Builder, Machine};

impl Builder {
    /// Makes the first start continue from a template of the start command, kept in
    /// `cache_dir`. If there is none, it is made first, which takes a boot and up to half a
    /// minute. So the guest has booted already when it starts, alone on networks of the
    /// same numbers. Its console log begins with that of this boot.
    ///
    /// A machine boots instead, with a warning, if it can't be saved, if its state is
    /// [kept](Self::keep_vm_state), or it has an environment [variable](Self::env) or a
    /// disk already. A machine [without a shell](Self::without_shell) always boots; another
    /// one whose guest has none does so after a wait of 15 minutes each time. Of the environment, only `NIX_DISK_IMAGE`, `NIX_SWTPM_DIR`, `QEMU_…`,
    /// `VM_NODES` and `VM_VLANS…`, and variables that a shell command names, make a
    /// different template. The directory must belong to this user, and not be writable by
    /// others. Templates stay until they are [cleared](Template::clear).
    ///
    /// A [`Template`] can be prepared explicitly, too.
    pub fn templates(self, cache_dir: impl Into<PathBuf>) -> Self {
        let cache_dir: PathBuf = cache_dir.into();
        self.saved_state_source(Arc::new(move |vm| {
            let template = describe(&vm, &cache_dir);
            Box::pin(async {
                let template = template?.build().await;
                template.map_err(|error| error.to_string())?.current()
            })
        }))
    }
}

/// A template of a machine's present start command, alone on networks of the same numbers.
///
/// # Errors
/// Why it can't have one.
fn describe(vm: &Machine, cache_dir: &Path) -> Result<TemplateBuilder, String> {
    if vm.state().is_kept() {
        return Err("its state is kept".to_owned());
    }
    if !vm.has_shell() {
        return Err("without a root shell, nothing shows that its guest has booted".to_owned());
    }
    let mut own = vm.start_env().iter();
    if own.any(|(name, _)| vlan::number(name).is_none()) {
        return Err("its start command has variables of its own".to_owned());
    }
    let vlans = vlan::networks(vm.start_env()).into_keys();
    let template = Template::builder(vm.start_command()).cache_dir(cache_dir);
    Ok(vlans.fold(template, TemplateBuilder::vlan))
}
