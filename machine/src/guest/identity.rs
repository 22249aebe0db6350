//! The identity of a clone: what it must not share with its template.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::parse::mounts::Mount;
use super::{Guest, Running};
use crate::error::Result;

/// What a guest is given when it continues from a saved state.
///
/// There are two ways to apply it with the same effect: the [clone
/// agent](AGENT), if it waits in the guest, and a script in the root shell.
pub(crate) struct Identity {
    /// Random text for the kernel's random number generator.
    seed: String,
    /// The same for the file that seeds it at the next boot.
    saved_seed: String,
    /// Empty if the guest keeps its own.
    machine_id: String,
    /// Empty if the guest keeps its own.
    host_name: String,
    mounts: Vec<Mount>,
}

/// The program that waits in a saved guest for its clone's identity, in Perl: without
/// starting programs, it takes an emulated guest four tenths of a second less.
pub(crate) const AGENT: &str = include_str!("clone_agent.pl");

/// The operation, in errors.
const APPLYING: &str = "applying a clone's identity";

const HOST_NAME: &str = include_str!("host_name.sh");

impl Identity {
    /// Of the same guest at a later time: only the clock, the random numbers and the
    /// mounted shares change.
    pub(crate) fn resumed(mounts: &[Mount]) -> Self {
        Self {
            seed: seed(),
            saved_seed: seed(),
            machine_id: String::new(),
            host_name: String::new(),
            mounts: mounts.to_vec(),
        }
    }

    /// Of another machine.
    pub(crate) fn cloned(mounts: &[Mount], host_name: Option<&str>) -> Self {
        Self {
            machine_id: Uuid::new_v4().simple().to_string(),
            host_name: host_name.unwrap_or_default().to_owned(),
            ..Self::resumed(mounts)
        }
    }

    /// The agent's input: fields that a NUL separates.
    pub(crate) fn to_agent_request(&self) -> String {
        let time = now();
        let mut fields = vec![
            &time,
            &self.seed,
            &self.saved_seed,
            &self.machine_id,
            &self.host_name,
        ];
        for mount in &self.mounts {
            fields.extend([&mount.source, &mount.dir, &mount.options]);
        }
        let fields: Vec<&str> = fields.into_iter().map(String::as_str).collect();
        fields.join("\0")
    }

    /// A script for the root shell.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) if a value holds a NUL.
    pub(crate) fn to_script(&self, guest: &Guest) -> Result<String> {
        let column = |field: fn(&Mount) -> &str| self.mounts.iter().map(field);
        let script = guest
            .script(APPLYING)
            .set("time", &now())?
            .set("seed", &self.seed)?
            .set("saved_seed", &self.saved_seed)?
            .set("machine_id", &self.machine_id)?
            .set("host_name", &self.host_name)?
            .set_array("sources", column(|mount| &mount.source))?
            .set_array("dirs", column(|mount| &mount.dir))?
            .set_array("options", column(|mount| &mount.options))?;
        let script = script.append(include_str!("identity.sh"));
        Ok(script.append(HOST_NAME).into_text())
    }
}

impl Guest {
    /// The programs that set an identity, and new hardware addresses if a clone needs them,
    /// which the guest does not have.
    pub(crate) async fn missing_programs(&self, needs_macs: bool) -> Result<Vec<String>> {
        let mut programs = vec!["date"];
        programs.extend(needs_macs.then_some("ip"));
        let running = self.running(APPLYING)?;
        let script = self
            .script(APPLYING)
            .set_array("programs", programs)?
            .append(include_str!("missing_programs.sh"));
        let missing = self.run_untraced(&running, script.into_text()).await?;
        Ok(missing.lines().map(str::to_owned).collect())
    }

    /// Applies an identity by the root shell.
    pub(crate) async fn apply_identity(
        &self,
        running: &Running,
        identity: &Identity,
    ) -> Result<()> {
        let script = identity.to_script(self)?;
        self.run_untraced(running, script).await.map(drop)
    }

    /// Sets the guest's host name.
    pub(crate) async fn set_host_name(&self, name: &str) -> Result<()> {
        let running = self.running(APPLYING)?;
        let script = self
            .script(APPLYING)
            .set("host_name", name)?
            .append(HOST_NAME);
        self.run_untraced(&running, script.into_text())
            .await
            .map(drop)
    }

    /// Gives new hardware addresses to the network cards that have these.
    pub(crate) async fn replace_macs(&self, old: &[String]) -> Result<()> {
        let running = self.running(APPLYING)?;
        let new: Vec<String> = old.iter().map(|_| local_mac()).collect();
        let script = self
            .script(APPLYING)
            .set_array("old", old.iter().map(String::as_str))?
            .set_array("new", new.iter().map(String::as_str))?
            .append(include_str!("replace_macs.sh"));
        self.run_untraced(&running, script.into_text())
            .await
            .map(drop)
    }
}

/// 64 random bytes as text.
fn seed() -> String {
    let random = || Uuid::new_v4().simple().to_string();
    [(); 4].map(|()| random()).concat()
}

/// The host's time, in seconds since the epoch.
fn now() -> String {
    let now: Duration = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("{}.{:06}", now.as_secs(), now.subsec_micros())
}

/// A random hardware address for local use.
fn local_mac() -> String {
    let random = Uuid::new_v4();
    let random = random.as_bytes().iter().take(5);
    let rest: String = random.map(|byte| format!(":{byte:02x}")).collect();
    format!("52{rest}")
}
