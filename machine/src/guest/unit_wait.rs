//! Waiting for systemd units.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Guest;
use super::parse::systemctl::properties;
use super::poll::{Found, Polling};
use super::shell_gate::BUSY;
use super::waiting::Probe;
use crate::error::{Error, ErrorKind, Result, tail};
use crate::unit::Unit;

/// The properties that say whether a unit is active, or may still become so.
const PROPERTIES: &str = "Id,ActiveState,SubState,LoadState,Result,Job,Type,RemainAfterExit,\
                          ConditionResult,ConditionTimestamp,InactiveEnterTimestamp,\
                          TriggeredBy,UpheldBy,OnSuccessOf,OnFailureOf";

/// Reads the state of a unit.
const UNIT_STATE: &str = include_str!("unit_state.sh");

/// How the names of units begin that exist while a user is logged in or lingers.
const OF_LOGINS: [&str; 4] = ["user@", "user-runtime-dir@", "user-", "session-"];

/// # Waiting for units
impl Guest {
    /// Waits until a unit is active.
    ///
    /// The wait goes on while a job is queued that might start the unit, while a unit is
    /// active that triggers it, for units of logins and devices, and while the service
    /// manager, of the system or of the user, does not answer.
    ///
    /// # Errors
    /// [`UnitState`](ErrorKind::UnitState) at once if the unit has failed, or is
    /// inactive and nothing is known that could change that;
    /// [`TimedOut`](ErrorKind::TimedOut). With the output of `systemctl status`,
    /// including the end of the unit's journal.
    /// [`BadArgument`](ErrorKind::BadArgument) if the guest has no such user.
    pub async fn wait_for_unit(&self, unit: impl Into<Unit>) -> Result<()> {
        let unit = unit.into();
        let what = format!("unit {unit}");
        self.step(&format!("waiting for {what}"), async {
            let (polling, query) = self.unit_polling(&unit)?;
            let waited = self.wait_polling(&what, &polling, async |found, left| {
                self.probe_unit(&unit, &query, found, left).await
            });
            match waited.await {
                Err(error) => Err(self.with_unit_status(error, &unit).await),
                done => done,
            }
        })
        .await
    }

    /// A loop that prints the state of a unit when it has changed, and the query.
    fn unit_polling(&self, unit: &Unit) -> Result<(Polling, String)> {
        let show = self.unit_query(&["show", "--no-pager", "-p", PROPERTIES], unit)?;
        let script = self
            .script("waiting for a unit")
            .set("user", unit.user().unwrap_or_default())?
            .set("show", &show)?
            .append(UNIT_STATE);
        Ok((Polling::for_changes(script, |output| output), show))
    }

    async fn probe_unit(
        &self,
        unit: &Unit,
        query: &str,
        found: Found,
        left: Duration,
    ) -> Result<Probe<()>> {
        if found.output.success() {
            let state = properties(&found.output.text());
            self.evaluate_state(unit, &state, left).await
        } else if found.is_ready {
            Err(self.unit_query_failed(unit, query, &found))
        } else {
            let text = found.output.text();
            let reason = text.trim_end();
            Ok(Probe::Pending(format!(
                "the service manager does not answer: {reason}"
            )))
        }
    }

    fn unit_query_failed(&self, unit: &Unit, query: &str, found: &Found) -> Error {
        let output = tail(&found.output.stdout);
        match unit.user() {
            Some(user) if found.output.status() == NO_USER => {
                let doing = format!("waiting for unit {unit}");
                self.bad_argument(&doing, format!("the guest has no user {user:?}"))
            }
            _ => self.error(ErrorKind::Systemctl {
                query: query.to_owned(),
                exit: found.output.exit.clone(),
                output,
            }),
        }
    }

    /// Decides by a unit's properties whether to wait.
    async fn evaluate_state(
        &self,
        unit: &Unit,
        state: &BTreeMap<String, String>,
        left: Duration,
    ) -> Result<Probe<()>> {
        let get = |name| state.get(name).map_or("", String::as_str);
        let why = match get("ActiveState") {
            "active" => return Ok(Probe::Ready(())),
            "failed" => format!("failed ({})", get("Result")),
            "inactive" | "" if !has_jobs(state) => match never_starts(state) {
                Some(why) => why,
                None => match self.find_starter(unit, state, left).await? {
                    Some(pending) => return Ok(pending),
                    None => match self.last_success(unit, state, left).await? {
                        Some(time) => has_ended(&time),
                        None => inactive(state),
                    },
                },
            },
            active => {
                let seen = format!("it is {active} ({})", get("SubState"));
                return Ok(Probe::Pending(seen));
            }
        };
        Err(self.unit_state(unit, why, "active"))
    }

