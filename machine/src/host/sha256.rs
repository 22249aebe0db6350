//! SHA-256 sums.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::Command;

use sha2::{Digest as _, Sha256};

/// A file of at most this many bytes is read by this process.
const SMALL: u64 = 1 << 18;

/// The hexadecimal digits of the sum of a file's contents. A large file is read by coreutils'
/// `sha256sum`: tests are usually built without optimisations, with which code of this process
/// takes twenty times as long.
pub(crate) fn of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > SMALL {
        return by_program(file);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(hex(&Sha256::digest(&bytes)))
}

fn by_program(file: File) -> io::Result<String> {
    let mut program = Command::new("sha256sum");
    let output = program.stdin(file).output();
    let output = output.map_err(|error| {
        let reason = format!("can't run sha256sum, of coreutils: {error}");
        io::Error::new(error.kind(), reason)
    })?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        let ended = format!("sha256sum: {}: {}", output.status, reason.trim());
        return Err(io::Error::other(ended));
    }
    // The sum, two spaces and `-`.
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

/// The hexadecimal digits of a sum.
pub(crate) fn hex(sum: &[u8]) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_sum_of_its_bytes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let small = usize::try_from(SMALL).unwrap();
        for length in [0, 3, small, small + 1] {
            let bytes = vec![7; length];
            std::fs::write(file.path(), &bytes).unwrap();
            let sum = hex(&Sha256::digest(&bytes));
            assert_eq!(of_file(file.path()).unwrap(), sum, "{length}");
        }
    }

    #[test]
    fn a_directory_has_no_sum() {
        let error = of_file(Path::new("/")).unwrap_err().to_string();
        assert!(error.starts_with("sha256sum: exit status: 1: "), "{error}");
    }

    #[test]
    fn a_sum_is_written_as_by_sha256sum() {
        assert_eq!(
            hex(&Sha256::digest("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
