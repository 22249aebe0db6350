//! systemd units: their state and properties.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use backdoor_shell::Output;

use super::Guest;
use super::parse::systemctl::properties;
use super::shell_gate::BUSY;
use super::waiting::Probe;
use crate::error::{Error, ErrorKind, Result};
use crate::unit::Unit;

/// # Units
///
/// A unit is a `&str`, or a [`Unit`] for a unit of a user. Its name is quoted, so it may
/// contain anything.
impl Guest {
    /// Waits until a unit is active.
    ///
    /// # Errors
    /// [`UnitState`](ErrorKind::UnitState) at once if the unit has failed, or is
    /// inactive and no job is queued that could change that;
    /// [`TimedOut`](ErrorKind::TimedOut). With the output of `systemctl status`,
    /// including the end of the unit's journal.
    pub async fn wait_for_unit(&self, unit: impl Into<Unit>) -> Result<()> {
        let unit = unit.into();
        let what = format!("unit {unit}");
        self.step(&format!("waiting for {what}"), async {
            self.connect().await?;
            let waited = self.wait(&what, |left| self.probe_unit(&unit, left));
            match waited.await {
                Err(error) => Err(self.with_unit_status(error, &unit).await),
                done => done,
            }
        })
        .await
    }

    async fn probe_unit(&self, unit: &Unit, left: Duration) -> Result<Probe<()>> {
        let begin = Instant::now();
        let left = || left.saturating_sub(begin.elapsed());
        let Some(shown) = self.show_unit(unit, left()).await? else {
            return Ok(Probe::Unknown(BUSY.to_owned()));
        };
        let get = |name| shown.get(name).map_or("", String::as_str);
        let stays = |why: String| self.unit_state(unit, why, "active");
        match get("ActiveState") {
            "active" => Ok(Probe::Ready(())),
            "failed" => Err(stays(format!("failed ({})", get("Result")))),
            // Jobs of other units may still start it, or even create it.
            "inactive" if get("Job").is_empty() && !self.has_jobs(unit, left()).await? => {
                let is_known = get("LoadState") != "not-found";
                let Some(shown) = self.show_unit(unit, left()).await? else {
                    return Ok(Probe::Unknown(BUSY.to_owned()));
                };
                match shown.get("ActiveState").map_or("", String::as_str) {
                    "inactive" if is_known => Err(stays(
                        "inactive, and no job is under way that might start it".to_owned(),
                    )),
                    "inactive" => Err(stays("not known to systemd".to_owned())),
                    state => Ok(Probe::Pending(format!("it is {state}"))),
                }
            }
            "" if !self.has_jobs(unit, left()).await? => {
                Err(stays("a pattern that no unit's name matches".to_owned()))
            }
            state => Ok(Probe::Pending(format!(
                "it is {state} ({})",
                get("SubState")
            ))),
        }
    }

    /// The properties that a probe needs. `None` if the probe was not completed.
    async fn show_unit(
        &self,
        unit: &Unit,
        left: Duration,
    ) -> Result<Option<BTreeMap<String, String>>> {
        let names = "ActiveState,SubState,LoadState,Result,Job";
        let query = format!("show --no-pager -p {names} -- {} 2>&1", self.quoted(unit)?);
        let script = self.systemctl_script(&query, unit.user())?;
        let Some(output) = self.probe_to_the_end(&script, left).await? else {
            return Ok(None);
        };
        let shown = properties(&self.systemctl_output(&query, &output)?);
        Ok(Some(shown))
    }

    /// Whether the service manager has queued jobs.
    async fn has_jobs(&self, unit: &Unit, left: Duration) -> Result<bool> {
        let script = self.systemctl_script("list-jobs --no-legend 2>&1", unit.user())?;
        let output = self.probe(&script, left).await?;
        Ok(output.is_none_or(|output| !output.text().trim().is_empty()))
    }

    /// All properties of a unit, as printed by `systemctl show`.
    ///
    /// A unit that does not exist has properties, too; its `LoadState` is `not-found`.
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
    /// [`Systemctl`](ErrorKind::Systemctl), also if the unit has no such property.
    pub async fn get_unit_property(&self, unit: impl Into<Unit>, property: &str) -> Result<String> {
        let unit = unit.into();
        let query = format!(
            "show --no-pager --property={} -- {} 2>&1",
            self.quote("reading a unit's property", property)?,
            self.quoted(&unit)?
        );
        let output = self.systemctl(&query, unit.user()).await?;
        let exit = output.exit.clone();
        let text = self.systemctl_output(&query, &output)?;
        properties(&text).remove(property).ok_or_else(|| {
            self.error(ErrorKind::Systemctl {
                query,
                exit,
                output: vec![format!("it has no property {property:?}")],
            })
        })
    }

    /// Runs `systemctl QUERY`, or `systemctl --user QUERY` as `user`, and returns
    /// its status and output. Its standard error goes to the console, as a command's does.
    ///
    /// `query` is shell text: [quote](crate::quote) the values in it.
    ///
    /// # Cancellation
    /// Ends `systemctl`, but not a job that it has begun.
    pub async fn systemctl(&self, query: &str, user: Option<&str>) -> Result<Output> {
        self.execute(self.systemctl_script(query, user)?).await
    }

    /// Checks that a unit is in a state such as `active`, `inactive` or `failed`.
    ///
    /// # Errors
    /// [`UnitState`](ErrorKind::UnitState) with the output of `systemctl status`.
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

    /// Adds the unit's status and journal, if the guest still answers.
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
}
