//! A kernel of the user: its version, its modules, and what it can do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::config::{Config, Setting};
use super::modules::Modules;
use crate::error::ErrorKind;

/// Where the fields of a bzImage are: Documentation/arch/x86/boot.rst in Linux.
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const VERSION: usize = 0x20e;
const PAYLOAD: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
const SECTOR: usize = 512;

/// The modules of kernels that are installed.
const MODULES: &str = "/lib/modules";

/// Something that a kernel can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Feature {
    /// The option by which it is configured.
    pub(super) option: &'static str,
    /// The module that it may be in; none if it is always built in.
    pub(super) module: Option<&'static str>,
}

pub(super) const fn module(option: &'static str, module: &'static str) -> Feature {
    let module = Some(module);
    Feature { option, module }
}

pub(super) const fn builtin(option: &'static str) -> Feature {
    let module = None;
    Feature { option, module }
}

/// A kernel and what belongs to it.
#[derive(Debug)]
pub(super) struct Kernel {
    path: PathBuf,
    modules: Option<Modules>,
    config: Option<Config>,
}

impl Kernel {
    /// Reads the kernel at `path`. Its modules are in `modules_dir`, or in the directory of
    /// its version beside it, or in `/lib/modules`.
    pub(super) fn open(path: &Path, modules_dir: Option<&Path>) -> Result<Self, ErrorKind> {
        let kernel = Self {
            path: path.to_owned(),
            modules: None,
            config: None,
        };
        let fails = |error| kernel.failed("reading it", error);
        if path.is_dir() {
            return Err(kernel.error("it is a directory".to_owned()));
        }
        let image = fs::read(path).map_err(fails)?;
        let image = Image::parse(&image).ok_or_else(|| {
            kernel.error("it is no kernel for x86: neither a bzImage nor an ELF file".to_owned())
        })?;
        let version = image.version.as_deref();
        let dir = match modules_dir {
            Some(dir) => Some(dir.to_owned()),
            None => version.and_then(|version| find_modules(path, version)),
        };
        let modules = dir.map(|dir| Modules::open(&dir)).transpose();
        let modules = modules.map_err(|error| kernel.failed("reading its modules", error))?;
        let config = match config_beside(path, version, modules.as_ref()) {
            Some(text) => Some(Config::new(text)),
            None if may_have_config(modules.as_ref()) => image.config(),
            None => None,
        };
        Ok(Self {
            modules,
            config,
            ..kernel
        })
    }

    pub(super) fn modules(&self) -> Option<&Modules> {
        self.modules.as_ref()
    }

    /// The files of the modules to load for what is `required` and for what is `optional`,
    /// in load order.
    ///
    /// # Errors
    /// [`Kernel`](ErrorKind::Kernel) with everything that is missing.
    pub(super) fn files(
        &self,
        required: &[Feature],
        optional: &[&str],
    ) -> Result<Vec<PathBuf>, ErrorKind> {
        let missing: Vec<String> = required.iter().filter_map(|it| self.lacks(it)).collect();
        if !missing.is_empty() {
            return Err(self.error(missing.join("; ")));
        }
        let required = required.iter().filter_map(|feature| feature.module);
        let mut order: Vec<PathBuf> = Vec::new();
        for module in required.chain(optional.iter().copied()) {
            let files = self.modules.as_ref().and_then(|it| it.files(module));
            for file in files.unwrap_or_default() {
                if !order.contains(file) {
                    order.push(file.clone());
                }
            }
        }
        Ok(order)
    }

