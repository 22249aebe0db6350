//! The output of QEMU's readline, and how it delimits replies.
//!
//! Source: QEMU's `util/readline.c` and `monitor/hmp.c`, checked on QEMU 7.2.
//! After each byte, readline moves the cursor to the beginning of the line
//! (`ESC [D` for each byte), prints the line again, and erases the rest
//! (`ESC [K`). At a newline it prints CR LF and suspends the monitor until the
//! command is done; further bytes stay in the socket. After the prompt it reads
//! and echoes them.
//!
//! Therefore, the echo of bytes typed *ahead*, directly after the command,
//! follows the prompt that ends the reply. The client types an unpredictable word
//! and erases it with control-W. This runs no command and adds nothing to the
//! monitor's history, and delimits the reply exactly:
//!
//! ```text
//! typed:    info status⏎kqzvwe^W
//! printed:  …[Dinfo status␛[K␍␊          ← begin
//!           VM status: running␍␊
//!           (qemu) k␛[K␛[Dkq␛[K␛[D…␛[K   ← end
//! ```

/// QEMU's prompt for a command.
pub(super) const PROMPT: &[u8] = b"(qemu) ";

/// QEMU's prompt for a password, which is echoed as asterisks.
const PASSWORD_PROMPT: &[u8] = b"Password: ";

const LEFT: &[u8] = b"\x1b[D";
const ERASE_TO_END_OF_LINE: &[u8] = b"\x1b[K";
const CONTROL_W: u8 = 0x17;

/// A word that is typed after a command and erased immediately.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sentinel([u8; 6]);

impl Sentinel {
    /// Derives a word from a number.
    pub(super) fn new(mut number: u64) -> Self {
        // One step of splitmix64, so that consecutive words are unrelated.
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^= number >> 31;
        Self(std::array::from_fn(|i| b'a' + number.to_le_bytes()[i] % 26))
    }

    /// The bytes to type: the word, and the key that erases a word.
    pub(super) fn typed(self) -> impl Iterator<Item = u8> {
        self.0.into_iter().chain([CONTROL_W])
    }

    /// QEMU's output between a reply and the next command.
    pub(super) fn printed(self) -> Vec<u8> {
        [
            PROMPT,
            &echo(&self.0),
            &LEFT.repeat(self.0.len()),
            ERASE_TO_END_OF_LINE,
        ]
        .concat()
    }

    /// QEMU's output when the command prompts for a password instead.
    pub(super) fn printed_at_password() -> Vec<u8> {
        let stars = [b'*'; 6];
        [
            PASSWORD_PROMPT,
            &echo(&stars),
            &LEFT.repeat(stars.len()),
            ERASE_TO_END_OF_LINE,
        ]
        .concat()
    }
}

/// The end of QEMU's output while `line` and a newline are typed. It appears only
/// once: all other output between two commands is redrawing.
pub(super) fn end_of_echo(line: &[u8]) -> Vec<u8> {
    let erase: &[u8] = if line.is_empty() {
        b""
    } else {
        ERASE_TO_END_OF_LINE
    };
    [line, erase, b"\r\n"].concat()
}

/// The line, redrawn for each of its bytes.
fn echo(line: &[u8]) -> Vec<u8> {
    let mut printed = Vec::new();
    for typed in 1..=line.len() {
        printed.extend(LEFT.repeat(typed - 1));
        printed.extend(&line[..typed]);
        printed.extend(ERASE_TO_END_OF_LINE);
    }
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_echo_is_that_of_qemu_7_2() {
        assert_eq!(
            Sentinel(*b"abcdef").printed().escape_ascii().to_string(),
            r"(qemu) a\x1b[K\x1b[Dab\x1b[K\x1b[D\x1b[Dabc\x1b[K\x1b[D\x1b[D\x1b[Dabcd\x1b[K\x1b[D\x1b[D\x1b[D\x1b[Dabcde\x1b[K\x1b[D\x1b[D\x1b[D\x1b[D\x1b[Dabcdef\x1b[K\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[K"
        );
        assert_eq!(
            Sentinel::printed_at_password().escape_ascii().to_string(),
            r"Password: *\x1b[K\x1b[D**\x1b[K\x1b[D\x1b[D***\x1b[K\x1b[D\x1b[D\x1b[D****\x1b[K\x1b[D\x1b[D\x1b[D\x1b[D*****\x1b[K\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D******\x1b[K\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[K"
        );
        assert_eq!(end_of_echo(b"foo"), b"foo\x1b[K\r\n");
        assert_eq!(end_of_echo(b""), b"\r\n");
    }

    #[test]
    fn sentinels_are_letters_and_differ() {
        let words: std::collections::HashSet<_> = (0..1000).map(|n| Sentinel::new(n).0).collect();
        assert_eq!(words.len(), 1000);
        assert!(words.iter().flatten().all(u8::is_ascii_lowercase));
    }
}
