//! What QEMU's line editor prints while a line is typed (`util/readline.c`).

/// The prompt.
pub(super) const PROMPT: &[u8] = b"(qemu) ";

/// The exact echo of `line`, up to and with the end of the line: for every
/// character typed, the cursor goes back to the first column, and the line so
/// far is printed anew.
pub(super) fn echo(line: &str) -> Vec<u8> {
    let line = line.as_bytes();
    let mut echo = Vec::new();
    for typed in 1..=line.len() {
        for _ in 1..typed {
            echo.extend_from_slice(b"\x1b[D");
        }
        echo.extend_from_slice(&line[..typed]);
        echo.extend_from_slice(b"\x1b[K");
    }
    echo.extend_from_slice(b"\r\n");
    echo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_qemu_echoes() {
        assert_eq!(
            echo("inf"),
            b"i\x1b[K\x1b[Din\x1b[K\x1b[D\x1b[Dinf\x1b[K\r\n"
        );
    }
}
