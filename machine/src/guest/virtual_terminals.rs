//! The text on a guest's virtual terminals.

use super::Guest;
use super::parse::virtual_terminal::{Cells, Size, text};
use super::poll::{Found, Polling};
use super::waiting::Probe;
use crate::error::{Result, indented};

/// The greatest number of a terminal in Linux (`MAX_NR_CONSOLES`).
const LAST_TTY: u8 = 63;

/// Prints a terminal.
const DUMP_TERMINAL: &str = include_str!("dump_terminal.sh");

/// The operation, in errors.
const READING: &str = "reading a virtual terminal";

impl Guest {
    /// The text on virtual terminal number `tty`.
    pub(crate) async fn terminal_text(&self, tty: &str) -> Result<String> {
        let script = self
            .script(READING)
            .set("number", &self.tty_number(tty)?)?
            .append(DUMP_TERMINAL)
            .append("dump_terminal");
        let output = self.execute(script.into_text()).await?;
        let text = screen_text(&output.stdout).filter(|_| output.success());
        text.ok_or_else(|| self.command_failed(&format!("cat /dev/vcs{tty}"), &output))
    }

    /// A loop that prints a virtual terminal when it has changed: see [`probe_terminal`].
    pub(crate) fn terminal_polling(&self, tty: &str) -> Result<Polling> {
        let script = self
            .script(READING)
            .set("number", &self.tty_number(tty)?)?
            .append(DUMP_TERMINAL)
            .append(include_str!("terminal_changes.sh"));
        Ok(Polling::for_changes(script, |output| split(output).0))
    }

    /// The number of a terminal, without leading zeros.
    fn tty_number(&self, tty: &str) -> Result<String> {
        let is_number = tty.bytes().all(|byte| byte.is_ascii_digit());
        let number = tty.parse::<u8>().ok().filter(|_| is_number);
        let number = number.filter(|number| (1..=LAST_TTY).contains(number));
        number.map(|number| number.to_string()).ok_or_else(|| {
            let reason =
                format!("{tty:?} is not the number of a virtual terminal, 1 to {LAST_TTY}");
            self.bad_argument(READING, reason)
        })
    }
}

/// Whether `matches` is true for the text on a terminal, with or without the blanks at the
/// ends of rows.
pub(crate) fn probe_terminal(found: &Found, matches: impl Fn(&str) -> bool) -> Probe<()> {
    if !found.is_ready && found.output.stdout.is_empty() {
        return Probe::Unknown("the same text".to_owned());
    }
    let dump = if found.is_ready {
        split(&found.output.stdout).1
    } else {
        // The kernel creates a terminal when it is first opened.
        &found.output.stdout
    };
    let Some(text) = screen_text(dump) else {
        let reason = String::from_utf8_lossy(dump);
        return Probe::Pending(indented("no terminal to read", &reason));
    };
    let stripped: String = text
        .lines()
        .flat_map(|row| [row.trim_end(), "\n"])
        .collect();
    if matches(&stripped) || matches(&text) {
        Probe::Ready(())
    } else {
        Probe::Pending(indented("other text", &stripped))
    }
}

/// The characters that the loop compares, which are a line, and the terminal.
fn split(output: &[u8]) -> (&[u8], &[u8]) {
    let end = output.iter().position(|&byte| byte == b'\n');
    let end = end.unwrap_or(output.len());
    (&output[..end], output.get(end + 1..).unwrap_or_default())
}

/// The text in the output of [`DUMP_TERMINAL`]; `None` if there is no such terminal.
fn screen_text(dump: &[u8]) -> Option<String> {
    let [rows, columns, kind, cells @ ..] = dump else {
        return None;
    };
    let size = Size {
        rows: (*rows).into(),
        columns: (*columns).into(),
    };
    let cells = match kind {
        b'u' => Cells::Unicode(cells),
        b'b' => Cells::Bytes(cells),
        _ => return None,
    };
    Some(text(size, cells))
}
