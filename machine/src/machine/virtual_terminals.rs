//! The text on virtual terminals.

use backdoor_shell::Output;
use regex::Regex;

use super::Machine;
use crate::error::{Result, indented};
use crate::guest::parse::virtual_terminal::{Cells, Size, text};
use crate::guest::shell_gate::BUSY;
use crate::guest::waiting::Probe;

/// The greatest number of a terminal in Linux (`MAX_NR_CONSOLES`).
const LAST_TTY: u8 = 63;

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
        let script = self.dump_script(tty)?;
        let output = self.execute(script.as_str()).await?;
        screen_text(&output)
            .ok_or_else(|| self.command_failed(&format!("cat /dev/vcs{tty}"), &output))
    }

    /// Waits until the regular expression `pattern` matches the text on a
    /// virtual terminal; `^` and `$` also match at the ends of rows. The terminal may
    /// not exist yet.
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
        let script = self.dump_script(tty)?;
        self.step(&format!("waiting for {what}"), async {
            self.connect().await?;
            let (script, matches) = (script.as_str(), &matches);
            self.wait(what, |left| async move {
                let Some(output) = self.probe_to_the_end(script, left).await? else {
                    return Ok(Probe::Unknown(BUSY.to_owned()));
                };
                Ok(match screen_text(&output) {
                    Some(text) if matches(&text) => Probe::Ready(()),
                    Some(text) => Probe::Pending(indented("other text", &text)),
                    // The kernel creates it when it is first opened.
                    None => Probe::Pending(indented("no terminal to read", &output.text())),
                })
            })
            .await
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

    /// A script that prints a terminal's size (two bytes), one byte for the kind of cells,
    /// and the cells.
    fn dump_script(&self, tty: &str) -> Result<String> {
        let is_number = tty.bytes().all(|byte| byte.is_ascii_digit());
        let number = tty.parse::<u8>().ok().filter(|_| is_number);
        let Some(number) = number.filter(|number| (1..=LAST_TTY).contains(number)) else {
            let reason =
                format!("{tty:?} is not the number of a virtual terminal, 1 to {LAST_TTY}");
            return Err(self.bad_argument("reading a virtual terminal", reason));
        };
        let script = self
            .script("reading a virtual terminal")
            .set("number", &number.to_string())?;
        Ok(script
            .append(include_str!("../guest/dump_terminal.sh"))
            .into_text())
    }
}

/// The text in the output of such a script; `None` if there is no such terminal.
fn screen_text(output: &Output) -> Option<String> {
    let [rows, columns, kind, cells @ ..] = output.stdout.as_slice() else {
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
    output.success().then(|| text(size, cells))
}
