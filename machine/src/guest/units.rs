//! systemd units: their state and properties.

use std::collections::BTreeMap;

use backdoor_shell::Output;

use super::Guest;
use super::parse::systemctl::properties;
use crate::error::Result;
use crate::unit::Unit;

/// # Units
///
/// A unit is a `&str`, or a [`Unit`] for a unit of a user. Its name is quoted, so it may
/// contain anything.
impl Guest {
    /// All properties of a unit, as printed by `systemctl show`.
    ///
    /// A unit that does not exist has properties, too; its `LoadState` is `not-found`.
    ///
    /// # Errors
    /// [`Systemctl`](crate::ErrorKind::Systemctl).
    pub async fn get_unit_info(&self, unit: impl Into<Unit>) -> Result<BTreeMap<String, String>> {
        let unit = unit.into();
        let query = self.unit_query(&["show", "--no-pager"], &unit)? + " 2>&1";
        let output = self.systemctl(&query, unit.user()).await?;
        Ok(properties(&self.systemctl_output(&query, &output)?))
    }

    /// One property of a unit.
    ///
    /// # Errors
    /// [`Systemctl`](crate::ErrorKind::Systemctl); [`BadArgument`](crate::ErrorKind::BadArgument) if the
    /// unit has no such property.
    pub async fn get_unit_property(&self, unit: impl Into<Unit>, property: &str) -> Result<String> {
        let unit = unit.into();
        let property_option = format!("--property={property}");
        let query = ["show", "--no-pager", &property_option];
        let query = self.unit_query(&query, &unit)? + " 2>&1";
        let output = self.systemctl(&query, unit.user()).await?;
        let text = self.systemctl_output(&query, &output)?;
        properties(&text).remove(property).ok_or_else(|| {
            let doing = format!("reading a property of unit {unit}");
            self.bad_argument(&doing, format!("it has no property {property:?}"))
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
    /// [`UnitState`](crate::ErrorKind::UnitState) with the output of `systemctl status`.
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
}
