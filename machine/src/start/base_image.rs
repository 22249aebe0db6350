//! A disk image that machines start from without changing it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::ErrorKind;
use crate::host::blocking::blocking;
use crate::host::file_sums;
use crate::host::files::at;
use crate::host::qemu_img::{self, qemu_img};

/// Where the boot sector of a disk ends, and its last bytes.
const BOOT_SECTOR_END: [u8; 2] = [0x55, 0xaa];
const SECTOR: usize = 512;

/// The operation of reading an image, in errors.
const READING: &str = "reading it";

/// How formats begin that QEMU can't start from, and what to do about it.
const OTHER_FORMATS: [(&[u8], &str); 6] = [
    (b"\x1f\x8b", "it is compressed by gzip: unpack it first"),
    (b"\xfd7zXZ", "it is compressed by xz: unpack it first"),
    (
        b"\x28\xb5\x2f\xfd",
        "it is compressed by zstd: unpack it first",
    ),
    (
        b"KDMV",
        "it is a VMDK image: convert it by `qemu-img convert -O qcow2`",
    ),
    (
        b"vhdxfile",
        "it is a VHDX image: convert it by `qemu-img convert -O qcow2`",
    ),
    (
        b"conectix",
        "it is a VHD image: convert it by `qemu-img convert -O qcow2`",
    ),
];

/// An image in the format qcow2 or raw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseImage {
    pub(super) path: PathBuf,
    pub(super) size_gib: Option<u32>,
    pub(super) sha256: Option<String>,
}

impl BaseImage {
    /// The image at `path`, which is not read yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path: std::path::absolute(&path).unwrap_or(path),
            size_gib: None,
            sha256: None,
        }
    }

    /// What identifies the contents and the size of an overlay on it.
    pub(super) fn version(&self) -> io::Result<String> {
        let sum = file_sums::sum(&self.path)?;
        Ok(format!("{sum} {:?} {:?}", self.size_gib, self.sha256))
    }

    /// Creates `disk`, a qcow2 overlay on the image, unless it exists.
    ///
    /// # Errors
    /// [`Image`](ErrorKind::Image), [`BadArgument`](ErrorKind::BadArgument).
    pub(super) async fn create_overlay(&self, disk: &Path) -> Result<(), ErrorKind> {
        if disk.exists() {
            return self.check_overlay(disk);
        }
        let format = self.check().await?;
        self.create_overlay_as(format, disk).await
    }

    /// The same for an image of this format.
    pub(super) async fn create_overlay_as(
        &self,
        format: &str,
        disk: &Path,
    ) -> Result<(), ErrorKind> {
        let new = disk.with_extension("new");
        let mut create: Vec<&OsStr> = ["create", "-q", "-f", "qcow2", "-F", format, "-b"]
            .map(OsStr::new)
            .into();
        create.extend([self.path.as_os_str(), new.as_os_str()]);
        let size = self.size_gib.map(|gib| format!("{gib}G"));
        create.extend(size.as_ref().map(OsStr::new));
        let created = qemu_img(create).await;
        created.map_err(|error| self.failed(qemu_img::RUNNING, error))?;
        let stamp = self.stamp().map_err(|error| self.failed(READING, error))?;
        let beside = stamp_file(disk);
        fs::write(&beside, stamp).map_err(at(&beside))?;
        fs::rename(&new, disk).map_err(at(disk))
    }

    /// Checks that an overlay of an earlier start is on this image: it has only the differences
    /// from it. Of an overlay that the user has put there, only the time is known.
    pub(super) fn check_overlay(&self, disk: &Path) -> Result<(), ErrorKind> {
        let is_of_image = match fs::read_to_string(stamp_file(disk)) {
            Ok(earlier) => self.stamp().map(|stamp| earlier == stamp),
            Err(_) => self.is_older_than(disk),
        };
        match is_of_image {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.error(format!(
                "it has changed since {} was created on it: remove that disk",
                disk.display()
            ))),
            Err(error) => Err(self.failed(READING, error)),
        }
    }

    fn is_older_than(&self, disk: &Path) -> io::Result<bool> {
        Ok(self.path.metadata()?.modified()? <= disk.metadata()?.modified()?)
    }

    /// Changes if the image does. Its contents are not read.
    fn stamp(&self) -> io::Result<String> {
        let image = self.path.metadata()?;
        let times = [image.mtime(), image.mtime_nsec()];
        Ok(format!("{} {times:?}", image.size()))
    }

    /// Its format, if a machine can start from it.
    async fn check(&self) -> Result<&'static str, ErrorKind> {
        let image = self.clone();
        let format = blocking(move || {
            let format = image.format()?;
            image.check_sum()?;
            Ok::<_, ErrorKind>(format)
        })
        .await?;
        let info = qemu_img::info(&self.path, format).await;
        let info = info.map_err(|error| self.failed(qemu_img::RUNNING, error))?;
        self.check_alone(&info)?;
        let size = info["virtual-size"].as_u64().unwrap_or(0);
        match self.size_gib {
            Some(gib) if u64::from(gib) << 30 < size => Err(ErrorKind::BadArgument {
                doing: format!("enlarging {}", self.path.display()),
                reason: format!("{gib} GiB are less than its size of {size} bytes"),
            }),
            _ => Ok(format),
        }
    }

    /// Refuses an image that names other files of the host, which a guest would then read. They
    /// could also change without a change of the image.
    fn check_alone(&self, info: &Value) -> Result<(), ErrorKind> {
        let data_file = &info["format-specific"]["data"]["data-file"];
        let others = [&info["backing-filename"], data_file];
        match others.into_iter().find_map(Value::as_str) {
            Some(other) => Err(self.error(format!(
                "the rest of it is in {other}: make one file of both by `qemu-img convert -O qcow2`"
            ))),
            None => Ok(()),
        }
    }

    /// Compares its SHA-256 sum with the expected one, if there is one.
    fn check_sum(&self) -> Result<(), ErrorKind> {
        let Some(expected) = &self.sha256 else {
            return Ok(());
        };
        let is_digit = |byte: u8| byte.is_ascii_hexdigit();
        if expected.len() != 64 || !expected.bytes().all(is_digit) {
            return Err(ErrorKind::BadArgument {
                doing: format!("checking {}", self.path.display()),
                reason: format!("{expected:?} is no SHA-256 sum: those have 64 hexadecimal digits"),
            });
        }
        let sum = file_sums::sum(&self.path).map_err(|error| self.failed(READING, error))?;
        if sum.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(self.error(format!("its SHA-256 sum is {sum}, not {expected}")))
    }

    /// Its format, as QEMU calls it. Never guessed by QEMU: a guest could write the beginning
    /// of another format to a raw disk.
    fn format(&self) -> Result<&'static str, ErrorKind> {
        let start = start(&self.path).map_err(|error| self.failed(READING, error))?;
        let start = start.ok_or("it is not a file");
        let format = start.and_then(|start| format_of(&start));
        format.map_err(|reason| self.error(reason.to_owned()))
    }

    fn error(&self, reason: String) -> ErrorKind {
        let (path, source) = (self.path.clone(), None);
        ErrorKind::Image {
            path,
            reason,
            source,
        }
    }

    fn failed(&self, doing: &str, error: io::Error) -> ErrorKind {
        ErrorKind::Image {
            path: self.path.clone(),
            reason: doing.to_owned(),
            source: Some(error),
        }
    }
}

