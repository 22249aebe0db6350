//! What a machine starts from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use machine::{CloudImage, Linux, Machine, StartCommand, Template};

use crate::cli::MachineFlags;
use crate::{clean, log, streams};

/// Waits for cloud-init, if the guest has it.
const CLOUD_INIT: &str =
    "! command -v cloud-init >/dev/null || cloud-init status --wait >/dev/null || :";

/// Starts a fresh machine, and connects its shell.
pub(crate) async fn start(flags: &MachineFlags) -> Result<Machine> {
    let start = start_command(flags)?;
    if flags.boot || flags.source.host_root {
        log::doing("booting a machine");
        let vm = Machine::new(start)?;
        vm.connect().await?;
        if flags.source.image.is_some() {
            vm.succeed(CLOUD_INIT).await?;
        }
        return Ok(vm);
    }
    log::doing("starting a machine (the first time, it boots and is saved)");
    let mut template = Template::builder(start).cache_dir(clean::templates()?);
    if flags.source.image.is_some() {
        template = template.succeed(CLOUD_INIT);
    }
    Ok(template.build().await?.clone_machine().await?)
}

fn start_command(flags: &MachineFlags) -> Result<StartCommand> {
    let source = &flags.source;
    if let Some(image) = &source.image {
        // QEMU's own message would be about the machine's disk.
        fs::metadata(image).with_context(|| format!("reading the image {}", image.display()))?;
        return Ok(CloudImage::new(image)
            .memory_mib(flags.memory)
            .cpus(flags.cpus)
            .args(streams::qemu_args())
            .into());
    }
    let kernel = match &flags.kernel {
        Some(kernel) => kernel.clone(),
        None => own_kernel(Path::new("/boot"))?,
    };
    let linux = Linux::new(kernel)
        .name("guest")
        .memory_mib(flags.memory)
        .cpus(flags.cpus)
        .args(streams::qemu_args());
    let linux = if let Some(dir) = &source.root_dir {
        linux.root_dir(dir)
    } else if let Some(archive) = &source.root_tar {
        linux.root_tar(archive)
    } else if let Some(layout) = &source.oci_layout {
        linux.oci_layout(layout)
    } else {
        linux.host_root()
    };
    Ok(linux.into())
}

/// The kernel in `boot` that runs, or the newest one.
fn own_kernel(boot: &Path) -> Result<PathBuf> {
    let release = rustix::system::uname();
    let running = boot.join(format!("vmlinuz-{}", release.release().to_string_lossy()));
    if running.exists() {
        return Ok(running);
    }
    let mut kernels = Vec::new();
    for entry in fs::read_dir(boot).into_iter().flatten() {
        let entry = entry.with_context(|| format!("reading {}", boot.display()))?;
        if entry.file_name().to_string_lossy().starts_with("vmlinuz-") {
            kernels.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    let newest = kernels.into_iter().max().map(|(_, path)| path);
    newest.with_context(|| {
        format!(
            "there is no kernel in {}: name one by --kernel, or install one, such as Debian's \
             package `linux-image-amd64`",
            boot.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn the_newest_kernel_is_taken_unless_one_runs() {
        let boot = tempfile::tempdir().unwrap();
        let error = own_kernel(boot.path()).unwrap_err().to_string();
        assert!(error.contains("by --kernel"), "{error}");
        for (name, age) in [("config-2", 0), ("vmlinuz-1", 1), ("vmlinuz-0", 2)] {
            let file = fs::File::create(boot.path().join(name)).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            file.set_modified(time).unwrap();
        }
        let kernel = || own_kernel(boot.path()).unwrap();
        assert_eq!(kernel(), boot.path().join("vmlinuz-1"));
        let release = rustix::system::uname();
        let running = format!("vmlinuz-{}", release.release().to_string_lossy());
        fs::write(boot.path().join(&running), "").unwrap();
        assert_eq!(kernel(), boot.path().join(running));
    }
}
