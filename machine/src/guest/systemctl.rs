//! The scripts that query systemd.

use backdoor_shell::Output;

use super::Guest;
use crate::error::{ErrorKind, Result, tail};
use crate::unit::Unit;

/// The operation, in errors.
const QUERYING: &str = "querying a unit";

impl Guest {
    /// Scripts that show a unit's status; and its journal, if the status doesn't include
    /// it: users may not read what the system's journal has of their units.
    pub(super) fn status_scripts(&self, unit: &Unit) -> Result<(String, Option<String>)> {
        let status = |lines| {
            let query = ["status", "--no-pager", "--full", lines];
            let query = self.unit_query(&query, unit)? + " 2>&1";
            self.systemctl_script(&query, unit.user())
        };
        let Some(user) = unit.user() else {
            let script = self
                .script("reading a unit's status")
                .set("show_status", &status("--lines=15")?)?
                .append(include_str!("unit_status.sh"));
            return Ok((script.into_text(), None));
        };
        let status = status("--lines=0")?;
        let query = self.unit_query(&["show", "--property=Id", "--value"], unit)?;
        let journal = self
            .script("reading a journal")
            .set("user", user)?
            .set("show_id", &self.systemctl_script(&query, Some(user))?)?
            .append(include_str!("user_journal.sh"));
        Ok((status, Some(journal.into_text())))
    }

    pub(super) fn systemctl_output(&self, query: &str, output: &Output) -> Result<String> {
        if output.success() {
            return Ok(output.text());
        }
        Err(self.error(ErrorKind::Systemctl {
            query: query.to_owned(),
            exit: output.exit.clone(),
            output: tail(&output.stdout),
        }))
    }

    /// A query of a unit: the words before its name.
    pub(super) fn unit_query(&self, words: &[&str], unit: &Unit) -> Result<String> {
        if unit.name().is_empty() {
            return Err(self.bad_argument(QUERYING, "the unit's name is empty"));
        }
        let words = words.iter().copied().chain(["--", unit.name()]);
        self.command_line(QUERYING, words)
    }

    /// `systemctl QUERY`, as one command; `query` is shell text.
    pub(super) fn systemctl_script(&self, query: &str, user: Option<&str>) -> Result<String> {
        let Some(user) = user else {
            return Ok(format!("systemctl {query}"));
        };
        let script = format!("XDG_RUNTIME_DIR=/run/user/`id -u` systemctl --user {query}");
        let su = ["su", "-l", "--shell", "/bin/sh", "-c", &script, "--", user];
        self.command_line("querying a user's systemd", su)
    }
}
