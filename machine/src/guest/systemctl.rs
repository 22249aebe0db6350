//! The scripts that query systemd.

use backdoor_shell::Output;

use super::Guest;
use crate::error::{ErrorKind, Result, tail};
use crate::unit::Unit;

/// Writes what units have just printed to the journal.
const SYNC_JOURNAL: &str = "journalctl --sync &>/dev/null || :";

impl Guest {
    /// Scripts that show a unit's status; and its journal, if the status doesn't include
    /// it: users may not read what the system's journal has of their units.
    pub(super) fn status_scripts(&self, unit: &Unit) -> Result<(String, Option<String>)> {
        let name = self.quoted(unit)?;
        let lines = if unit.user().is_some() { 0 } else { 15 };
        let query = format!("status --no-pager --full --lines={lines} -- {name} 2>&1");
        let status = self.systemctl_script(&query, unit.user())?;
        let Some(user) = unit.user() else {
            return Ok((format!("{SYNC_JOURNAL}; {status}"), None));
        };
        let query = format!("show --property=Id --value -- {name}");
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

    /// A unit's name, quoted.
    pub(super) fn quoted(&self, unit: &Unit) -> Result<String> {
        let doing = "querying a unit";
        if unit.name().is_empty() {
            return Err(self.bad_argument(doing, "the unit's name is empty"));
        }
        self.quote(doing, unit.name())
    }

    pub(super) fn systemctl_script(&self, query: &str, user: Option<&str>) -> Result<String> {
        let Some(user) = user else {
            return Ok(format!("systemctl {query}"));
        };
        let script = format!("XDG_RUNTIME_DIR=/run/user/`id -u` systemctl --user {query}");
        let doing = "querying a user's systemd";
        Ok(format!(
            "su -l --shell /bin/sh -c {} -- {}",
            self.quote(doing, &script)?,
            self.quote(doing, user)?
        ))
    }
}
