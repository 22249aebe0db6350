//! Decompression of kernels, modules and layers: by what they begin with.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

/// The bytes by which formats are recognized.
const GZIP: &[u8] = b"\x1f\x8b";
const XZ: &[u8] = b"\xfd7zXZ\0";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// The contents of a stream: decompressed if it is compressed by gzip, xz or zstd, and
/// otherwise unchanged.
pub(super) fn decompressed<'a>(stream: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut stream = BufReader::with_capacity(1 << 16, stream);
    let mut begin = Vec::new();
    stream
        .by_ref()
        .take(XZ.len() as u64)
        .read_to_end(&mut begin)?;
    let stream = io::Cursor::new(begin.clone()).chain(stream);
    Ok(if begin.starts_with(GZIP) {
        Box::new(MultiGzDecoder::new(stream))
    } else if begin.starts_with(XZ) {
        Box::new(XzReader::new(stream, false))
    } else if begin.starts_with(ZSTD) {
        Box::new(StreamingDecoder::new(stream).map_err(io::Error::other)?)
    } else {
        Box::new(stream)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn each_format_is_recognized() {
        let text = "kernel".repeat(10_000);
        for program in ["cat", "gzip", "xz", "zstd"] {
            let mut child = Command::new(program)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut input = child.stdin.take().unwrap();
            input.write_all(text.as_bytes()).unwrap();
            drop(input);
            let compressed = child.wait_with_output().unwrap().stdout;
            let mut read = String::new();
            let mut contents = decompressed(&compressed[..]).unwrap();
            contents.read_to_string(&mut read).unwrap();
            assert!(read == text, "{program}");
        }
        assert_eq!(decompressed(&b""[..]).unwrap().read(&mut [0]).unwrap(), 0);
    }
}
