//! The end of a stream, which is a text in it: a port has no other.

use std::mem;

use uuid::Uuid;

/// Finds a random text that is the last one in a stream.
#[derive(Clone, Debug)]
pub(super) struct End {
    mark: Vec<u8>,
    /// What may be the mark's beginning.
    held: Vec<u8>,
}

impl End {
    pub(super) fn new() -> Self {
        // With a byte that text does not contain, which would be held back. `printf` would take
        // a digit for a part of it.
        let mark = format!("\0end-{}", Uuid::new_v4().simple());
        Self {
            mark: mark.into_bytes(),
            held: Vec::new(),
        }
    }

    /// The text as a format of `printf`.
    pub(super) fn format(&self) -> String {
        String::from_utf8_lossy(&self.mark).replace('\0', "\\0")
    }

    /// Takes the next bytes, and returns those that are not the end.
    pub(super) fn output(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend(bytes);
        let longest = self.mark.len().min(self.held.len());
        let mut lengths = (0..=longest).rev();
        let length = lengths.find(|length| self.held.ends_with(&self.mark[..*length]));
        let end = self.held.split_off(self.held.len() - length.unwrap_or(0));
        mem::replace(&mut self.held, end)
    }

    pub(super) fn is_found(&self) -> bool {
        self.held == self.mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_however_it_is_cut() {
        let mark = End::new().mark;
        let sent = [b"a\0b\0", &mark[..5], b"c\0", &mark].concat();
        let expected = &sent[..sent.len() - mark.len()];
        for size in 1..=sent.len() {
            let mut end = End {
                mark: mark.clone(),
                held: Vec::new(),
            };
            let mut output = Vec::new();
            for piece in sent.chunks(size) {
                assert!(!end.is_found());
                output.extend(end.output(piece));
            }
            assert!(end.is_found());
            assert_eq!(output, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn text_is_passed_on_at_once() {
        let mut end = End::new();
        assert_eq!(end.output(b"ready? "), b"ready? ");
        assert!(end.format().starts_with("\\0end-"));
    }
}
