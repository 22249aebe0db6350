//! Virtual terminals: what is on them.

use backdoor_shell::Output;
use regex::Regex;

use crate::error::{ErrorKind, Result, indented, tail};
use crate::guest::commands::BUSY;
use crate::guest::parse::virtual_terminal::{Cells, Size, text};
use crate::guest::waiting::Look;
use crate::machine::Machine;

/// The last terminal that Linux can have (`MAX_NR_CONSOLES`).
const LAST_TTY: u8 = 63;

/// # Virtual terminals
///
/// A terminal is named by its number, 1 to 63: `"1"` is `/dev/tty1`.
impl Machine {
    /// The text on a virtual terminal: its rows in full width, each with a
    /// newline behind it.
    ///
    /// # Errors
    /// [`BadArgument`](ErrorKind::BadArgument) if `tty` is no such number;
    /// [`CommandFailed`](ErrorKind::CommandFailed) if the guest has no such
    /// terminal, or nobody has used it yet.
    pub async fn get_tty_text(&self, tty: &str) -> Result<String> {
        let script = self.dump_script(tty)?;
        let output = self.execute(script.as_str()).await?;
        screen_text(&output).ok_or_else(|| {
            self.error(ErrorKind::CommandFailed {
                command: format!("cat /dev/vcs{tty}"),
                exit: output.exit,
                output: tail(&output.stdout),
            })
        })
    }

    /// Waits until the regular expression `pattern` matches the text on a
    /// virtual terminal, in which `^` and `$` match at the rows' ends, too. One that
    /// nobody uses yet is waited for.
    ///
    /// # Errors
    /// [`BadArgument`](ErrorKind::BadArgument);
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
                let Some(output) = self.look_to_the_end(script, left).await? else {
                    return Ok(Look::Unseen(BUSY.to_owned()));
                };
                Ok(match screen_text(&output) {
                    Some(text) if matches(&text) => Look::Done(()),
                    Some(text) => Look::NotYet(indented("other text", &text)),
                    // The kernel makes it when it is first opened.
                    None => Look::NotYet(indented("no terminal to read", &output.text())),
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

    pub(crate) fn regex(&self, doing: &str, pattern: &str) -> Result<Regex> {
        let regex = regex::RegexBuilder::new(pattern).multi_line(true).build();
        regex.map_err(|error| self.bad_argument(&format!("waiting for {doing}"), error.to_string()))
    }

    /// A command that prints a terminal's size (two bytes), one byte that says
    /// which kind of cells follow, and the cells.
    fn dump_script(&self, tty: &str) -> Result<String> {
        let is_number = tty.bytes().all(|byte| byte.is_ascii_digit());
        let number = tty.parse::<u8>().ok().filter(|_| is_number);
        let Some(number) = number.filter(|number| (1..=LAST_TTY).contains(number)) else {
            let reason =
                format!("{tty:?} is not the number of a virtual terminal, 1 to {LAST_TTY}");
            return Err(self.bad_argument("reading a virtual terminal", reason));
        };
        Ok(format!(
            "exec 2>&1
            head -c 2 /dev/vcsa{number}
            if head -c 4 /dev/vcsu{number} &>/dev/null; then
                printf u; cat /dev/vcsu{number}
            else
                printf b; cat /dev/vcs{number}
            fi"
        ))
    }
}

/// The text that such a command has printed; none if there is no such terminal.
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
