//! A terminal that shows a console's output. No I/O, no clock.

use std::{mem, str};

use avt::parser::Function;
use memchr::memrchr_iter;

/// The size in characters that programs assume of a serial line.
const COLUMNS: usize = 80;
const ROWS: usize = 24;

/// How much output is kept before it is drawn, in bytes. Drawing takes longer than logging,
/// and the screen is seldom looked at.
const MAX_PENDING: usize = 64 * 1024;

/// A row: a few bytes must not make work for thousands of repetitions.
const LONGEST_REPETITION: u16 = 80;

/// Replaces invalid UTF-8.
const REPLACEMENT: &str = "\u{FFFD}";

/// A terminal of 80 columns and 24 rows. Its size is fixed: escape sequences that change it
/// are ignored. Its memory is bounded.
pub(crate) struct Terminal {
    /// The output that is not drawn yet.
    pending: Vec<u8>,
    parser: avt::Parser,
    screen: avt::Terminal,
    /// How many lines have ended since the cursor was last moved to a row.
    lines_since_placed: usize,
    /// Whether no escape sequence is unfinished.
    is_between_sequences: bool,
    /// Whether only a part of the screen scrolls.
    has_region: bool,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self {
            pending: Vec::new(),
            parser: avt::Parser::new(),
            #[expect(clippy::expect_used, reason = "only a size of zero is an error")]
            screen: avt::Terminal::new(COLUMNS, ROWS).expect("a size"),
            lines_since_placed: ROWS,
            is_between_sequences: true,
            has_region: false,
        }
    }

    /// Shows more output.
    pub(crate) fn push(&mut self, output: &[u8]) {
        for piece in output.chunks(MAX_PENDING) {
            if self.pending.len() + piece.len() > MAX_PENDING {
                self.skip_lines();
                self.draw();
            }
            self.pending.extend_from_slice(piece);
        }
    }

    /// The rows of the screen without trailing blanks, except those before the cursor: the
    /// last character of a prompt.
    pub(crate) fn rows(&mut self) -> Vec<String> {
        self.draw();
        let cursor = self.screen.cursor();
        let rows = self.screen.screen().visible_lines().enumerate();
        let trimmed = rows.map(|(number, row)| {
            let is_cursors = number == cursor.row && !row.text().trim_end().is_empty();
            let least = if is_cursors { cursor.col } else { 0 };
            trimmed(&row.text(), least)
        });
        let mut rows: Vec<String> = trimmed.collect();
        let used = rows.iter().rposition(|row| !row.is_empty());
        rows.truncate(used.map_or(0, |last| last + 1));
        rows
    }

    /// The rows, if what the screen shows was put there by moving the cursor: the lines of
    /// the log do not show it.
    pub(crate) fn drawn_rows(&mut self) -> Option<Vec<String>> {
        let rows = self.rows();
        (self.lines_since_placed < ROWS).then_some(rows)
    }

    /// Output that has another terminal show the same.
    pub(crate) fn state(&mut self) -> String {
        if self.drawn_rows().is_some() {
            return self.screen.dump();
        }
        let cursor = self.screen.cursor();
        let mut rows = self.rows();
        rows.resize(cursor.row + 1, " ".repeat(cursor.col));
        rows.join("\r\n")
    }

    /// Shows what the terminal with this [state](Self::state) has shown.
    pub(crate) fn set_state(&mut self, state: &str) {
        *self = Self::new();
        self.push(state.as_bytes());
    }

    /// Drops the pending lines that would scroll off the screen, if nothing but lines is
    /// pending: drawing a flood of them takes longer than logging it.
    fn skip_lines(&mut self) {
        // 0xc2 begins control characters of two bytes.
        let is_plain =
            |byte: &u8| *byte >= b' ' && ![0x7f, 0xc2].contains(byte) || b"\r\n\t".contains(byte);
        let scrolls = self.screen.cursor().row == ROWS - 1 && !self.has_region;
        if !self.is_between_sequences || !scrolls || !self.pending.iter().all(is_plain) {
            return;
        }
        let mut ends = memrchr_iter(b'\n', &self.pending).skip(ROWS);
        // The next line begins in the first column.
        let end = ends.find(|end| self.pending[..*end].ends_with(b"\r"));
        if let Some(end) = end {
            self.lines_since_placed = ROWS;
            self.pending.drain(..=end);
        }
    }

    fn draw(&mut self) {
        let pending = mem::take(&mut self.pending);
        let mut chunks = pending.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.draw_text(chunk.valid());
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && is_incomplete(invalid) {
                self.pending = invalid.to_vec();
            } else if !invalid.is_empty() {
                self.draw_text(REPLACEMENT);
            }
        }
    }

    fn draw_text(&mut self, text: &str) {
        for character in text.chars() {
            if matches!(character, '\x1b' | '\u{80}'..='\u{9f}') {
                self.is_between_sequences = false;
            }
            let Some(function) = self.parser.feed(character) else {
                continue;
            };
            match function {
                Function::Print(_) => self.is_between_sequences = true,
                Function::Decstbm(..) => self.has_region = true,
                Function::Ris => self.has_region = false,
                Function::Lf | Function::Nel => {
                    self.lines_since_placed = self.lines_since_placed.saturating_add(1);
                }
                Function::Cup(..) | Function::Vpa(_) | Function::Cuu(_) | Function::Cpl(_) => {
                    self.lines_since_placed = 0;
                }
                _ => {}
            }
            self.screen.execute(limited(function));
        }
    }
}

