//! Escapes console text for display.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Escapes all characters of `line` that control a terminal, so that a guest
/// cannot move the cursor, hide text or change the title in the terminal that
/// shows an error message: an escape character becomes `\x1b`.
///
/// It escapes control characters (ASCII and Unicode, except tabs), line and
/// paragraph separators, and bidirectional formatting characters. Backslashes
/// are unchanged, so the result cannot be unescaped.
///
/// ```
/// assert_eq!(serial_log::printable("\u{1b}[2J ok\u{7}"), r"\x1b[2J ok\x07");
/// ```
pub fn printable(line: &str) -> Cow<'_, str> {
    if !line.chars().any(controls_terminal) {
        return Cow::Borrowed(line);
    }
    let mut safe = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        if !controls_terminal(c) {
            safe.push(c);
        } else if c.is_ascii() {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\x{:02x}", u32::from(c));
        } else {
            let _ = write!(safe, "{}", c.escape_unicode());
        }
    }
    Cow::Owned(safe)
}

fn controls_terminal(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::printable;

    #[test]
    fn plain_text_is_unchanged() {
        let line = "\tgrüße, 世界 \\ 100 %";
        assert!(matches!(printable(line), Cow::Borrowed(same) if same == line));
    }

    #[test]
    fn terminal_controls_are_escaped() {
        assert_eq!(
            printable("a\u{9b}31m\u{202e}b\u{7f}"),
            "a\\u{9b}31m\\u{202e}b\\x7f"
        );
    }
}
