//! Tests that run as root of a user namespace, in a process of their own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{self, Child, ChildStdout, Command, Stdio};
use std::rc::Rc;

use tempfile::TempDir;
use vm_tests::{driver, other_test, soon};

use super::traces::traces;

/// The id on the host of root of the namespace.
pub(super) const USER: u32 = 1_000_000;

/// Its ids, as `unshare --map-root-user --map-auto` maps them.
const IDS: &str = "0 1000000 1\n1 1100000 65536";

/// Runs the test $1 with its arguments as root of a user namespace, in the control group $GROUP,
/// which belongs to $OWNER; in the sandbox that the script $SANDBOX makes, unless it is empty.
/// Prints a line, and reads one when the namespace has its ids. The test and the driver are opened
/// first, because they may be where other users may not look. `/run` and the device of network
/// cards are as on hosts with systemd.
const ENTER: &str = r#"
exec 8<"$DRIVER" 9<"$1"
shift
umount -R -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/lock /run/systemd/nspawn /run/nixos-nspawn /run/user
mount -t tmpfs tmpfs /run/lock
mount -t tmpfs -o mode=0755 tmpfs /run/user
ln -s /nowhere /run/link
mount -t tmpfs -o mode=0755 tmpfs /dev/net
mknod -m 0666 /dev/net/tun c 10 200
group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/$GROUP
mkdir "$group"
chown -R "$OWNER" "$group"
echo $$ >"$group/cgroup.procs"
set -- /proc/self/fd/9 "$@"
if [ -n "$SANDBOX" ]; then
    set -- sh -ec "$SANDBOX" sh "$@"
    namespaces='--mount --net --ipc --uts --cgroup --pid --kill-child'
fi
exec unshare --user --keep-caps ${namespaces-} sh -ec '
    echo "no ids yet"
    read -r _
    exec setpriv --reuid=0 --regid=0 --clear-groups -- "$@"
' sh "$@"
"#;

/// The driver in the namespace.
pub(super) const DRIVER: &str = "/proc/self/fd/8";

/// Runs a command in a directory of the files that builds of Nix have, with the feature
/// `uid-range`, and of those that the command needs.
pub(super) const NIX_SANDBOX: &str = r#"
mount -t tmpfs -o mode=0755 tmpfs /mnt
cd /mnt
mkdir usr proc sys dev old
ln -s usr/bin usr/sbin usr/lib usr/lib64 .
mkdir -m 1777 tmp
mkdir -p ".$VICTIM_DIR"
for dir in /usr /dev "$VICTIM_DIR"; do mount --rbind "$dir" ".$dir"; done
mount -t proc proc proc
mount -t sysfs sysfs sys
pivot_root . old
umount -l old
NIX_BUILD_TOP=/build exec "$@"
"#;

/// Another test, which runs as root of a user namespace; killed on drop.
pub(super) struct InNamespace {
    /// A directory of the test's, also its temporary one.
    pub(super) dir: Rc<TempDir>,
    test: Child,
    output: BufReader<ChildStdout>,
    group: String,
}

impl InNamespace {
    /// Starts it, in a control group of the user `owner`.
    pub(super) fn start(name: &str, group: &str, owner: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        chown(dir.path(), Some(USER), Some(USER)).unwrap();
        Self::start_in(Rc::new(dir), name, group, owner, "")
    }

    /// As [`start`](Self::start), with the directory of an earlier test, in a sandbox.
    pub(super) fn start_in(
        dir: Rc<TempDir>,
        name: &str,
        group: &str,
        owner: u32,
        sandbox: &str,
    ) -> Self {
        let group = format!("{group}-{}", process::id());
        let other = other_test(name);
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", ENTER, "sh"]);
        command.arg(other.get_program()).args(other.get_args());
        for (name, value) in other.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut test = command
            .env("DRIVER", driver())
            .env("GROUP", format!("vmwright-{group}-test"))
            .env("OWNER", owner.to_string())
            .env("SANDBOX", sandbox)
            .env("VICTIM_DIR", dir.path())
            .env("TMPDIR", dir.path())
            .env("XDG_CACHE_HOME", dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(test.stdout.take().unwrap());
        let mut test = Self {
            dir,
            test,
            output,
            group,
        };
        assert_eq!(test.line(), "no ids yet\n");
        for map in ["uid_map", "gid_map"] {
            let path = format!("/proc/{}/{map}", test.test.id());
            fs::write(path, IDS).unwrap();
        }
        test
    }

    /// Lets it run.
    pub(super) fn enter(&mut self) {
        let mut stdin = self.test.stdin.take().unwrap();
        stdin.write_all(b"\n").unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// What it prints after `prefix` in a line.
    #[track_caller]
    pub(super) fn printed(&mut self, prefix: &str) -> String {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "{:?}", self.test.wait());
            if let Some((_, printed)) = line.split_once(prefix) {
                return printed.trim_end().to_owned();
            }
        }
    }

    /// Kills it by SIGKILL, unless it has ended.
    pub(super) fn kill(&mut self) {
        self.test.kill().unwrap();
        self.test.wait().unwrap();
    }

    /// Removes its control group, once those in it were removed.
    pub(super) async fn remove_group(&self) {
        let groups = traces(&self.group);
        assert_eq!(groups.len(), 1, "{groups:?}");
        assert!(soon(|| fs::remove_dir(Path::new(&groups[0])).is_ok()).await);
    }
}

/// Kills what is in the control group $1, and removes it.
const REMOVE: &str = r#"
echo 1 >"$1/cgroup.kill"
until find "$1" -depth -type d -exec rmdir {} +; do sleep 0.1; done
"#;

impl Drop for InNamespace {
    fn drop(&mut self) {
        let _ = self.test.kill();
        let _ = self.test.wait();
        // There is none after a test that has passed.
        for group in traces(&self.group) {
            let mut remove = Command::new("timeout");
            remove.args(["10", "sh", "-c", REMOVE, "sh", &group]);
            let _ = remove.stderr(Stdio::null()).status();
        }
    }
}
