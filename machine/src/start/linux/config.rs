//! The configuration that a kernel was built with.

use std::io::{self, Read as _};

use flate2::read::GzDecoder;

use super::decompress::decompressed;

/// What precedes the configuration in a kernel with `CONFIG_IKCONFIG`.
const MARK: &[u8] = b"IKCFG_ST";

/// The text of a file such as `/boot/config-VERSION`.
#[derive(Debug)]
pub(super) struct Config(String);

/// How a kernel has an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Builtin,
    Module,
    Off,
}

impl Config {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The configuration in a kernel's compressed part, if it is in there.
    pub(super) fn from_payload(payload: &[u8]) -> io::Result<Option<Self>> {
        let mut kernel = Vec::new();
        // What follows the compressed data may be taken for more of it.
        let end = decompressed(payload)?.read_to_end(&mut kernel);
        let mut marks = kernel.windows(MARK.len());
        let Some(at) = marks.position(|bytes| bytes == MARK) else {
            return end.map(|_| None);
        };
        let mut text = String::new();
        GzDecoder::new(&kernel[at + MARK.len()..]).read_to_string(&mut text)?;
        Ok(Some(Self(text)))
    }

    /// How the kernel has the option, such as `CONFIG_EXT4_FS`.
    pub(super) fn setting(&self, option: &str) -> Setting {
        let values = self.0.lines().filter_map(|line| line.split_once('='));
        match values.into_iter().find(|(name, _)| *name == option) {
            Some((_, "y")) => Setting::Builtin,
            Some((_, "m")) => Setting::Module,
            _ => Setting::Off,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn it_is_found_in_a_kernel() {
        let text = "CONFIG_EXT4_FS=m\n# CONFIG_9P_FS is not set\nCONFIG_TMPFS=y\n";
        let kernel = [
            b"code".as_slice(),
            MARK,
            &gzip(text.as_bytes()),
            b"IKCFG_ED",
        ]
        .concat();
        let config = Config::from_payload(&gzip(&kernel)).unwrap().unwrap();
        assert_eq!(config.setting("CONFIG_EXT4_FS"), Setting::Module);
        assert_eq!(config.setting("CONFIG_TMPFS"), Setting::Builtin);
        assert_eq!(config.setting("CONFIG_9P_FS"), Setting::Off);
        assert_eq!(config.setting("CONFIG_EXT4"), Setting::Off);
        let without = Config::from_payload(&gzip(b"code")).unwrap();
        assert!(without.is_none());
    }
}