    /// Checks that it has features, or their modules elsewhere.
    ///
    /// # Errors
    /// [`Kernel`](ErrorKind::Kernel) with everything that is missing.
    pub(super) fn check_options(&self, required: &[Feature]) -> Result<(), ErrorKind> {
        let Some(config) = &self.config else {
            return Ok(());
        };
        let off = required
            .iter()
            .filter(|feature| config.setting(feature.option) == Setting::Off);
        let missing: Vec<String> = off.map(|it| format!("it lacks {}", it.option)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(self.error(missing.join("; ")))
    }

    /// Why the kernel can't do it, if that is known.
    fn lacks(&self, feature: &Feature) -> Option<String> {
        let option = feature.option;
        let modules = self.modules.as_ref();
        let listed = feature.module.zip(modules);
        if listed.is_some_and(|(module, modules)| modules.files(module).is_some()) {
            return None;
        }
        let setting = self.config.as_ref().map(|it| it.setting(option));
        let is_builtin = listed.and_then(|(module, modules)| modules.is_builtin(module));
        match (setting, is_builtin) {
            (Some(Setting::Builtin), _) | (None, Some(true) | None) => None,
            (Some(Setting::Module), _) => Some(match modules {
                Some(modules) => format!(
                    "{option} is a module, which is not in {}",
                    modules.dir().display()
                ),
                None => format!(
                    "{option} is a module, and its modules are not found: give their directory, \
                     `/lib/modules/VERSION`, by `modules_dir`"
                ),
            }),
            (Some(Setting::Off) | None, _) => Some(format!("it lacks {option}")),
        }
    }

    pub(super) fn error(&self, reason: String) -> ErrorKind {
        ErrorKind::Kernel {
            path: self.path.clone(),
            reason,
            source: None,
        }
    }

    pub(super) fn failed(&self, doing: &str, error: io::Error) -> ErrorKind {
        ErrorKind::Kernel {
            path: self.path.clone(),
            reason: doing.to_owned(),
            source: Some(error),
        }
    }
}

/// What a kernel's file contains.
struct Image<'a> {
    version: Option<String>,
    /// The compressed part.
    payload: &'a [u8],
}

impl<'a> Image<'a> {
    /// `None` if it is no kernel.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.starts_with(b"\x7fELF") {
            return Some(Self {
                version: None,
                payload: &[],
            });
        }
        if bytes.get(MAGIC..MAGIC + 4)? != b"HdrS" {
            return None;
        }
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 4)?;
            usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
        };
        let version = bytes.get((number(VERSION)? & 0xffff) + SECTOR..)?;
        let version = version.split(|byte| b" \0".contains(byte)).next()?;
        let setup_sectors = usize::from(bytes[SETUP_SECTORS].max(1)) + 1;
        let payload = setup_sectors * SECTOR + number(PAYLOAD)?;
        Some(Self {
            version: String::from_utf8(version.to_owned()).ok(),
            payload: bytes
                .get(payload..payload + number(PAYLOAD_LENGTH)?)
                .unwrap_or_default(),
        })
    }

    /// The configuration, if it can be read: a kernel may be compressed in another format.
    fn config(&self) -> Option<Config> {
        Config::from_payload(self.payload).ok().flatten()
    }
}

/// Whether it has `CONFIG_IKCONFIG`, as far as is known.
fn may_have_config(modules: Option<&Modules>) -> bool {
    modules.and_then(|it| it.is_builtin("configs")) != Some(false)
}

/// The directory of a version's modules: in the same unpacked package, or installed.
fn find_modules(kernel: &Path, version: &str) -> Option<PathBuf> {
    let dir = kernel.parent()?;
    let candidates = [
        // Kernels are also installed in the directory of their modules.
        dir.to_owned(),
        dir.join("../lib/modules").join(version),
        dir.join("../usr/lib/modules").join(version),
        dir.join("lib/modules").join(version),
        Path::new(MODULES).join(version),
    ];
    let has_modules =
        |dir: &PathBuf| dir.join("kernel").is_dir() || dir.join("modules.dep").exists();
    candidates.into_iter().find(has_modules)
}

