//! The text on virtual terminals.

use std::time::Duration;

use regex::Regex;

use super::Machine;
use crate::error::{Result, indented};
use crate::guest::parse::virtual_terminal::{Cells, Size, text};
use crate::guest::poll::{Found, Polling};
use crate::guest::waiting::Probe;
use crate::sync::Mutex;

/// The greatest number of a terminal in Linux (`MAX_NR_CONSOLES`).
const LAST_TTY: u8 = 63;

/// Prints a terminal.
const DUMP_TERMINAL: &str = include_str!("../guest/dump_terminal.sh");

/// Prints it when it has changed.
const TERMINAL_CHANGES: &str = include_str!("../guest/terminal_changes.sh");

/// What the scripts are for.
const READING: &str = "reading a virtual terminal";

/// # Virtual terminals
///
/// A terminal is identified by its number, 1 to 63: `"1"` is `/dev/tty1`.
impl Machine {
    /// The text on a virtual terminal: its rows in full width, each followed by a
    /// newline.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) if `tty` is no such number;
    /// [`CommandFailed`](crate::ErrorKind::CommandFailed) if the guest has no such
    /// terminal, or it was not used yet.
    pub async fn get_tty_text(&self, tty: &str) -> Result<String> {
        let script = self
            .script(READING)
            .set("number", &self.tty_number(tty)?)?
            .append(DUMP_TERMINAL)
            .append("dump_terminal");
        let output = self.execute(script.into_text()).await?;
        let text = screen_text(&output.stdout).filter(|_| output.success());
        text.ok_or_else(|| self.command_failed(&format!("cat /dev/vcs{tty}"), &output))
    }

    /// Waits until the regular expression `pattern` matches the text on a
    /// virtual terminal, with or without the blanks that fill its rows; `^` and `$` also
    /// match at the ends of rows. The terminal may not exist yet.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument);
    /// [`TimedOut`](crate::ErrorKind::TimedOut) with the text that was there last.
    pub async fn wait_until_tty_matches(&self, tty: &str, pattern: &str) -> Result<()> {
        let regex = self.regex(&format!("{pattern} to appear on tty {tty}"), pattern)?;
        self.wait_until_tty_matches_with(tty, pattern, |text| regex.is_match(text))
            .await
    }

    /// The same with another way to search: waits until `matches` returns true for the
    /// text. `wanted` describes it in errors.
    ///
    /// # Errors
    /// As [`wait_until_tty_matches`](Self::wait_until_tty_matches).
    pub async fn wait_until_tty_matches_with(
        &self,
        tty: &str,
        wanted: &str,
        matches: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let what = &format!("{wanted} to appear on tty {tty}");
        let number = self.tty_number(tty)?;
        let (seen, matches) = (Mutex::new(String::new()), &matches);
        self.step(&format!("waiting for {what}"), async {
            self.connect().await?;
            self.wait(what, |left| {
                self.probe_terminal(&number, &seen, matches, left)
            })
            .await
        })
        .await
    }

    /// Waits until the characters of a terminal are not `seen`, which it updates, or for a
    /// turn.
    async fn probe_terminal(
        &self,
        number: &str,
        seen: &Mutex<String>,
        matches: &impl Fn(&str) -> bool,
        left: Duration,
    ) -> Result<Probe<()>> {
        let last_seen = seen.lock().clone();
        let script = self
            .script(READING)
            .set("number", number)?
            .set("last_seen", &last_seen)?
            .append(DUMP_TERMINAL)
            .append(TERMINAL_CHANGES);
        self.poll(&Polling::new(script), left, async |found: Found| {
            let stdout = &found.output.stdout;
            if !found.is_ready {
                let reason = found.output.text();
                return Ok(if last_seen.is_empty() {
                    // The kernel creates it when it is first opened.
                    Probe::Pending(indented("no terminal to read", &reason))
                } else {
                    Probe::Unknown("the same text".to_owned())
                });
            }
            let end = stdout.iter().position(|&byte| byte == b'\n');
            let (characters, dump) = stdout.split_at(end.map_or(0, |end| end + 1));
            let Some(text) = screen_text(dump) else {
                let reason = String::from_utf8_lossy(dump);
                return Ok(Probe::Pending(indented("no terminal to read", &reason)));
            };
            let characters = String::from_utf8_lossy(characters);
            characters.trim_end().clone_into(&mut seen.lock());
            let stripped = stripped(&text);
            Ok(if matches(&stripped) || matches(&text) {
                Probe::Ready(())
            } else {
                Probe::Pending(indented("other text", &stripped))
            })
        })
        .await
    }

    /// Writes the text on a virtual terminal to the guest's journal.
    ///
    /// # Errors
    /// [`CommandFailed`](crate::ErrorKind::CommandFailed) if the guest has no journal,
    /// or no such terminal.
    pub async fn dump_tty_contents(&self, tty: &str) -> Result<()> {
        let text = self.get_tty_text(tty).await?;
        let text = self.quote("dumping a terminal", &text.replace('\0', " "))?;
        let script = format!("printf %s {text} | systemd-cat");
        self.succeed(script).await.map(drop)
    }

    pub(crate) fn regex(&self, doing: &str, pattern: &str) -> Result<Regex> {
        let regex = regex::RegexBuilder::new(pattern).multi_line(true).build();
        regex.map_err(|error| self.bad_argument(&format!("waiting for {doing}"), error.to_string()))
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

/// The text without the blanks at the ends of rows.
fn stripped(text: &str) -> String {
    text.lines()
        .flat_map(|row| [row.trim_end(), "\n"])
        .collect()
}
