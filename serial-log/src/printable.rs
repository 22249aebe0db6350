//! Console text made safe to show.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `line` with everything that could steer a terminal written out, so that a
/// guest cannot move the cursor, hide text or change a title in the terminal
/// of whoever reads an error message: an escape character becomes `\x1b`.
///
/// Written out are the control characters (of ASCII and of Unicode, tabs
/// excepted), the line and paragraph separators, and the marks that turn the
/// direction of writing. A backslash stays as it is: the result is for people
/// and cannot be turned back.
///
/// ```
/// assert_eq!(serial_log::printable("\u{1b}[2J ok\u{7}"), r"\x1b[2J ok\x07");
/// ```
pub fn printable(line: &str) -> Cow<'_, str> {
    if !line.chars().any(steers) {
        return Cow::Borrowed(line);
    }
    let mut safe = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        if !steers(c) {
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

fn steers(c: char) -> bool {
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
    fn plain_text_is_passed_on_as_it_is() {
        let line = "\tgrüße, 世界 \\ 100 %";
        assert!(matches!(printable(line), Cow::Borrowed(same) if same == line));
    }

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(
            printable("a\u{9b}31m\u{202e}b\u{7f}"),
            "a\\u{9b}31m\\u{202e}b\\x7f"
        );
    }
}