fn limited(function: Function) -> Function {
    match function {
        Function::Rep(count) => Function::Rep(count.min(LONGEST_REPETITION)),
        function => function,
    }
}

/// The text without trailing blanks, but with at least so many characters.
fn trimmed(text: &str, least: usize) -> String {
    let blanks = text.len() - text.trim_end().len();
    let characters = text.chars().count();
    let kept = (characters - blanks).max(least);
    text.chars().take(kept).collect()
}

/// Whether the bytes begin a character, which may follow.
fn is_incomplete(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(output: impl AsRef<[u8]>) -> Terminal {
        let mut terminal = Terminal::new();
        terminal.push(output.as_ref());
        terminal
    }

    #[test]
    fn a_screen_is_drawn() {
        let menu = "\x1b[2J\x1b[3;5H\x0e\x1b)0lqqk\x0f\x1b[4;5H\x1b[7m Boot \x1b[m\x1b[1;1Htop";
        let mut terminal = shown(menu);
        assert_eq!(terminal.rows(), ["top", "", "    ┌──┐", "     Boot"]);
        assert_eq!(terminal.drawn_rows(), Some(terminal.rows()));
    }

    #[test]
    fn the_blank_of_a_prompt_is_shown() {
        assert_eq!(shown("  \r\nlogin: ").rows(), ["", "login: "]);
        assert_eq!(shown("login: root  \x1b[8D").rows(), ["login: root"]);
    }

    #[test]
    fn lines_are_not_drawn() {
        let mut terminal = shown("\x1b[2J\x1b[Hmenu\r\n");
        assert!(terminal.drawn_rows().is_some());
        for n in 0..30 {
            terminal.push(format!("[{n:4}] \x1b[31mline\x1b[m\r\n").as_bytes());
        }
        assert_eq!(terminal.rows().len(), ROWS - 1);
        assert_eq!(terminal.drawn_rows(), None);
        assert_eq!(shown("").drawn_rows(), None);
    }

    #[test]
    fn a_state_shows_the_same() {
        let menu = "\x1b[2J\x1b[3;5Hmenu\x1b[4;5H\x1b[7mé";
        for output in [menu, "one\r\ntwo ", "one\r\n", "\t", ""] {
            let mut terminal = shown(output);
            let mut copy = shown("before");
            copy.set_state(&terminal.state());
            terminal.push(b"more");
            copy.push(b"more");
            assert_eq!(copy.rows(), terminal.rows());
            assert_eq!(copy.drawn_rows(), terminal.drawn_rows());
        }
    }

    #[test]
    fn a_flood_of_lines_shows_what_each_would_show() {
        let starts = [
            "",
            "\x1b[5;9r",
            "\x1b[24;1H",
            "\x1b[5;9r\x1b[24;1H",
            "\x1b[24;1Ha\x1b]0;title",
            "\x1b[24;1H\x1b[1",
            "\x1b[24;7Ha\x1b[4h",
            "\x1b[24;1Ha\x1b(0",
            "\x1b[?7l\x1b[24;1Ha",
        ];
        let long = "x".repeat(200);
        for start in starts {
            for end in ["\r\n", "\n", "\r\n\t", "\u{9b}H\r\n", &long] {
                let line = |n: usize| format!("[{n:6}] é a line of a log{end}");
                let lines: String = (0..4_000).map(line).collect();
                let mut flooded = shown(start);
                flooded.rows();
                let mut drawn = shown(start);
                for piece in lines.as_bytes().chunks(MAX_PENDING) {
                    flooded.push(piece);
                    drawn.push(piece);
                    drawn.draw();
                }
                assert_eq!(flooded.rows(), drawn.rows(), "{start:?} {end:?}");
            }
        }
    }

    #[test]
    fn a_guest_can_not_resize_the_screen() {
        let mut terminal = shown("\x1b[8;60000;60000t\x1b[18t\x1b[9999;9999Hx\x1b[65535b");
        assert_eq!(terminal.screen.size(), (COLUMNS, ROWS));
        assert!(
            terminal
                .rows()
                .iter()
                .all(|row| row.chars().count() <= COLUMNS)
        );
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut terminal = Terminal::new();
        for endless in [
            "\x1b]0;",
            "\x1bP",
            "\x1b[1;",
            "a",
            "\u{301}",
            "\x1b[65535b\x1b[65535S",
        ] {
            terminal.push(endless.repeat(MAX_PENDING).as_bytes());
            assert!(terminal.pending.capacity() <= 2 * MAX_PENDING);
            let rows = terminal.rows();
            assert!(rows.iter().map(String::len).sum::<usize>() <= 4 * COLUMNS * ROWS);
        }
    }
}
