//! Virtual terminals: what is on them.

use backdoor_shell::Output;
use regex::Regex;

use super::Machine;
use super::shell::BUSY;
use crate::error::{ErrorKind, Result, indented, tail};
use crate::parse::screen::{Cells, Size, text};
use crate::waiting::Look;

/// # Virtual terminals
///
/// A terminal is named by its number: `"1"` is `/dev/tty1`.
impl Machine {
    /// The text on a virtual terminal: its rows in full width, each with a
    /// newline behind it.
    ///
    /// # Errors
    /// [`BadArgument`](ErrorKind::BadArgument) if `tty` is no number;
    /// [`CommandFailed`](ErrorKind::CommandFailed) if the guest has no such
    /// terminal.
    pub async fn get_tty_text(&self, tty: &str) -> Result<String> {
        let script = self.dump_script(tty)?;
        let output = self.execute(script.as_str()).await?;
        self.tty_text(tty, &output)
    }

    /// Waits until the regular expression `pattern` matches the text on a
    /// virtual terminal, in which `^` and `$` match at the rows' ends, too.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the text that was there last.
    pub async fn wait_until_tty_matches(&self, tty: &str, pattern: &str) -> Result<()> {
        let regex = self.regex(&format!("{pattern} to appear on tty {tty}"), pattern)?;
        self.wait_until_tty_matches_with(tty, pattern, |text| regex.is_match(text))
            .await
    }

    /// The same for other ways to search: waits until `matches` is true of the text.
    /// `wanted` says what it looks for.
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
                let Some(output) = self.look(script, left).await? else {
                    return Ok(Look::NotYet(BUSY.to_owned()));
                };
                let text = self.tty_text(tty, &output)?;
                Ok(if matches(&text) {
                    Look::Done(())
                } else {
                    Look::NotYet(indented("other text", &text))
                })
            })
            .await
        })
        .await
    }

    /// Writes the text on a virtual terminal to the guest's journal.
    ///
    /// # Errors
    /// [`CommandFailed`](ErrorKind::CommandFailed) if the guest has no journal,
    /// or no such terminal.
    pub async fn dump_tty_contents(&self, tty: &str) -> Result<()> {
        let text = self.get_tty_text(tty).await?;
        let text = self.quote("dumping a terminal", &text.replace('\0', " "))?;
        let script = format!("printf %s {text} | systemd-cat");
        self.succeed(script).await.map(drop)
    }

    pub(super) fn regex(&self, doing: &str, pattern: &str) -> Result<Regex> {
        let regex = regex::RegexBuilder::new(pattern).multi_line(true).build();
        regex.map_err(|error| self.bad_argument(&format!("waiting for {doing}"), error.to_string()))
    }

    /// A command that prints a terminal's size (two bytes), one byte that says
    /// which kind of cells follow, and the cells.
    fn dump_script(&self, tty: &str) -> Result<String> {
        if tty.is_empty() || !tty.bytes().all(|byte| byte.is_ascii_digit()) {
            let reason = format!("{tty:?} is not the number of a virtual terminal");
            return Err(self.bad_argument("reading a virtual terminal", reason));
        }
        Ok(format!(
            "exec 2>&1
            head -c 2 /dev/vcsa{tty}
            if head -c 4 /dev/vcsu{tty} &>/dev/null; then
                printf u; cat /dev/vcsu{tty}
            else
                printf b; cat /dev/vcs{tty}
            fi"
        ))
    }

    fn tty_text(&self, tty: &str, output: &Output) -> Result<String> {
        let size = |rows: &u8, columns: &u8| Size {
            rows: (*rows).into(),
            columns: (*columns).into(),
        };
        let text = match output.stdout.as_slice() {
            [rows, columns, b'u', cells @ ..] if output.success() => {
                text(size(rows, columns), Cells::Unicode(cells))
            }
            [rows, columns, b'b', cells @ ..] if output.success() => {
                text(size(rows, columns), Cells::Bytes(cells))
            }
            _ => {
                return Err(self.error(ErrorKind::CommandFailed {
                    command: format!("cat /dev/vcs{tty}"),
                    exit: output.exit,
                    output: tail(&output.stdout),
                }));
            }
        };
        Ok(text)
    }
}