/// The file with the stamp of the image that `disk` was created on. A clone has none.
pub(super) fn stamp_file(disk: &Path) -> PathBuf {
    disk.with_extension("base")
}

/// The first sector, if it is a regular file: opening a FIFO would wait for a writer.
fn start(path: &Path) -> io::Result<Option<Vec<u8>>> {
    if !path.metadata()?.is_file() {
        return Ok(None);
    }
    let mut start = Vec::new();
    let file = File::open(path)?;
    file.take(SECTOR as u64).read_to_end(&mut start)?;
    Ok(Some(start))
}

/// The format of an image with this first sector, or why it has none.
fn format_of(start: &[u8]) -> Result<&'static str, &'static str> {
    if start.starts_with(b"QFI\xfb") {
        return Ok("qcow2");
    }
    let other = OTHER_FORMATS
        .iter()
        .find(|(begin, _)| start.starts_with(begin));
    if let Some((_, advice)) = other {
        return Err(advice);
    }
    if start.len() == SECTOR && start.ends_with(&BOOT_SECTOR_END) {
        return Ok("raw");
    }
    Err("it is no disk image: neither qcow2, nor a raw disk with a boot sector")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;

    #[test]
    fn only_disks_are_images() {
        for (start, reason) in [
            (&b""[..], "no disk image"),
            (&[0; SECTOR], "no disk image"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"KDMV", "VMDK"),
        ] {
            assert!(format_of(start).unwrap_err().contains(reason), "{reason}");
        }
        for (path, reason) in [
            ("/no/image", "reading it: No such file"),
            ("/dev/null", "not a file"),
        ] {
            let error = BaseImage::new(path.into()).format().unwrap_err();
            let error = chain(&error);
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_sum_is_compared() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "abc").unwrap();
        let mut image = BaseImage::new(file.path().to_owned());
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for (expected, is_right) in [
            (sum, true),
            (&sum.to_uppercase(), true),
            (&sum.replace('b', "c"), false),
        ] {
            image.sha256 = Some(expected.to_owned());
            assert_eq!(image.check_sum().is_ok(), is_right, "{expected}");
        }
        image.sha256 = Some("abc".to_owned());
        assert!(matches!(
            image.check_sum(),
            Err(ErrorKind::BadArgument { .. })
        ));
        // Another version of the file has another sum.
        fs::write(file.path(), "abcd").unwrap();
        image.sha256 = Some(sum.to_owned());
        let error = image.check_sum().unwrap_err().to_string();
        assert!(error.contains("its SHA-256 sum is 88d4266f"), "{error}");
    }
}
