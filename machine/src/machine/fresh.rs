//! What a clone must not share with its template is made anew.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::Machine;
use crate::error::{ErrorKind, Result, tail};
use crate::parse::network::shared_macs;
use crate::saved::{Contents, Mount};

impl Machine {
    /// The hardware addresses that must differ between clones.
    pub(super) async fn shared_network_macs(&self) -> Result<Vec<String>> {
        Ok(shared_macs(
            &self.send_monitor_command("info network").await?,
        ))
    }

    /// Gives a clone's guest its own clock, random numbers, machine id, hardware
    /// addresses, name if there is one, and mounts what its template had to unmount.
    pub(crate) async fn freshen(&self, contents: &Contents, host_name: Option<&str>) -> Result<()> {
        let mut script = String::from(CLOCK_AND_IDS);
        for (name, value) in [
            ("id", Uuid::new_v4().simple().to_string()),
            ("seed", seed()),
            ("now", now()),
        ] {
            script = script.replace(&format!("@{name}@"), &value);
        }
        if let Some(name) = host_name {
            script += &self.naming(name)?;
        }
        for mac in &contents.macs {
            script += &new_mac(mac);
        }
        script.extend(contents.mounts.iter().map(remount));
        self.quietly(script).await
    }

    /// Mounts what had to be unmounted.
    pub(super) async fn freshen_mounts(&self, contents: &Contents) -> Result<()> {
        self.quietly(contents.mounts.iter().map(remount).collect())
            .await
    }

    /// The guest calls itself `name` on the network.
    pub(crate) async fn set_host_name(&self, name: &str) -> Result<()> {
        self.quietly(self.naming(name)?).await
    }

    fn naming(&self, name: &str) -> Result<String> {
        let name = self.quote("naming a clone", name)?;
        Ok(format!(
            "printf %s {name} >/proc/sys/kernel/hostname
             [[ ! -e /etc/hostname ]] || echo {name} >/etc/hostname\n"
        ))
    }

    /// Runs a script that is no step of a test's.
    async fn quietly(&self, script: String) -> Result<()> {
        let output = self.execute(script.as_str()).await?;
        if output.success() {
            return Ok(());
        }
        Err(self.error(ErrorKind::CommandFailed {
            command: script,
            exit: output.exit,
            output: tail(&output.stdout),
        }))
    }
}

/// Only what a shell does by itself, but for the clock: a process takes an emulated
/// guest tens of milliseconds.
///
/// A guest's kernel takes what is written to its random device into account at once
/// where it has the device `vmgenid`, and else when it next reseeds itself.
const CLOCK_AND_IDS: &str = r"
date -s @@now@ >/dev/null 2>&1 || { now=@now@; date -s @${now%.*} >/dev/null; }
printf %s @seed@ >/dev/urandom
[[ ! -e /var/lib/systemd/random-seed ]] || printf %s @seed@ >/var/lib/systemd/random-seed
[[ ! -s /etc/machine-id ]] || echo @id@ >/etc/machine-id
[[ ! -f /var/lib/dbus/machine-id || -L /var/lib/dbus/machine-id ]] || echo @id@ >/var/lib/dbus/machine-id
";

/// 64 random bytes in letters.
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

/// Another address, of those that are for local use, for the card that has this one.
fn new_mac(old: &str) -> String {
    let random = Uuid::new_v4();
    let random = random.as_bytes().iter().take(5);
    let new: String = random.map(|byte| format!(":{byte:02x}")).collect();
    format!(
        "for card in /sys/class/net/*; do
             [[ $(<\"$card/address\") != {old} ]] ||
                 ip link set \"${{card##*/}}\" address 52{new}
         done\n"
    )
}

fn remount(mount: &Mount) -> String {
    let Mount {
        source,
        dir,
        options,
    } = mount;
    let [source, dir, options] = [source, dir, options]
        .map(|word| format!("\"$(printf %b '{}')\"", word.replace('\'', r"'\''")));
    format!("mount -t 9p -o {options} {source} {dir}\n")
}
