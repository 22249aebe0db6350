//! Machines that start from a cloud image.

use std::path::PathBuf;

use super::disk_image::DiskImage;
use super::settings::setters;
use super::{File, credentials, seed};
use crate::error::ErrorKind;
use crate::host::accelerator::Accelerator;
use crate::host::process::CommandSpec;

/// The seed's disk, in the machine's directory.
const SEED: &str = "seed.img";

/// A machine that starts from a cloud image, qcow2 or raw, as distributions publish them. The
/// image is not changed: the machine writes to an overlay in its state directory.
///
/// The guest needs no preparation, no network and no password. Its root shell is started by
/// cloud-init, from a disk with a seed (its data source `NoCloud`), or by systemd as in a
/// [`DiskImage`](crate::DiskImage), whichever comes first. The guest needs bash.
///
/// ```no_run
/// use machine::{CloudImage, Machine};
///
/// # async fn example() -> machine::Result<()> {
/// let image = CloudImage::new("debian-12-genericcloud-amd64.qcow2")
///     .user_data("#cloud-config\nruncmd:\n  - systemctl start nginx\n");
/// let vm = Machine::new(image)?;
/// vm.wait_for_cloud_init().await?;
/// vm.wait_for_unit("nginx").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudImage {
    pub(super) disk: DiskImage,
    user_data: Option<String>,
}

impl CloudImage {
    /// The image at `path`, which is not read before the machine starts: 1024 MiB of memory,
    /// one CPU, a user-mode network, and the host's best accelerator.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            disk: DiskImage::new(path),
            user_data: None,
        }
    }

    /// User data for cloud-init, in any of its formats: text that begins with
    /// `#cloud-config` or `#!/bin/sh`, say. cloud-init also gets ours, which only starts the
    /// root shell; without the user's, it does not enlarge file systems unless
    /// [`size_gib`](Self::size_gib) is set.
    #[must_use]
    pub fn user_data(mut self, text: impl Into<String>) -> Self {
        self.user_data = Some(text.into());
        self
    }

    /// The machine's name and the guest's host name, see [`DiskImage::name`].
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        self.with(|disk| disk.name(name))
    }

    setters!(disk.settings);

    /// The size of the guest's disk in GiB, at least that of the image, which is the
    /// default. cloud-init enlarges the root file system.
    #[must_use]
    pub fn size_gib(self, gib: u32) -> Self {
        self.with(|disk| disk.size_gib(gib))
    }

    /// The SHA-256 sum that the image must have, see [`DiskImage::sha256`].
    #[must_use]
    pub fn sha256(self, sum: impl Into<String>) -> Self {
        self.with(|disk| disk.sha256(sum))
    }

    fn with(mut self, change: impl FnOnce(DiskImage) -> DiskImage) -> Self {
        self.disk = change(self.disk);
        self
    }

    pub(super) fn spec(&self, accelerator: Accelerator) -> CommandSpec {
        let seed = format!("if=virtio,format=raw,readonly=on,file={SEED}");
        // The serial number makes cloud-init wait for a seed that appears late.
        let more = ["-drive", &seed, "-smbios", "type=1,serial=ds=nocloud"];
        self.disk.spec(accelerator, &more)
    }

    /// The files that its arguments name, besides the disk.
    ///
    /// # Errors
    /// [`BadArgument`](ErrorKind::BadArgument) if cloud-init would not understand the user's
    /// data.
    pub(super) fn files(&self) -> Result<Vec<File>, ErrorKind> {
        let grows = self.disk.image.size_gib.is_some();
        let contents = seed::disk(self.disk.settings.name(), self.user_data.as_deref(), grows)?;
        let seed = File {
            path: SEED.to_owned(),
            contents,
        };
        Ok([credentials::files(), vec![seed]].concat())
    }
}
