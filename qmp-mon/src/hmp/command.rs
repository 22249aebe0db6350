//! A command line that can be typed at the human monitor as it is.

use crate::Error;

/// The longest command line, in bytes. QEMU drops what is typed beyond
/// (`READLINE_CMD_BUF_SIZE`) and would run the beginning of it.
pub const MAX_COMMAND: usize = 4095;

/// A line for the human monitor, checked to arrive as it was given. By default
/// the empty one, which does nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HmpCommand(String);

impl HmpCommand {
    /// Checks a command line.
    ///
    /// # Errors
    /// [`Error::BadCommand`] if it is longer than [`MAX_COMMAND`], or holds a
    /// newline or another character that readline takes for a key with a
    /// function of its own.
    pub fn new(line: impl Into<String>) -> Result<Self, Error> {
        let line = line.into();
        match flaw(&line) {
            Some(reason) => Err(Error::BadCommand {
                command: line,
                reason,
            }),
            None => Ok(Self(line)),
        }
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn flaw(line: &str) -> Option<String> {
    if line.len() > MAX_COMMAND {
        return Some(format!(
            "it has {} bytes, and QEMU takes at most {MAX_COMMAND}",
            line.len()
        ));
    }
    if line.contains('\n') {
        return Some("it holds a newline: give one command at a time".into());
    }
    line.chars().find(|&c| is_function_key(c)).map(|c| {
        format!(
            "QEMU would take the character U+{:04X} in it for a function key",
            u32::from(c)
        )
    })
}

/// readline works on bytes, and takes 0x9B in UTF-8 for a control sequence's beginning.
fn is_function_key(c: char) -> bool {
    c.is_control() || c.encode_utf8(&mut [0; 4]).as_bytes().contains(&0x9b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readline_would_change_is_refused() {
        for bad in [
            "info\nquit",
            "info\r",
            "a\tb",
            "\u{7f}",
            "\u{15b}",
            "\u{9b}",
            &"x".repeat(4096),
        ] {
            assert!(
                matches!(HmpCommand::new(bad), Err(Error::BadCommand { .. })),
                "{bad:?}"
            );
        }
        for good in [
            "",
            " ",
            "info status",
            "screendump /tmp/ü.ppm",
            &"x".repeat(4095),
        ] {
            assert_eq!(HmpCommand::new(good).unwrap().as_str(), good);
        }
    }
}
