//! systemd units: their state and properties.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use backdoor_shell::Output;

use crate::Unit;
use crate::error::{Error, ErrorKind, Result, tail};
use crate::guest::commands::BUSY;
use crate::guest::parse::systemctl::properties;
use crate::guest::waiting::Look;
use crate::machine::Machine;

/// What a unit has just printed is in the journal only then.
const SYNC_JOURNAL: &str = "journalctl --sync &>/dev/null || :";

/// # Units
///
/// A unit is a `&str`, or a [`Unit`] for one of a user's. Its name is quoted:
/// it may hold anything.
impl Machine {
    /// Waits until a unit is active.
    ///
    /// # Errors
    /// [`UnitState`](ErrorKind::UnitState) at once if the unit has failed, or is
    /// inactive with no job under way that could change that;
    /// [`TimedOut`](ErrorKind::TimedOut). With what `systemctl status` says,
    /// the last of the unit's journal included.
    pub async fn wait_for_unit(&self, unit: impl Into<Unit>) -> Result<()> {
        let unit = unit.into();
        let what = format!("unit {unit}");
        self.step(&format!("waiting for {what}"), async {
            self.connect().await?;
            let waited = self.wait(&what, |left| self.look_at_unit(&unit, left));
            match waited.await {
                Err(error) => Err(self.with_unit_status(error, &unit).await),
                done => done,
            }
        })
        .await
    }

    async fn look_at_unit(&self, unit: &Unit, left: Duration) -> Result<Look<()>> {
        let begin = Instant::now();
        let left = || left.saturating_sub(begin.elapsed());
        let Some(shown) = self.see_unit(unit, left()).await? else {
            return Ok(Look::Unseen(BUSY.to_owned()));
        };
        let get = |name| shown.get(name).map_or("", String::as_str);
        let stays = |why: String| self.unit_state(unit, why, "active");
        match get("ActiveState") {
            "active" => Ok(Look::Done(())),
            "failed" => Err(stays(format!("failed ({})", get("Result")))),
            // Jobs of other units may yet start it, or even make it.
            "inactive" if get("Job").is_empty() && !self.has_jobs(unit, left()).await? => {
                let is_known = get("LoadState") != "not-found";
                let Some(shown) = self.see_unit(unit, left()).await? else {
                    return Ok(Look::Unseen(BUSY.to_owned()));
                };
                match shown.get("ActiveState").map_or("", String::as_str) {
                    "inactive" if is_known => Err(stays(
                        "inactive, and no job is under way that might start it".to_owned(),
                    )),
                    "inactive" => Err(stays("not known to systemd".to_owned())),
                    state => Ok(Look::NotYet(format!("it is {state}"))),
                }
            }
            "" if !self.has_jobs(unit, left()).await? => {
                Err(stays("a pattern that no unit's name matches".to_owned()))
            }
            state => Ok(Look::NotYet(format!("it is {state} ({})", get("SubState")))),
        }
    }

    /// What a look shows of a unit. `None` if it does not get to its end.
    async fn see_unit(
        &self,
        unit: &Unit,
        left: Duration,
    ) -> Result<Option<BTreeMap<String, String>>> {
        let names = "ActiveState,SubState,LoadState,Result,Job";
        let query = format!("show --no-pager -p {names} -- {} 2>&1", self.quoted(unit)?);
        let script = self.systemctl_script(&query, unit.user())?;
        let Some(output) = self.look_to_the_end(&script, left).await? else {
            return Ok(None);
        };
        let shown = properties(&self.systemctl_output(&query, &output)?);
        Ok(Some(shown))
    }

    /// Whether the service manager has anything to do.
    async fn has_jobs(&self, unit: &Unit, left: Duration) -> Result<bool> {
        let script = self.systemctl_script("list-jobs --no-legend 2>&1", unit.user())?;
        let output = self.look(&script, left).await?;
        Ok(output.is_none_or(|output| !output.text().trim().is_empty()))
    }

    /// All properties of a unit, as `systemctl show` gives them.
    ///
    /// A unit that does not exist has some, too; its `LoadState` is `not-found`.
    ///
    /// # Errors
    /// [`Systemctl`](ErrorKind::Systemctl).
    pub async fn get_unit_info(&self, unit: impl Into<Unit>) -> Result<BTreeMap<String, String>> {
        let unit = unit.into();
        let query = format!("show --no-pager -- {} 2>&1", self.quoted(&unit)?);
        let output = self.systemctl(&query, unit.user()).await?;
        Ok(properties(&self.systemctl_output(&query, &output)?))
    }

