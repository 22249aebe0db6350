//! Text that is kept: safe to show, and not too long.

use serde::Serialize;

/// Text of which only the head and the tail are kept, if it is long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Kept {
    /// All of it, or its head.
    pub(super) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cut: Option<Cut>,
}

/// What there is of a text beyond its head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Cut {
    /// How many bytes are left out between head and tail.
    pub(super) left_out: usize,
    pub(super) tail: String,
    /// The name of the file with all of it, unless that could not be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
}

impl Kept {
    /// Keeps `limit` bytes of a text, about.
    pub(super) fn of(text: &str, limit: usize) -> Self {
        if text.len() <= limit {
            let text = safe(text);
            return Self { text, cut: None };
        }
        let head = text.floor_char_boundary(limit / 2);
        let tail = text.ceil_char_boundary(text.len() - limit / 2);
        Self {
            text: safe(&text[..head]),
            cut: Some(Cut {
                left_out: tail - head,
                tail: safe(&text[tail..]),
                file: None,
            }),
        }
    }

    /// How many bytes what is kept takes on a page.
    pub(super) fn room(&self) -> usize {
        room(&self.text) + self.cut.as_ref().map_or(0, |cut| room(&cut.tail))
    }

    /// What is kept in one text, which says what is left out.
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

/// How many bytes a text takes on a page, in whose JSON some characters are longer.
pub(super) fn room(text: &str) -> usize {
    let more = text.bytes().map(|byte| match byte {
        b'<' => "\\u003c".len() - 1,
        b'"' | b'\\' | b'\n' | b'\t' => 1,
        _ => 0,
    });
    text.len() + more.sum::<usize>()
}

/// Text with its control characters written out, but for those of lines.
pub(super) fn safe(text: &str) -> String {
    let lines = text.split('\n').map(serial_log::printable);
    lines.collect::<Vec<_>>().join("\n")
}

/// Text of at most `limit` bytes, or so; that it was longer shows at its end.
pub(super) fn shortened(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
        text.push('…');
    }
    safe(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        let kept = Kept::of(&"ü".repeat(100), 21);
        let cut = kept.cut.unwrap();
        assert_eq!((kept.text.as_str(), cut.tail.as_str()), ("üüüüü", "üüüüü"));
        assert_eq!(kept.text.len() + cut.left_out + cut.tail.len(), 200);
    }

    #[test]
    fn control_characters_are_written_out() {
        let kept = Kept::of("a\x1b[2J\r\n\tb\0", 100);
        assert_eq!(kept.text, "a\\x1b[2J\\x0d\n\tb\\x00");
        assert_eq!(shortened("a\nbc".to_owned(), 3), "a\nb…");
    }
}
