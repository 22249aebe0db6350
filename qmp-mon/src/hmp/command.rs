//! Validated command lines for the human monitor.

use crate::Error;

/// Maximum length of a command line, in bytes. QEMU truncates longer lines
/// (`READLINE_CMD_BUF_SIZE`) and runs the rest.
pub const MAX_COMMAND: usize = 4095;

/// A command line that QEMU receives unchanged. The default is the empty line,
/// which does nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HmpCommand(String);

impl HmpCommand {
    /// Validates a command line.
    ///
    /// # Errors
    /// [`Error::BadCommand`] if it is longer than [`MAX_COMMAND`], or contains a
    /// newline or another character that readline handles as a function key.
    pub fn new(line: impl Into<String>) -> Result<Self, Error> {
        let line = line.into();
        match invalid_reason(&line) {
            Some(reason) => Err(Error::BadCommand {
                command: line,
                reason,
            }),
            None => Ok(Self(line)),
        }
    }

    /// Returns the line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn invalid_reason(line: &str) -> Option<String> {
    if line.len() > MAX_COMMAND {
        return Some(format!(
            "it has {} bytes; the maximum is {MAX_COMMAND}",
            line.len()
        ));
    }
    if line.contains('\n') {
        return Some("it contains a newline; run one command at a time".into());
    }
    line.chars().find(|&c| is_function_key(c)).map(|c| {
        format!(
            "QEMU handles its character U+{:04X} as a function key",
            u32::from(c)
        )
    })
}

/// readline processes bytes, and 0x9B starts a control sequence even within UTF-8.
fn is_function_key(c: char) -> bool {
    c.is_control() || c.encode_utf8(&mut [0; 4]).as_bytes().contains(&0x9b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_readline_would_change_are_rejected() {
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
