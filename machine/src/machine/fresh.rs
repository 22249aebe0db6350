//! What a clone must not share with its template is made anew.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::Machine;
use super::shell::shell_error;
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

    /// Starts what [freshens](Self::freshen) a clone in a fraction of the time, in a
    /// guest that has Perl, and tells where it waits.
    pub(super) async fn start_waiter(&self) -> Result<Option<String>> {
        let output = self.quietly(START_WAITER.replace("@waiter@", WAITER));
        let dir = output.await?.trim().to_owned();
        Ok(Some(dir).filter(|dir| !dir.is_empty()))
    }

    /// Gives a clone's guest its own clock, random numbers, machine id, hardware
    /// addresses, name if there is one, and mounts what its template had to unmount.
    pub(crate) async fn freshen(&self, contents: &Contents, host_name: Option<&str>) -> Result<()> {
        let id = Uuid::new_v4().simple().to_string();
        self.renew(contents, &id, host_name.unwrap_or_default())
            .await?;
        if contents.macs.is_empty() {
            return Ok(());
        }
        let macs = contents.macs.iter().map(|mac| new_mac(mac));
        self.quietly(macs.collect()).await.map(drop)
    }

    /// Sets the clock of a guest that stood still, has it give other random numbers
    /// than it would have, and mounts what had to be unmounted.
    pub(super) async fn refresh(&self, contents: &Contents) -> Result<()> {
        self.renew(contents, "", "").await
    }

    /// Has what waits in the guest do it, else does it step by step. An empty `id` or
    /// `host_name` stays as it is.
    async fn renew(&self, contents: &Contents, id: &str, host_name: &str) -> Result<()> {
        let mounts = contents.mounts.iter().map(|mount| self.mount_words(mount));
        let mounts = mounts.collect::<Result<Vec<_>>>()?;
        let name = self.quote("naming a clone", host_name)?;
        if let Some(dir) = &contents.waiter {
            let ask = ASK_WAITER
                .replace("@dir@", dir)
                .replace("@now@", &now())
                .replace("@seed@", &seed())
                .replace("@id@", &self.quote("renewing a clone", id)?)
                .replace("@name@", &name)
                .replace("@mounts@", &mounts.concat().join(" "));
            if self.evaluate(&ask).await? {
                return Ok(());
            }
        }
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
        self.quietly(script).await.map(drop)
    }

    /// Has the guest's shell itself do something; whether it could.
    async fn evaluate(&self, script: &str) -> Result<bool> {
        self.on_qemu("freshening a clone", async |running| {
            let mut shell = self.turn(running).await?;
            let status = shell.evaluate(script, self.limit).await;
            let status = status.map_err(|source| shell_error(running, source))?;
            Ok(status == Some(0))
        })
        .await
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

    /// Runs a script that is no step of a test's; gives what it prints.
    async fn quietly(&self, script: String) -> Result<String> {
        let output = self.execute(script.as_str()).await?;
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

/// What waits in the guest, without its comments, to be in one word of the shell's.
pub(crate) const WAITER: &str = include_str!("fresh.pl");

/// Prints where it waits, once it does; nothing if it can't.
const START_WAITER: &str = r#"
    if [[ $HOSTTYPE != x86_64 ]] || ! perl=$(type -P perl); then exit; fi
    if ! dir=$(mktemp -d) || ! mkfifo "$dir/ask" "$dir/told"; then exit; fi
    setsid "$perl" - "$dir" <<'END' >/dev/null 2>&1 &
@waiter@
END
    if read -r -t 10 told <>"$dir/told" && [[ $told == waiting ]]; then printf %s "$dir"; fi
"#;

/// Were what waits gone, nothing would be read: what opens a FIFO for both does not
/// wait, and what only reads sees its end. (A time-out would see the clock jump.)
const ASK_WAITER: &str = r"
    __vm_told=
    if [[ -p @dir@/told ]]; then
        exec 8<>@dir@/told 7<@dir@/told 8>&-
        printf '%s\0' @now@ @seed@ @id@ @name@ @mounts@ 1<>@dir@/ask
        read -r __vm_told <&7
        exec 7<&-
    fi
    [[ $__vm_told == done ]]
";

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