/// The configuration in a file beside the kernel or its modules, or in the directory in which
/// it was built.
fn config_beside(
    kernel: &Path,
    version: Option<&str>,
    modules: Option<&Modules>,
) -> Option<String> {
    let dir = kernel.parent()?;
    let candidates = [
        version.map(|version| dir.join(format!("config-{version}"))),
        modules.map(|modules| modules.dir().join("config")),
        // linux/arch/x86/boot/bzImage
        dir.ends_with("arch/x86/boot")
            .then(|| dir.join("../../../.config")),
        // linux/vmlinux
        Some(dir.join(".config")),
    ];
    let mut texts = candidates.into_iter().flatten().map(fs::read_to_string);
    texts.find_map(Result::ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bzImage of nothing but its header.
    fn image(version: &str) -> Vec<u8> {
        let mut image = vec![0; 2048];
        image[SETUP_SECTORS] = 2;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[VERSION..VERSION + 2].copy_from_slice(&0x300_u16.to_le_bytes());
        let text = format!("{version} (builder@host) #1 SMP\0");
        image[0x500..0x500 + text.len()].copy_from_slice(text.as_bytes());
        image
    }

    /// A package with a kernel of version 6.1, in which modules and options are as given.
    struct Package(tempfile::TempDir);

    impl Package {
        fn new(modules_dep: Option<&str>, config: Option<&str>) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let modules = dir.path().join("lib/modules/6.1");
            fs::create_dir_all(dir.path().join("boot")).unwrap();
            fs::write(dir.path().join("boot/vmlinuz"), image("6.1")).unwrap();
            if let Some(text) = modules_dep {
                fs::create_dir_all(&modules).unwrap();
                fs::write(modules.join("modules.dep"), text).unwrap();
            }
            if let Some(text) = config {
                fs::write(dir.path().join("boot/config-6.1"), text).unwrap();
            }
            Self(dir)
        }

        fn files(&self) -> Result<Vec<PathBuf>, String> {
            let kernel = Kernel::open(&self.0.path().join("boot/vmlinuz"), None).unwrap();
            let required = [
                module("CONFIG_VIRTIO_PCI", "virtio_pci"),
                module("CONFIG_9P_FS", "9p"),
                builtin("CONFIG_DEVTMPFS"),
            ];
            let files = kernel.files(&required, &["dummy"]);
            files.map_err(|error| error.to_string())
        }
    }

    #[test]
    fn modules_and_built_in_features_are_found() {
        let dep = "a/virtio_pci.ko: a/ring.ko\na/ring.ko:\na/dummy.ko: a/ring.ko\n";
        let config = "CONFIG_VIRTIO_PCI=m\nCONFIG_9P_FS=y\nCONFIG_DEVTMPFS=y\n";
        let files = Package::new(Some(dep), Some(config)).files().unwrap();
        assert_eq!(
            files,
            ["a/ring.ko", "a/virtio_pci.ko", "a/dummy.ko"].map(PathBuf::from)
        );
    }

    #[test]
    fn everything_that_is_missing_is_named() {
        let config = "CONFIG_VIRTIO_PCI=m\n# CONFIG_9P_FS is not set\n";
        let error = Package::new(Some(""), Some(config)).files().unwrap_err();
        for part in [
            "CONFIG_VIRTIO_PCI is a module, which is not in",
            "lacks CONFIG_9P_FS",
            "lacks CONFIG_DEVTMPFS",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let error = Package::new(None, Some(config)).files().unwrap_err();
        assert!(error.contains("by `modules_dir`"), "{error}");
    }

    #[test]
    fn what_is_not_known_is_not_missing() {
        assert_eq!(
            Package::new(None, None).files().unwrap(),
            <[PathBuf; 0]>::default()
        );
        let package = Package::new(Some(""), None);
        assert_eq!(package.files().unwrap(), <[PathBuf; 0]>::default());
        // It is known from the list of what is built in.
        let builtin = package.0.path().join("lib/modules/6.1/modules.builtin");
        fs::write(builtin, "a/9p.ko\n").unwrap();
        let error = package.files().unwrap_err();
        assert!(error.ends_with("it lacks CONFIG_VIRTIO_PCI"), "{error}");
    }

    #[test]
    fn other_files_are_no_kernels() {
        let dir = tempfile::tempdir().unwrap();
        let open = |path: &Path| Kernel::open(path, None).unwrap_err().to_string();
        let file = dir.path().join("file");
        assert!(open(&file).contains("reading it"), "{}", open(&file));
        assert!(open(dir.path()).contains("is a directory"));
        for contents in [&b""[..], b"MZ", &[0; 4096], &image("6.1")[..0x210]] {
            fs::write(&file, contents).unwrap();
            assert!(open(&file).contains("no kernel for x86"), "{}", open(&file));
        }
        let dir = Some(Path::new("/no/modules"));
        fs::write(&file, image("6.1")).unwrap();
        assert!(matches!(
            Kernel::open(&file, dir),
            Err(ErrorKind::Kernel {
                source: Some(_),
                ..
            })
        ));
    }
}
