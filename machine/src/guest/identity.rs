//! What a clone must not share with its template is made anew.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backdoor_shell::Command;
use uuid::Uuid;

use crate::error::{ErrorKind, Result, tail};
use crate::guest::commands::shell_error;
use crate::instance::network_info::shared_macs;
use crate::instance::saved_state::{Contents, Mount};
use crate::machine::{Machine, Running};

impl Machine {
    /// The hardware addresses that must differ between clones.
    pub(crate) async fn shared_network_macs(&self) -> Result<Vec<String>> {
        Ok(shared_macs(
            &self.send_monitor_command("info network").await?,
        ))
    }

    /// Gives a clone's guest its own clock, random numbers, machine id, hardware
    /// addresses, name if there is one, and mounts what its template had to unmount.
    pub(crate) async fn freshen(&self, contents: &Contents, host_name: Option<&str>) -> Result<()> {
        let running = self.running("freshening a clone")?;
        self.freshen_guest(&running, contents, host_name).await?;
        if contents.macs.is_empty() {
            return Ok(());
        }
        let macs = contents.macs.iter().map(|mac| new_mac(mac));
        self.quietly(macs.collect()).await.map(drop)
    }

    /// All of that but hardware addresses, which stay those that the start command gives.
    pub(crate) async fn freshen_guest(
        &self,
        running: &Running,
        contents: &Contents,
        host_name: Option<&str>,
    ) -> Result<()> {
        let id = Uuid::new_v4().simple().to_string();
        self.renew(running, contents, &id, host_name.unwrap_or_default())
            .await
    }

    /// Sets the clock of a guest that stood still, has it give other random numbers
    /// than it would have, and mounts what had to be unmounted.
    pub(crate) async fn refresh(&self, contents: &Contents) -> Result<()> {
        let running = self.running("freshening a guest")?;
        self.renew(&running, contents, "", "").await
    }

    /// Has what waits in the guest do it, else does it step by step. An empty `id` or
    /// `host_name` stays as it is.
    async fn renew(
        &self,
        running: &Running,
        contents: &Contents,
        id: &str,
        host_name: &str,
    ) -> Result<()> {
        // A name that can't be one is refused before anything is done.
        self.quote("naming a clone", host_name)?;
        if let Some(waiter) = &contents.waiter {
            let mut words = vec![now(), seed(), id.to_owned(), host_name.to_owned()];
            for mount in &contents.mounts {
                words.extend([&mount.source, &mount.dir, &mount.options].map(String::clone));
            }
            if self.tell_waiter(running, waiter, &words).await? {
                return Ok(());
            }
        }
        let mounts = contents.mounts.iter().map(|mount| self.mount_words(mount));
        let mounts = mounts.collect::<Result<Vec<_>>>()?;
        let mut script = SET_CLOCK.replace("@now@", &now());
        let mounting = mounts.iter().map(|[source, dir, options]| {
            // A waiter that failed may have come so far.
            format!(
                "[[ $(</proc/mounts) == *' '{dir}' 9p '* ]] ||
                     mount -t 9p -o {options} {source} {dir}\n"
            )
        });
        script.extend(mounting);
        script += &RESEED.replace("@seed@", &seed());
        if !id.is_empty() {
            script += &NEW_IDS.replace("@id@", id).replace("@seed@", &seed());
        }
        if !host_name.is_empty() {
            script += &self.naming(host_name)?;
        }
        self.quietly_on(running, script).await.map(drop)
    }

    /// What it takes to mount it again, as words of the shell's.
    fn mount_words(&self, mount: &Mount) -> Result<[String; 3]> {
        let quote = |word| self.quote("mounting a share", word);
        Ok([
            quote(&mount.source)?,
            quote(&mount.dir)?,
            quote(&mount.options)?,
        ])
    }

    /// The guest calls itself `name` on the network.
    pub(crate) async fn set_host_name(&self, name: &str) -> Result<()> {
        self.quietly(self.naming(name)?).await.map(drop)
    }

    fn naming(&self, name: &str) -> Result<String> {
        let name = self.quote("naming a clone", name)?;
        Ok(format!(
            "printf %s {name} >/proc/sys/kernel/hostname
             [[ ! -e /etc/hostname ]] || echo {name} >/etc/hostname\n"
        ))
    }

    /// Runs a script that is no step of a test's, and that no condition of one's concerns;
    /// gives what it prints.
    pub(crate) async fn quietly(&self, script: String) -> Result<String> {
        let running = self.running("looking after the guest")?;
        self.quietly_on(&running, script).await
    }

    /// The same on a QEMU that nobody else may have found yet.
    async fn quietly_on(&self, running: &Running, script: String) -> Result<String> {
        let command = Command::new(script.as_str()).timeout(self.limit);
        let ran = self.with_shell_of(running, async |running, shell| {
            let ran = shell.run(command).await;
            ran.map_err(|source| shell_error(running, source))
        });
        let ran = running.qemu.or_guests_end("looking after the guest", ran);
        let output = self.told(running, ran.await).await?;
        if output.success() {
            return Ok(output.text());
        }
        Err(self.error(ErrorKind::CommandFailed {
            command: script,
            exit: output.exit,
            output: tail(&output.stdout),
        }))
    }
}

/// busybox has no fractions of seconds.
const SET_CLOCK: &str = r"
    date -s @@now@ >/dev/null 2>&1 || { now=@now@; date -s @${now%.*} >/dev/null; }
";

/// A guest's kernel takes this into account when it next reseeds itself.
const RESEED: &str = "printf %s @seed@ >/dev/urandom\n";

/// Only what a shell does by itself: a process takes an emulated guest tens of
/// milliseconds. And files are written over, not truncated: ext4 writes what replaces
/// something to the disk at once.
const NEW_IDS: &str = r"
seed=/var/lib/systemd/random-seed
[[ ! -e $seed ]] || printf %s @seed@ 1<>$seed
for id in /etc/machine-id /var/lib/dbus/machine-id; do
    [[ ! -s $id || -L $id ]] || echo @id@ 1<>$id
done
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
