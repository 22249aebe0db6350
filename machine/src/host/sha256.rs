//! SHA-256 sums.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::Command;

use sha2::{Digest as _, Sha256};

/// A file of at most this many bytes is read by this process.
const SMALL: u64 = 1 << 18;

/// The hexadecimal digits of the sum of a file's contents. A large file is read by coreutils'
/// `sha256sum`: tests are built without optimisations, and then code of this process takes
/// twenty times as long.
pub(crate) fn of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() > SMALL {
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
    let text = String::from_utf8_lossy(&output.stdout);
    match text.split_once(' ') {
        Some((sum, _)) if output.status.success() => Ok(sum.to_owned()),
        _ => {
            let reason = String::from_utf8_lossy(&output.stderr);
            Err(io::Error::other(reason.trim().to_owned()))
        }
    }
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
        for length in [0, 3, 1 << 18, (1 << 18) + 1] {
            let bytes = vec![7; length];
            std::fs::write(file.path(), &bytes).unwrap();
            let sum = hex(&Sha256::digest(&bytes));
            assert_eq!(of_file(file.path()).unwrap(), sum, "{length}");
        }
    }

    #[test]
    fn a_file_that_can_not_be_read_has_no_sum() {
        assert!(of_file(Path::new("/")).is_err());
        let error = by_program(File::open("/").unwrap()).unwrap_err();
        assert!(error.to_string().starts_with("sha256sum: "), "{error}");
    }

    #[test]
    fn a_sum_is_written_as_by_sha256sum() {
        assert_eq!(
            hex(&Sha256::digest("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
