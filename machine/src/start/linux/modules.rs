//! The modules of a kernel: a directory like `/lib/modules/VERSION`.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::decompress::decompressed;

/// The modules in a directory.
#[derive(Debug)]
pub(super) struct Modules {
    dir: PathBuf,
    /// For each module, its file and those of its dependencies, in load order.
    files: HashMap<String, Vec<PathBuf>>,
    /// Those that are built into the kernel.
    builtin: Option<HashSet<String>>,
}

impl Modules {
    /// Reads the lists of modules in `dir`.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let dependencies = fs::read_to_string(dir.join("modules.dep"));
        let dependencies = dependencies.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if dir.join("kernel").is_dir() => io::Error::other(format!(
                "{} has no modules.dep: run `depmod`, with `-b` for modules that are not in /lib",
                dir.display()
            )),
            _ => io::Error::other(format!("{}: {error}", dir.display())),
        })?;
        let builtin = fs::read_to_string(dir.join("modules.builtin")).ok();
        Ok(Self {
            dir: dir.to_owned(),
            files: load_orders(&dependencies),
            builtin: builtin.map(|text| text.lines().map(name).collect()),
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The files to load for a module, in their order; `None` if there is no such module.
    pub(super) fn files(&self, module: &str) -> Option<&[PathBuf]> {
        self.files.get(module).map(Vec::as_slice)
    }

    /// Whether a module is built in, if that is known.
    pub(super) fn is_builtin(&self, module: &str) -> Option<bool> {
        let builtin = self.builtin.as_ref()?;
        Some(builtin.contains(module))
    }

    /// The contents of a module's file, decompressed: not every kernel can do that.
    pub(super) fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        let mut contents = Vec::new();
        decompressed(File::open(self.dir.join(file))?)?.read_to_end(&mut contents)?;
        Ok(contents)
    }
}

/// A line of `modules.dep` is `FILE: FILE…`: a module, then its dependencies in reverse load
/// order.
fn load_orders(modules_dep: &str) -> HashMap<String, Vec<PathBuf>> {
    let lines = modules_dep.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(file, needs)| {
            let needs = needs.split_whitespace().rev();
            let files = needs.chain([file]).map(PathBuf::from).collect();
            (name(file), files)
        })
        .collect()
}

/// `kernel/drivers/char/hw_random/virtio-rng.ko.xz` → `virtio_rng`: in module names, `-` and
/// `_` are the same.
fn name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_loaded_first() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("kernel")).unwrap();
        let error = Modules::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("run `depmod`"), "{error}");
        let dependencies = "kernel/virtio-rng.ko.xz: kernel/virtio.ko kernel/ring.ko\n\
                            kernel/ring.ko:\n";
        fs::write(dir.path().join("modules.dep"), dependencies).unwrap();
        let modules = Modules::open(dir.path()).unwrap();
        let files = modules.files("virtio_rng").unwrap();
        let order = [
            "kernel/ring.ko",
            "kernel/virtio.ko",
            "kernel/virtio-rng.ko.xz",
        ];
        assert_eq!(files, order.map(PathBuf::from));
        assert_eq!(modules.files("virtio_net"), None);
        assert_eq!(modules.is_builtin("virtio_net"), None);
        fs::write(dir.path().join("modules.builtin"), "kernel/fs/9p/9p.ko\n").unwrap();
        let modules = Modules::open(dir.path()).unwrap();
        assert_eq!(modules.is_builtin("9p"), Some(true));
        assert_eq!(modules.is_builtin("ext4"), Some(false));
    }
}