    /// One property of a unit.
    ///
    /// # Errors
    /// [`Systemctl`](ErrorKind::Systemctl); also if the unit has no such
    /// property.
    pub async fn get_unit_property(&self, unit: impl Into<Unit>, property: &str) -> Result<String> {
        let unit = unit.into();
        let query = format!(
            "show --no-pager --property={} -- {} 2>&1",
            self.quote("reading a unit's property", property)?,
            self.quoted(&unit)?
        );
        let output = self.systemctl(&query, unit.user()).await?;
        let exit = output.exit;
        let text = self.systemctl_output(&query, &output)?;
        properties(&text).remove(property).ok_or_else(|| {
            self.error(ErrorKind::Systemctl {
                query,
                exit,
                output: vec![format!("it has no property {property:?}")],
            })
        })
    }

    /// Runs `systemctl QUERY`, or `systemctl --user QUERY` as `user`, and gives
    /// its status and output. Its standard error goes to the console, as a command's.
    ///
    /// `query` is shell text: [quote](crate::quote) what goes into it.
    pub async fn systemctl(&self, query: &str, user: Option<&str>) -> Result<Output> {
        self.execute(self.systemctl_script(query, user)?).await
    }

    /// Checks that a unit is in a state such as `active`, `inactive` or `failed`.
    ///
    /// # Errors
    /// [`UnitState`](ErrorKind::UnitState) with what `systemctl status` says.
    pub async fn require_unit_state(&self, unit: impl Into<Unit>, state: &str) -> Result<()> {
        let unit = unit.into();
        let step = format!("checking if unit {unit} has reached state {state}");
        self.step(&step, async {
            let seen = self.get_unit_property(unit.clone(), "ActiveState").await?;
            if seen == state {
                return Ok(());
            }
            let error = self.unit_state(&unit, seen, state);
            Err(self.with_unit_status(error, &unit).await)
        })
        .await
    }

    fn unit_state(&self, unit: &Unit, state: String, wanted: &str) -> Error {
        self.error(ErrorKind::UnitState {
            unit: unit.clone(),
            state,
            wanted: wanted.to_owned(),
        })
    }

    /// Adds the unit's status and journal, if the guest can still tell.
    async fn with_unit_status(&self, error: Error, unit: &Unit) -> Error {
        let Ok((status, journal)) = self.status_scripts(unit) else {
            return error;
        };
        let error = self.with_output(error, "systemctl status", &status).await;
        match journal {
            Some(journal) => self.with_output(error, "its journal", &journal).await,
            None => error,
        }
    }

    /// What shows a unit's status; and its journal, if that is not part of it: users
    /// may not read what the system keeps of their units.
    fn status_scripts(&self, unit: &Unit) -> Result<(String, Option<String>)> {
        let name = self.quoted(unit)?;
        let lines = if unit.user().is_some() { 0 } else { 15 };
        let query = format!("status --no-pager --full --lines={lines} -- {name} 2>&1");
        let status = self.systemctl_script(&query, unit.user())?;
        let Some(user) = unit.user() else {
            return Ok((format!("{SYNC_JOURNAL}; {status}"), None));
        };
        let query = format!("show --property=Id --value -- {name}");
        let journal = format!(
            "exec 2>&1; {SYNC_JOURNAL}
            uid=$(id -u -- {}); id=$({})
            journalctl --no-pager --lines=15 _UID=$uid _SYSTEMD_USER_UNIT=\"$id\" \\
                + _UID=$uid USER_UNIT=\"$id\"",
            self.quote("reading a journal", user)?,
            self.systemctl_script(&query, Some(user))?
        );
        Ok((status, Some(journal)))
    }

    pub(crate) fn systemctl_output(&self, query: &str, output: &Output) -> Result<String> {
        if output.success() {
            return Ok(output.text());
        }
        Err(self.error(ErrorKind::Systemctl {
            query: query.to_owned(),
            exit: output.exit,
            output: tail(&output.stdout),
        }))
    }

    /// A unit's name, quoted.
    pub(crate) fn quoted(&self, unit: &Unit) -> Result<String> {
        let doing = "asking systemd about a unit";
        if unit.name().is_empty() {
            return Err(self.bad_argument(doing, "the unit's name is empty"));
        }
        self.quote(doing, unit.name())
    }

    fn systemctl_script(&self, query: &str, user: Option<&str>) -> Result<String> {
        let Some(user) = user else {
            return Ok(format!("systemctl {query}"));
        };
        let script = format!("XDG_RUNTIME_DIR=/run/user/`id -u` systemctl --user {query}");
        let doing = "asking a user's systemd";
        Ok(format!(
            "su -l --shell /bin/sh -c {} -- {}",
            self.quote(doing, &script)?,
            self.quote(doing, user)?
        ))
    }
}
