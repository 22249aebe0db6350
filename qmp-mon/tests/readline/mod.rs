//! The parts of QEMU's readline (`util/readline.c`) that the client uses.
//! `transcripts.rs` checks that QEMU prints the same.

pub(crate) const GREETING: &str = "QEMU 7.2.22 monitor - type 'help' for more information\r\n";
pub(crate) const PROMPT: &str = "(qemu) ";

#[derive(Default)]
pub(crate) struct Readline {
    line: Vec<u8>,
    /// Echoes asterisks.
    pub(crate) reads_password: bool,
}

impl Readline {
    /// Returns the output for a typed byte, and the line if the byte ended it.
    pub(crate) fn typed(&mut self, byte: u8) -> (Vec<u8>, Option<String>) {
        let shown = self.line.len();
        match byte {
            b'\n' => {
                let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
                return (b"\r\n".to_vec(), Some(line));
            }
            // Control-W: the last word, and the spaces after it.
            0x17 => {
                let end = self.line.trim_ascii_end().len();
                let start = self.line[..end].iter().rposition(u8::is_ascii_whitespace);
                self.line.truncate(start.map_or(0, |space| space + 1));
            }
            _ => self.line.push(byte),
        }
        let line = if self.reads_password {
            vec![b'*'; self.line.len()]
        } else {
            self.line.clone()
        };
        (
            [&b"\x1b[D".repeat(shown), &line[..], b"\x1b[K"].concat(),
            None,
        )
    }
}

/// Returns QEMU's output for a text.
pub(crate) fn printed(text: &str) -> String {
    text.replace('\n', "\r\n")
}
