//! What QEMU's readline prints for what is typed, and how that marks a reply.
//!
//! Source: QEMU's `util/readline.c` and `monitor/hmp.c`, checked on QEMU 7.2.
//! After each byte typed, readline moves the cursor back to the line's
//! beginning (`ESC [D` for each byte), prints the line anew, and erases what is
//! right of it (`ESC [K`). At a newline it prints CR LF and suspends the monitor
//! until the command is done; bytes typed meanwhile stay in the socket. Then
//! comes the prompt, and only then are they read and echoed.
//!
//! So the echo of something typed *ahead*, right behind the command, can come
//! only after the prompt that ends the reply. We type a word nobody can know
//! before, and erase it again by control-W. No command is run by that, nothing
//! is added to the monitor's history, and both ends of a reply become exact:
//!
//! ```text
//! typed:    info status⏎kqzvwe^W
//! printed:  …[Dinfo status␛[K␍␊          ← begin
//!           VM status: running␍␊
//!           (qemu) k␛[K␛[Dkq␛[K␛[D…␛[K   ← end
//! ```

/// QEMU's prompt for a command.
pub(super) const PROMPT: &[u8] = b"(qemu) ";

/// QEMU's prompt for a password, whose echo is asterisks.
const PASSWORD_PROMPT: &[u8] = b"Password: ";

const LEFT: &[u8] = b"\x1b[D";
const ERASE_TO_END_OF_LINE: &[u8] = b"\x1b[K";
const CONTROL_W: u8 = 0x17;

/// A word that is typed after a command and erased at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sentinel([u8; 6]);

impl Sentinel {
    /// The same word for the same number, another for another one.
    pub(super) fn new(mut number: u64) -> Self {
        // One step of splitmix64, so that neighbours have nothing in common.
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^= number >> 31;
        Self(std::array::from_fn(|i| b'a' + number.to_le_bytes()[i] % 26))
    }

    /// What is typed: the word, and the key that erases a word.
    pub(super) fn typed(self) -> impl Iterator<Item = u8> {
        self.0.into_iter().chain([CONTROL_W])
    }

    /// What QEMU prints between a reply and its wait for the next command.
    pub(super) fn printed(self) -> Vec<u8> {
        [
            PROMPT,
            &echo(&self.0),
            &LEFT.repeat(self.0.len()),
            ERASE_TO_END_OF_LINE,
        ]
        .concat()
    }

    /// What QEMU prints when the command asks for a password instead.
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

/// The end of what QEMU prints while `line` and a newline are typed. It comes
/// but once: whatever else is printed between two commands is redrawing.
pub(super) fn end_of_echo(line: &[u8]) -> Vec<u8> {
    let erase: &[u8] = if line.is_empty() {
        b""
    } else {
        ERASE_TO_END_OF_LINE
    };
    [line, erase, b"\r\n"].concat()
}

/// The line drawn again for each byte of it.
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
    fn the_echo_is_the_one_of_qemu_7_2() {
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
