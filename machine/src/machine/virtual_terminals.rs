//! The text on virtual terminals.

use regex::Regex;

use super::Machine;
use crate::error::Result;
use crate::guest::virtual_terminals::probe_terminal;

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
        self.terminal_text(tty).await
    }

    /// Waits until the regular expression `pattern` matches the text on a
    /// virtual terminal, with or without the blanks that fill its rows; `^` and `$` also
    /// match at the ends of rows. The terminal may not exist yet.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument);
    /// [`TimedOut`](crate::ErrorKind::TimedOut) with the text that was there last.
    pub async fn wait_until_tty_matches(&self, tty: &str, pattern: &str) -> Result<()> {
        let regex = self.regex(
            &format!("waiting for {pattern} to appear on tty {tty}"),
            pattern,
        )?;
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
        let polling = &self.terminal_polling(tty)?;
        self.step(&format!("waiting for {what}"), async {
            let probe = async |found, _| Ok(probe_terminal(&found, &matches));
            self.wait_polling(what, polling, probe).await
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
        let script = self
            .script("dumping a terminal")
            .set("text", &text.replace('\0', " "))?
            .append(include_str!("../guest/write_to_journal.sh"));
        self.succeed(script.into_text()).await.map(drop)
    }

    pub(crate) fn regex(&self, doing: &str, pattern: &str) -> Result<Regex> {
        let regex = regex::RegexBuilder::new(pattern).multi_line(true).build();
        regex.map_err(|error| self.bad_argument(doing, error.to_string()))
    }
}
