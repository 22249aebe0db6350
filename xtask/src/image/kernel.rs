//! Debian's kernel and its modules.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use lzma_rust2::XzReader;

use crate::util::{run, vm_dir};

/// The cloud kernel does not support 9p.
const METAPACKAGE: &str = "linux-image-amd64";

/// How streams of xz begin.
const XZ: &[u8] = b"\xfd7zXZ\0";

/// Modules that an initramfs loads for the guest's devices and file systems. The root
/// shell's console is loaded early because its device appears with a delay.
pub(super) const GUEST_MODULES: [&str; 10] = [
    "virtio_pci",
    "virtio_console",
    "virtio_blk",
    "virtio_net",
    "virtio_rng",
    // Reports kernel panics to QEMU.
    "pvpanic_pci",
    "crc32c_generic",
    "ext4",
    "9pnet_virtio",
    "9p",
];

/// An unpacked kernel package.
pub(super) struct Kernel {
    root: PathBuf,
    version: String,
    dependencies: Dependencies,
}

impl Kernel {
    /// Downloads the newest kernel, unless it is already in the cache, and unpacks it
    /// into `dir`.
    pub(super) fn unpack(dir: &Path) -> Result<Self> {
        let package = newest_package()?;
        let cache = vm_dir().join("cache");
        fs::create_dir_all(&cache)?;
        run(Command::new("apt-get")
            .args(["download", "-q", &package])
            .current_dir(&cache))?;
        let deb = newest_file(&cache, &format!("{package}_"))?;
        let root = dir.to_owned();
        run(Command::new("dpkg-deb").arg("-x").arg(deb).arg(&root))?;

        let version = package.trim_start_matches("linux-image-").to_owned();
        run(Command::new("busybox")
            .args(["depmod", "-b"])
            .arg(&root)
            .arg(&version))?;
        let modules = root.join("lib/modules").join(&version);
        let dep = fs::read_to_string(modules.join("modules.dep"))
            .with_context(|| format!("{package} has no modules"))?;
        Ok(Self {
            root,
            version,
            dependencies: Dependencies::parse(&dep),
        })
    }

    /// The kernel image.
    pub(super) fn vmlinuz(&self) -> PathBuf {
        self.root
            .join("boot")
            .join(format!("vmlinuz-{}", self.version))
    }

    /// What is compressed in the kernel image, by xz.
    pub(super) fn vmlinux(&self) -> Result<Vec<u8>> {
        let image = fs::read(self.vmlinuz())?;
        let start = image.windows(XZ.len()).position(|bytes| bytes == XZ);
        let start = start.context("the kernel is not compressed by xz")?;
        let mut kernel = Vec::new();
        XzReader::new(&image[start..], false)
            .read_to_end(&mut kernel)
            .context("decompressing the kernel")?;
        Ok(kernel)
    }

    /// The kernel's version, as in the directory of its modules.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// The directory of all modules.
    pub(super) fn modules_dir(&self) -> PathBuf {
        self.root.join("lib/modules").join(&self.version)
    }

    /// The files of `modules` and of their dependencies, in load order.
    pub(super) fn modules(&self, modules: &[&str]) -> Result<Vec<PathBuf>> {
        let files = self.dependencies.load_order(modules)?;
        Ok(files
            .into_iter()
            .map(|file| self.modules_dir().join(file))
            .collect())
    }
}

/// The package that the metapackage depends on.
fn newest_package() -> Result<String> {
    let output = run(Command::new("apt-cache").args(["depends", METAPACKAGE]))?;
    let output = String::from_utf8_lossy(&output.stdout);
    output
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "))
        .filter(|package| package.starts_with("linux-image-"))
        .map(str::to_owned)
        .with_context(|| {
            format!("apt can't find {METAPACKAGE}: run `apt-get update` as root, then try again")
        })
}

/// The newest file in `dir` whose name begins with `prefix`.
fn newest_file(dir: &Path, prefix: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            found.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    let newest = found.into_iter().max().map(|(_, path)| path);
    newest.with_context(|| format!("apt did not download {prefix}*.deb to {}", dir.display()))
}

/// The dependencies of modules (modules.dep(5)): for each name, the file and its
/// dependencies in load order.
struct Dependencies(HashMap<String, (String, Vec<String>)>);

impl Dependencies {
    /// A line is `FILE: FILE…`: a module, then its dependencies in reverse load order.
    fn parse(modules_dep: &str) -> Self {
        let lines = modules_dep.lines().filter_map(|line| line.split_once(':'));
        Self(
            lines
                .map(|(file, needs)| {
                    let needs = needs.split_whitespace().rev().map(str::to_owned).collect();
                    (module_name(file), (file.to_owned(), needs))
                })
                .collect(),
        )
    }

    fn load_order(&self, modules: &[&str]) -> Result<Vec<String>> {
        let mut order: Vec<String> = Vec::new();
        for module in modules {
            let (file, needs) = self
                .0
                .get(&module.replace('-', "_"))
                .with_context(|| format!("the kernel has no module {module}"))?;
            for file in needs.iter().chain([file]) {
                if !order.contains(file) {
                    order.push(file.clone());
                }
            }
        }
        Ok(order)
    }
}

/// `kernel/drivers/char/hw_random/virtio-rng.ko` → `virtio_rng`: in module
/// names, `-` and `_` are the same.
fn module_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULES_DEP: &str = "\
kernel/virtio/virtio_pci.ko: kernel/virtio/modern.ko kernel/virtio/virtio.ko kernel/virtio/ring.ko
kernel/virtio/virtio.ko: kernel/virtio/ring.ko
kernel/virtio/ring.ko:
kernel/hw/virtio-rng.ko: kernel/virtio/virtio.ko kernel/virtio/ring.ko
";

    #[test]
    fn dependencies_are_loaded_first_and_once() {
        let order = Dependencies::parse(MODULES_DEP)
            .load_order(&["virtio_pci", "virtio-rng"])
            .unwrap();
        let names: Vec<_> = order.iter().map(|file| module_name(file)).collect();
        assert_eq!(
            names,
            ["ring", "virtio", "modern", "virtio_pci", "virtio_rng"]
        );
    }

    #[test]
    fn the_error_names_an_unknown_module() {
        let error = Dependencies::parse(MODULES_DEP)
            .load_order(&["nope"])
            .unwrap_err();
        assert!(error.to_string().contains("nope"), "{error}");
    }
}
