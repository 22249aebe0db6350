//! Text that is safe to show and limited in length.

use serde::Serialize;

/// A text, of which only the head and the tail are stored if it is long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Truncated {
    /// The whole text, or its head.
    pub(super) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cut: Option<Cut>,
}

/// What follows the head of a truncated text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Cut {
    /// The number of bytes between head and tail.
    pub(super) left_out: usize,
    pub(super) tail: String,
    /// The name of the file with the whole text, if it could be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
}

impl Truncated {
    /// Truncates a text to about `limit` bytes.
    pub(super) fn new(text: &str, limit: usize) -> Self {
        if text.len() <= limit {
            let text = escaped(text);
            return Self { text, cut: None };
        }
        let head = text.floor_char_boundary(limit / 2);
        let tail = text.ceil_char_boundary(text.len() - limit / 2);
        Self {
            text: escaped(&text[..head]),
            cut: Some(Cut {
                left_out: tail - head,
                tail: escaped(&text[tail..]),
                file: None,
            }),
        }
    }

    /// The length of head and tail in the page's JSON, in bytes.
    pub(super) fn json_len(&self) -> usize {
        json_len(&self.text) + self.cut.as_ref().map_or(0, |cut| json_len(&cut.tail))
    }

    /// Head and tail with a note between them.
    pub(super) fn into_text(self) -> String {
        let Self { text, cut } = self;
        match cut {
            None => text,
            Some(Cut { left_out, tail, .. }) => {
                format!("{text}\n[… {left_out} bytes left out …]\n{tail}")
            }
        }
    }
}

/// The length of a text in the page's JSON, in bytes: some characters are escaped there.
pub(super) fn json_len(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'<' => "\\u003c".len() - 1,
        b'"' | b'\\' | b'\n' | b'\t' => 1,
        _ => 0,
    });
    text.len() + escapes.sum::<usize>()
}

/// Escapes control characters, except for line feeds and tabs.
pub(super) fn escaped(text: &str) -> String {
    let lines = text.split('\n').map(serial_log::printable);
    lines.collect::<Vec<_>>().join("\n")
}

/// Shortens a text to about `limit` bytes, with an ellipsis at the end, and escapes it.
pub(super) fn shortened(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
        text.push('…');
    }
    escaped(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        let truncated = Truncated::new(&"ü".repeat(100), 21);
        let cut = truncated.cut.unwrap();
        assert_eq!(
            (truncated.text.as_str(), cut.tail.as_str()),
            ("üüüüü", "üüüüü")
        );
        assert_eq!(truncated.text.len() + cut.left_out + cut.tail.len(), 200);
    }

    #[test]
    fn control_characters_are_escaped() {
        let truncated = Truncated::new("a\x1b[2J\r\n\tb\0", 100);
        assert_eq!(truncated.text, "a\\x1b[2J\\x0d\n\tb\\x00");
        assert_eq!(shortened("a\nbc".to_owned(), 3), "a\nb…");
    }
}
