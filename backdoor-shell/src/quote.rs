//! Quoting for the guest's shell.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::Error;

/// Quotes `word` so that a POSIX shell reads it as one word, unchanged.
///
/// # Errors
/// [`Error::Nul`]: no shell word can contain a NUL byte.
///
/// ```
/// assert_eq!(backdoor_shell::quote("it's")?, r#""it's""#);
/// assert_eq!(backdoor_shell::quote("plain")?, "plain");
/// # Ok::<(), backdoor_shell::Error>(())
/// ```
pub fn quote(word: &str) -> Result<Cow<'_, str>, Error> {
    shlex::try_quote(word).map_err(|_| Error::Nul {
        command: word.replace('\0', "\\0"),
    })
}

/// Quotes `text` in bash's `$'…'` form: one line of printable ASCII.
pub(crate) fn ansi_c(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    let mut quoted = String::with_capacity(text.len() + text.len() / 8 + 3);
    quoted.push_str("$'");
    for &byte in text {
        match byte {
            b'\n' => quoted.push_str("\\n"),
            b'\'' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            // An interactive bash would expand `!`.
            b' '..=b'~' if byte != b'!' => quoted.push(char::from(byte)),
            _ => {
                // Always three digits, because the next character may be a digit.
                let _ = write!(quoted, "\\{byte:03o}");
            }
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ansi_c_is_one_printable_line() {
        assert_eq!(ansi_c("echo 'a\\b'\n!\t1"), r"$'echo \'a\\b\'\n\041\0111'");
        assert_eq!(ansi_c("é"), r"$'\303\251'");
    }

    #[test]
    fn nul_is_an_error() {
        assert!(matches!(quote("a\0b"), Err(Error::Nul { .. })));
    }
}
