//! The text of a console as a terminal shows it.

use std::borrow::Cow;
use std::ops::Range;

use anstream::adapter::strip_str;

/// Removes everything that a terminal does not show: escape sequences (colours,
/// cursor movements, titles) and control characters, except for newlines and
/// tabs.
///
/// A sequence ends with its line at the latest. The effect of a sequence, such
/// as text that is overwritten, is not taken into account.
///
/// ```
/// let line = "[\u{1b}[0;32m  OK  \u{1b}[0m] \u{1b}]0;a title\u{7}Started \u{1b}[1mSSH\u{1b}[0m";
/// assert_eq!(serial_log::visible(line), "[  OK  ] Started SSH");
/// ```
pub fn visible(text: &str) -> Cow<'_, str> {
    if is_all_visible(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(Visible::of(text).text)
}

/// Whether `text` contains nothing to remove.
pub(crate) fn is_all_visible(text: &str) -> bool {
    let is_hidden = |byte: u8| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t');
    !text.bytes().any(is_hidden)
}

/// The visible part of a text.
#[derive(Debug)]
pub(crate) struct Visible {
    pub(crate) text: String,
    /// For each piece of `text`: its index there, and in the original.
    pieces: Vec<(usize, usize)>,
}

impl Visible {
    pub(crate) fn of(original: &str) -> Self {
        let mut visible = Self {
            text: String::with_capacity(original.len()),
            pieces: Vec::new(),
        };
        let mut start = 0;
        for line in original.split_inclusive('\n') {
            let content = line.strip_suffix('\n').unwrap_or(line);
            for piece in strip_str(content) {
                let at = piece.as_ptr() as usize - content.as_ptr() as usize;
                visible.push(start + at, piece);
            }
            visible.push(start + content.len(), &line[content.len()..]);
            start += line.len();
        }
        visible
    }

    fn push(&mut self, original: usize, piece: &str) {
        if !piece.is_empty() {
            self.pieces.push((self.text.len(), original));
            self.text.push_str(piece);
        }
    }

    /// The range of the original that shows `range`.
    pub(crate) fn original(&self, range: Range<usize>) -> Range<usize> {
        let start = self.index(
            self.pieces.partition_point(|piece| piece.0 <= range.start),
            range.start,
        );
        if range.is_empty() {
            return start..start;
        }
        // After the last character, not before the first one that follows.
        let end = self.index(
            self.pieces.partition_point(|piece| piece.0 < range.end),
            range.end,
        );
        start..end
    }

    /// `index` in the original, counted from the piece before `next`.
    fn index(&self, next: usize, index: usize) -> usize {
        let piece = next.checked_sub(1).and_then(|last| self.pieces.get(last));
        piece.map_or(0, |(visible, original)| original + index - visible)
    }
}

#[cfg(test)]
mod tests {
    use super::{Visible, visible};

    #[test]
    fn sequences_and_control_characters_are_hidden() {
        for (text, shown) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;root@vm: ~\u{7}root@vm:~# ", "root@vm:~# "),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(B\u{1b}=\u{1b}7a\u{1b}8\u{1b}c", "a"),
            ("bell\u{7} and\u{0} nul\u{7f}", "bell and nul"),
            ("Gr\u{1b}[1mü\u{1b}[mße\t1\n", "Grüße\t1\n"),
            ("cut\u{1b}[3", "cut"),
            ("\u{1b}]0;no end\nnext \u{1b}P1\nline", "\nnext \nline"),
        ] {
            assert_eq!(visible(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_range_is_that_of_the_original() {
        let text = "a\u{1b}[1mbc\u{1b}[0m\u{1b}[2md\n";
        let visible = Visible::of(text);
        assert_eq!(visible.text, "abcd\n");
        for (range, original) in [
            (0..1, "a"),
            (0..2, "a\u{1b}[1mb"),
            (1..3, "bc"),
            (2..4, "c\u{1b}[0m\u{1b}[2md"),
            (4..5, "\n"),
            (1..1, ""),
        ] {
            assert_eq!(
                &text[visible.original(range.clone())],
                original,
                "{range:?}"
            );
        }
    }
}