    /// Looks for an active unit that may start another one. `None` if there is none.
    async fn find_starter(
        &self,
        unit: &Unit,
        state: &BTreeMap<String, String>,
        left: Duration,
    ) -> Result<Option<Probe<()>>> {
        let mut starters = Vec::new();
        for relation in ["TriggeredBy", "UpheldBy", "OnSuccessOf", "OnFailureOf"] {
            let names = state.get(relation).map_or("", String::as_str);
            starters.extend(names.split_whitespace());
        }
        let id = state.get("Id").map_or("", String::as_str);
        if OF_LOGINS.iter().any(|begin| id.starts_with(begin)) {
            starters.push("systemd-logind.service");
        }
        if id.ends_with(".device") {
            starters.push("systemd-udevd.service");
        }
        if starters.is_empty() {
            return Ok(None);
        }
        let show = ["show", "--no-pager", "-p", "Id,ActiveState", "--"];
        let words = show.into_iter().chain(starters);
        let query = self.command_line("reading the states of units", words)?;
        let script = self.systemctl_script(&query, unit.user())?;
        let Some(output) = self.probe_to_the_end(&script, left).await? else {
            return Ok(Some(Probe::Unknown(BUSY.to_owned())));
        };
        if !output.success() {
            let reason = "the service manager does not answer".to_owned();
            return Ok(Some(Probe::Unknown(reason)));
        }
        let text = output.text();
        let mut units = text.split("\n\n").map(properties);
        let active = units.find(|unit| {
            let state = unit.get("ActiveState").map_or("", String::as_str);
            matches!(state, "active" | "activating" | "reloading")
        });
        let starter = active.and_then(|mut unit| unit.remove("Id"));
        Ok(starter.map(|id| Probe::Pending(format!("it is inactive; {id} may start it"))))
    }

    /// When a oneshot service has last ended, by the journal: systemd unloads units that
    /// nothing refers to.
    async fn last_success(
        &self,
        unit: &Unit,
        state: &BTreeMap<String, String>,
        left: Duration,
    ) -> Result<Option<String>> {
        let id = state
            .get("Id")
            .filter(|_| is_oneshot(state) && unit.user().is_none());
        let Some(id) = id else { return Ok(None) };
        let (unit, succeeded) = (format!("UNIT={id}"), format!("MESSAGE_ID={UNIT_SUCCESS}"));
        let journalctl = ["journalctl", "-b", "-q", "-n", "1", "-o", "short-full"];
        let words = journalctl.into_iter().chain([&*unit, &*succeeded]);
        let script = self.command_line("reading a journal", words)?;
        let output = self.probe(&script, left).await?;
        let text = output.map(|output| output.text()).unwrap_or_default();
        // Sun 2026-11-29 10:47:52 UTC HOST systemd[1]: …
        let time: Vec<&str> = text.split(' ').take(4).collect();
        Ok((time.len() == 4).then(|| time.join(" ")))
    }

    pub(super) fn unit_state(&self, unit: &Unit, state: String, wanted: &str) -> Error {
        self.error(ErrorKind::UnitState {
            unit: unit.clone(),
            state,
            wanted: wanted.to_owned(),
        })
    }

    /// Adds the unit's status and journal, if the guest still answers.
    pub(super) async fn with_unit_status(&self, error: Error, unit: &Unit) -> Error {
        if matches!(error.kind(), ErrorKind::BadArgument { .. }) {
            return error;
        }
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

/// The id of systemd's message that a unit has ended successfully (`sd-messages.h`).
const UNIT_SUCCESS: &str = "7ad2d189f7e94e70a38c781354912448";

/// The status of [`UNIT_STATE`] if there is no such user.
const NO_USER: i32 = 255;

/// Whether jobs are queued, of the unit or of others.
fn has_jobs(state: &BTreeMap<String, String>) -> bool {
    state.get("Job").is_some_and(|job| !job.is_empty()) || state.contains_key("OtherJobs")
}

/// Why a unit that is inactive can't become active by itself, whatever happens.
fn never_starts(state: &BTreeMap<String, String>) -> Option<String> {
    let get = |name| state.get(name).map_or("", String::as_str);
    if state.is_empty() {
        return Some("a pattern that no unit's name matches".to_owned());
    }
    let ended = get("InactiveEnterTimestamp");
    match get("LoadState") {
        "not-found" => Some("not known to systemd".to_owned()),
        "masked" => Some("inactive and masked: it can't be started".to_owned()),
        "loaded" if is_oneshot(state) && !ended.is_empty() => Some(has_ended(ended)),
        "loaded" | "" => None,
        state => Some(format!(
            "inactive, as its unit file can't be used ({state})"
        )),
    }
}

/// Whether it is a service that is never active for longer than its processes run.
fn is_oneshot(state: &BTreeMap<String, String>) -> bool {
    let is = |name, value| state.get(name).is_some_and(|it| it == value);
    is("Type", "oneshot") && is("RemainAfterExit", "no")
}

/// Describes a oneshot service that has run.
fn has_ended(time: &str) -> String {
    format!(
        "inactive (it ran, succeeded, and ended {time}; a oneshot service stays active only \
         with RemainAfterExit=yes)"
    )
}

/// Describes a unit that is inactive.
fn inactive(state: &BTreeMap<String, String>) -> String {
    let get = |name| state.get(name).map_or("", String::as_str);
    let nothing = "no job is under way that might start it, and nothing active triggers it";
    let (checked, since) = (get("ConditionTimestamp"), get("InactiveEnterTimestamp"));
    if get("ConditionResult") == "no" && !checked.is_empty() {
        format!("inactive (a condition for its start was not met, {checked}), and {nothing}")
    } else if since.is_empty() {
        format!("inactive, and {nothing}")
    } else {
        format!("inactive since {since}, and {nothing}")
    }
}
