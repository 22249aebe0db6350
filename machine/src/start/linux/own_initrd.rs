//! The driver's own initramfs, from which the root shell comes.

use std::path::PathBuf;
use std::{fs, io};

use backdoor_shell::BACKDOOR;

use super::initramfs::Initramfs;
use super::kernel::Kernel;
use super::root::Root;
use super::{BASH, Init, Linux, RESPAWN, busybox};
use crate::host::process::find_in_path;
use crate::start::credentials::SERVICE;

const INIT: &str = include_str!("../guest/init.sh");
const ALONE: &str = include_str!("../guest/alone.sh");
const POWER: &str = include_str!("../guest/power.sh");

impl Linux {
    /// With the modules in these files, which are loaded in this order.
    pub(super) fn own_initrd(&self, kernel: &Kernel, order: &[PathBuf]) -> io::Result<Vec<u8>> {
        let mut initramfs = Initramfs::default();
        busybox::add(&mut initramfs)?;
        initramfs.program("init", INIT);
        initramfs.file("settings", self.guest_settings(kernel)?);
        for (name, script) in [
            ("backdoor.sh", BACKDOOR),
            ("respawn.sh", RESPAWN),
            ("alone.sh", ALONE),
            ("vmwright-shell.service", SERVICE),
        ] {
            initramfs.file(&format!("vmwright/{name}"), script);
        }
        // For roots without bash.
        if let Some(bash) = find_in_path(BASH)
            && self.root.is_disk()
        {
            initramfs.program("vmwright/bash", fs::read(bash)?);
        }
        initramfs.program("vmwright/bin/poweroff", POWER);
        initramfs.link("vmwright/bin/reboot", "poweroff");
        let mut names = String::new();
        if let Some(modules) = kernel.modules() {
            for (number, file) in order.iter().enumerate() {
                let name = format!("{number}.ko");
                initramfs.file(&format!("modules/{name}"), modules.read(file)?);
                names = names + &name + "\n";
            }
        }
        initramfs.file("modules/order", names);
        initramfs.archive()
    }

    /// The shell variables of `guest/init.sh`.
    fn guest_settings(&self, kernel: &Kernel) -> io::Result<String> {
        let init = match &self.init {
            Init::Path(path) => path,
            Init::Auto if self.root != Root::Host => "auto",
            Init::Auto | Init::None => "",
        };
        let modules = match kernel.modules() {
            Some(modules) if self.root == Root::Host => modules.dir().canonicalize()?,
            _ => PathBuf::new(),
        };
        let modules = modules.to_string_lossy();
        let settings = [
            ("name", self.settings.name()),
            ("root", self.root.name()),
            ("init", init),
            ("modules", &modules),
        ];
        let lines = settings.map(|(name, value)| {
            let value = backdoor_shell::quote(value).map_err(io::Error::other)?;
            Ok(format!("{name}={value}\n"))
        });
        lines.into_iter().collect()
    }
}
