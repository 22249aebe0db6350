//! The kernel out of its `vmlinuz`.
//!
//! QEMU can start the bare ELF file (by PVH) as well as the self-extracting
//! one. An emulated guest takes three seconds to extract it, the host half a
//! second, once.

use anyhow::{Context as _, Result, bail};

use crate::util::filter;

/// The size of what the boot protocol calls a sector.
const SECTOR: usize = 512;

/// The ELF file in a `vmlinuz`.
pub(super) fn unpack(vmlinuz: &[u8]) -> Result<Vec<u8>> {
    let payload = payload(vmlinuz).context("this is not a vmlinuz of boot protocol 2.08")?;
    let kernel = match payload {
        // The kernel's build appends the size, 4 bytes, to what `xz` or `zstd` made.
        [0xfd, b'7', b'z', b'X', b'Z', 0, .., _, _, _, _] => {
            filter("xz", &["-dc"], &payload[..payload.len() - 4])?
        }
        [0x28, 0xb5, 0x2f, 0xfd, .., _, _, _, _] => {
            filter("zstd", &["-dcq"], &payload[..payload.len() - 4])?
        }
        _ => bail!("the kernel is compressed in another way than xz or zstd"),
    };
    if !kernel.starts_with(b"\x7fELF") {
        bail!("what was in the vmlinuz is no ELF file");
    }
    Ok(kernel)
}

/// The compressed kernel in a `vmlinuz`, found by its header (The Linux/x86
/// Boot Protocol, `payload_offset` and `payload_length`).
fn payload(vmlinuz: &[u8]) -> Option<&[u8]> {
    if vmlinuz.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    // 0 stands for 4; the boot sector itself comes on top.
    let setup_sectors = match *vmlinuz.get(0x1f1)? {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let start = (setup_sectors + 1) * SECTOR + number(vmlinuz, 0x248)?;
    vmlinuz.get(start..start.checked_add(number(vmlinuz, 0x24c)?)?)
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `vmlinuz` with one setup sector, and `payload` 3 bytes behind it.
    fn vmlinuz(payload: &[u8], length: u8) -> Vec<u8> {
        let mut image = vec![0; 2 * SECTOR + 3];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248] = 3;
        image[0x24c] = length;
        image.extend(payload);
        image
    }

    #[test]
    fn the_payload_is_where_the_header_says() {
        assert_eq!(
            payload(&vmlinuz(b"kernel and more", 6)),
            Some(&b"kernel"[..])
        );
    }

    #[test]
    fn a_header_that_lies_is_refused() {
        assert_eq!(payload(&vmlinuz(b"cut", 6)), None);
        assert_eq!(payload(b"short"), None);
        assert_eq!(payload(&[0; 4096]), None);
    }

    #[test]
    fn an_unknown_compression_is_an_error() {
        let error = unpack(&vmlinuz(b"\x1f\x8bgzip", 6)).unwrap_err();
        assert!(error.to_string().contains("xz or zstd"), "{error}");
    }
}
