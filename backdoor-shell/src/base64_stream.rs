//! Base64 that arrives in pieces of any length.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The stream contains a character outside the alphabet, or data after the padding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotBase64;

/// Decodes base64 as it arrives; buffers at most three characters between pieces.
#[derive(Debug, Default)]
pub(crate) struct Base64Stream {
    /// The beginning of an incomplete group of four.
    pending: Vec<u8>,
    /// The padding has arrived: nothing may follow it.
    ended: bool,
}

impl Base64Stream {
    /// Decodes all groups that `piece` completes.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, NotBase64> {
        let mut decoded = Vec::with_capacity((self.pending.len() + piece.len()) / 4 * 3);
        let mut rest = piece;
        if !self.pending.is_empty() {
            let missing = (4 - self.pending.len()).min(rest.len());
            self.pending.extend_from_slice(&rest[..missing]);
            rest = &rest[missing..];
            if self.pending.len() < 4 {
                return Ok(decoded);
            }
            let group = std::mem::take(&mut self.pending);
            self.decode(&group, &mut decoded)?;
        }
        let (groups, tail) = rest.split_at(rest.len() / 4 * 4);
        self.decode(groups, &mut decoded)?;
        self.pending.extend_from_slice(tail);
        Ok(decoded)
    }

    /// Whether the stream may end here.
    pub(crate) fn is_whole(&self) -> bool {
        self.pending.is_empty()
    }

    fn decode(&mut self, groups: &[u8], decoded: &mut Vec<u8>) -> Result<(), NotBase64> {
        if groups.is_empty() {
            return Ok(());
        }
        if self.ended {
            return Err(NotBase64);
        }
        self.ended = groups.ends_with(b"=");
        STANDARD.decode_vec(groups, decoded).map_err(|_| NotBase64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_split_decodes_alike(bytes: Vec<u8>, cuts in prop::collection::vec(0usize..12, 0..40)) {
            let encoded = STANDARD.encode(&bytes);
            let mut rest = encoded.as_bytes();
            let mut stream = Base64Stream::default();
            let mut decoded = Vec::new();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                decoded.extend(stream.push(piece).unwrap());
                rest = after;
            }
            decoded.extend(stream.push(rest).unwrap());
            prop_assert_eq!(decoded, bytes);
            prop_assert!(stream.is_whole());
        }

        #[test]
        fn garbage_never_panics(pieces: Vec<Vec<u8>>) {
            let mut stream = Base64Stream::default();
            for piece in pieces {
                let _ = stream.push(&piece);
            }
        }
    }

    #[test]
    fn a_partial_group_is_not_whole() {
        let mut stream = Base64Stream::default();
        assert_eq!(stream.push(b"aGVsbG").unwrap(), b"hel");
        assert!(!stream.is_whole());
    }

    #[test]
    fn nothing_follows_padding() {
        let mut stream = Base64Stream::default();
        assert_eq!(stream.push(b"YQ==").unwrap(), b"a");
        assert!(stream.push(b"YQ==").is_err());
    }
}
