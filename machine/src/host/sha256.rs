//! SHA-256 sums.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// How many bytes of a file are read at once.
const PIECE: usize = 1 << 17;

/// The sum of a file's contents.
pub(crate) fn of_file(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut sum = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(sum.finalize().into()),
            length => sum.update(&piece[..length]),
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
        for length in [0, 3, PIECE, PIECE + 1] {
            let bytes = vec![7; length];
            std::fs::write(file.path(), &bytes).unwrap();
            let sum: [u8; 32] = Sha256::digest(&bytes).into();
            assert_eq!(of_file(file.path()).unwrap(), sum, "{length}");
        }
    }

    #[test]
    fn a_sum_is_written_as_by_sha256sum() {
        assert_eq!(
            hex(&Sha256::digest("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
