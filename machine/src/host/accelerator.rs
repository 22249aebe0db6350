//! The accelerator that runs guests on this host.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Once;
use std::time::Duration;
use std::{env, io};

use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::cache_dir;
use super::process::find_in_path;

/// Time limit for the probe's guest. It takes about 0.1 s if KVM works, and may hang if not.
const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// The status of a QEMU whose guest wrote 0x10 to `isa-debug-exit`: (16 << 1) | 1.
const PROBE_PASSED: i32 = 33;

/// The way in which QEMU executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accelerator {
    /// The host's processor, through `/dev/kvm`.
    Kvm,
    /// QEMU's software emulation, available on every host.
    Tcg,
}

impl Accelerator {
    /// QEMU's name for it, as after `-accel`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// The best processor model for it, as after `-cpu`.
    pub(crate) fn cpu(self) -> &'static str {
        match self {
            Self::Kvm => "host",
            // Without features that are slow in emulation.
            Self::Tcg => "max,la57=off,erms=off",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Kvm, Self::Tcg]
            .into_iter()
            .find(|accelerator| accelerator.name() == name)
    }
}

/// The best accelerator that works on this host.
///
/// `$VM_ACCEL` if it is set. Otherwise KVM if a small guest runs under it: on some hosts
/// `/dev/kvm` can be opened, but guests hang or each instruction is emulated. The result is
/// cached in the process, and in `$XDG_CACHE_HOME/vmwright` until the kernel or QEMU changes.
///
/// # Cancellation
/// Ends the guest that tests KVM, and nothing is cached.
pub async fn accelerator() -> Accelerator {
    static PROBED: OnceCell<Accelerator> = OnceCell::const_new();
    match named() {
        Some(accelerator) => accelerator,
        None => *PROBED.get_or_init(cached_probe).await,
    }
}

/// The value of `$VM_ACCEL`. Warns about an unknown one, once.
fn named() -> Option<Accelerator> {
    static WARNING: Once = Once::new();
    let name = env::var_os("VM_ACCEL").filter(|name| !name.is_empty())?;
    let named = name.to_str().and_then(Accelerator::from_name);
    if named.is_none() {
        WARNING.call_once(|| {
            let name = name.display();
            tracing::warn!("VM_ACCEL is ignored: `{name}` is neither `kvm` nor `tcg`");
        });
    }
    named
}

async fn cached_probe() -> Accelerator {
    let qemu = "qemu-system-x86_64";
    // Not cached: permissions may change.
    if File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return Accelerator::Tcg;
    }
    let cache = cache_file(qemu);
    if let Some(known) = cache.as_deref().and_then(read_cache) {
        return known;
    }
    let probed = match probe(qemu).await {
        Ok(probed) => probed,
        Err(error) => {
            tracing::warn!(%error, "could not probe KVM; guests are emulated");
            return Accelerator::Tcg;
        }
    };
    tracing::info!(accelerator = probed.name(), "probed KVM");
    if let Some(cache) = cache
        && let Err(error) = write_cache(&cache, probed)
    {
        tracing::debug!(%error, path = %cache.display(), "could not cache the accelerator");
    }
    probed
}

/// Runs a guest of nineteen bytes under KVM: 2²⁶ iterations of a loop, then a write to the
/// port that ends QEMU.
async fn probe(qemu: &str) -> io::Result<Accelerator> {
    let mut image = tempfile::NamedTempFile::new()?;
    image.write_all(&boot_sector())?;
    let mut drive = OsString::from("if=ide,format=raw,snapshot=on,file=");
    drive.push(crate::host::qemu_option::doubled_commas(
        image.path().as_os_str(),
    ));
    let mut guest = Command::new(qemu)
        .args([
            "-accel",
            "kvm",
            "-nodefaults",
            "-display",
            "none",
            "-m",
            "16",
        ])
        .args([
            "-device",
            "isa-debug-exit,iobase=0xf4,iosize=0x04",
            "-drive",
        ])
        .arg(drive)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let Ok(status) = timeout(PROBE_LIMIT, guest.wait()).await else {
        guest.kill().await?;
        return Ok(Accelerator::Tcg);
    };
    match status? {
        status if status.code() == Some(PROBE_PASSED) => Ok(Accelerator::Kvm),
        status => Err(io::Error::other(format!("QEMU exited ({status})"))),
    }
}

fn boot_sector() -> [u8; 512] {
    const CODE: [u8; 19] = [
        0x66, 0xb9, 0x00, 0x00, 0x00, 0x04, // mov ecx, 1 << 26
        0x66, 0x49, // turn: dec ecx
        0x75, 0xfc, // jnz turn
        0xba, 0xf4, 0x00, // mov dx, 0xf4
        0xb0, 0x10, // mov al, 0x10
        0xee, // out dx, al
        0xf4, // hlt
        0xeb, 0xfd, // jmp back to the hlt
    ];
    let mut sector = [0; 512];
    sector[..CODE.len()].copy_from_slice(&CODE);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

/// The cache file. Its name contains the versions that the result depends on.
fn cache_file(qemu: &str) -> Option<PathBuf> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let program = find_in_path(qemu)?;
    let changed = program.metadata().ok()?.mtime();
    let name = format!("accelerator-{}-{changed}", kernel.trim());
    Some(cache_dir::path()?.join(name))
}

fn read_cache(file: &Path) -> Option<Accelerator> {
    Accelerator::from_name(fs::read_to_string(file).ok()?.trim())
}

fn write_cache(file: &Path, probed: Accelerator) -> io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(dir)?;
    let mut new = tempfile::NamedTempFile::new_in(dir)?;
    writeln!(new, "{}", probed.name())?;
    new.persist(file)?;
    Ok(())
}
