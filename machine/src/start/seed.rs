//! cloud-init's seed for its data source `NoCloud`: a FAT disk in a file.

use std::io::{self, Cursor, Write as _};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::user_data;
use crate::error::ErrorKind;
use crate::host::sha256::hex;

/// The label by which cloud-init finds the disk.
const LABEL: [u8; 11] = *b"CIDATA     ";

/// Any fixed number: the same seed always has the same bytes.
const VOLUME_ID: u32 = 0x564d_5752;

/// The least size of the disk in bytes, and what it has in addition to its files.
const MIN_SIZE: usize = 1 << 20;

/// For images whose disk is not enlarged.
const KEEP_SIZE: &str = "#cloud-config\ngrowpart: {mode: \"off\"}\nresize_rootfs: false\n";

/// The bytes of a seed's disk.
///
/// # Errors
/// [`BadArgument`](ErrorKind::BadArgument) if cloud-init would not understand the user's
/// data.
pub(super) fn disk(
    host_name: &str,
    user_data: Option<&str>,
    grows: bool,
) -> Result<Vec<u8>, ErrorKind> {
    let default = if grows { "#cloud-config\n" } else { KEEP_SIZE };
    let merged = user_data::merged(user_data, default)?;
    let digest = Sha256::digest(format!("{host_name}\n{merged}"));
    let id = hex(&digest[..8]);
    // YAML would read some names as numbers.
    let quoted = Value::from(host_name);
    let mut meta_data = format!("instance-id: vmwright-{id}\nlocal-hostname: {quoted}\n");
    if !user_data::includes_others(user_data) {
        // cloud-init reads the seed before the network is up.
        meta_data += "dsmode: local\n";
    }
    let files = [("meta-data", meta_data), ("user-data", merged)];
    fat(&files).map_err(|error| ErrorKind::BadArgument {
        doing: "making the seed for cloud-init".to_owned(),
        reason: error.to_string(),
    })
}

fn fat(files: &[(&str, String)]) -> io::Result<Vec<u8>> {
    let contents: usize = files.iter().map(|(_, text)| text.len()).sum();
    let size = MIN_SIZE + contents.next_multiple_of(MIN_SIZE);
    let mut disk = Cursor::new(vec![0; size]);
    let options = FormatVolumeOptions::new()
        .volume_id(VOLUME_ID)
        .volume_label(LABEL);
    fatfs::format_volume(&mut disk, options)?;
    let system = FileSystem::new(&mut disk, FsOptions::new())?;
    for (name, text) in files {
        system
            .root_dir()
            .create_file(name)?
            .write_all(text.as_bytes())?;
    }
    system.unmount()?;
    Ok(disk.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_disk_has_a_label_and_two_files() {
        let bytes = disk("vm", None, false).unwrap();
        let mut disk = Cursor::new(bytes);
        let system = FileSystem::new(&mut disk, FsOptions::new()).unwrap();
        assert_eq!(system.volume_label(), "CIDATA");
        assert_eq!(
            system.read_volume_label_from_root_dir().unwrap().unwrap(),
            "CIDATA"
        );
        let mut meta_data = String::new();
        let mut file = system.root_dir().open_file("meta-data").unwrap();
        file.read_to_string(&mut meta_data).unwrap();
        assert!(
            meta_data.contains("local-hostname: \"vm\"\ndsmode: local\n"),
            "{meta_data}"
        );
        let mut user_data = system.root_dir().open_file("user-data").unwrap();
        user_data.read_to_string(&mut meta_data).unwrap();
        assert!(meta_data.contains("text/cloud-boothook"), "{meta_data}");
    }

    #[test]
    fn the_same_seed_has_the_same_bytes() {
        let with = |data| disk("vm", Some(data), false).unwrap();
        let script = "#!/bin/sh\n";
        assert_eq!(with(script), with(script));
        assert_ne!(with(script), with("#!/bin/bash\n"));
        assert_ne!(with(script), disk("other", Some(script), false).unwrap());
    }

    #[test]
    fn long_user_data_fits() {
        let data = format!("#cloud-config\n# {}\n", "x".repeat(5 << 20));
        disk("vm", Some(&data), true).unwrap();
    }
}
