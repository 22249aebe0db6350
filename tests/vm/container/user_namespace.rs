//! Containers of an ordinary user, who is root of a user namespace.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use machine::{Container, ContainerCommand, ErrorKind, Vlan};
use tempfile::TempDir;
use vm_tests::{container_root, other_test, show_steps, soon};

use super::traces::{processes_in, processes_with, traces};
use crate::linux::roots::run;

/// The id on the host of root of the namespace.
const USER: u32 = 1_000_000;

/// Its ids, as `unshare --map-root-user --map-auto` maps them.
const IDS: &str = "0 1000000 1\n1 1100000 65536";

/// Runs the test $1 with its arguments as root of a user namespace, in the control group $GROUP,
/// which belongs to $OWNER; in the sandbox that the script $SANDBOX makes, unless it is empty.
/// Prints a line, and reads one when the namespace has its ids. The test
/// is opened first, because it may be where other users may not look. `/run` and the device of
/// network cards are as on hosts with systemd.
const ENTER: &str = r#"
exec 9<"$1"
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

/// Runs a command in a directory of the files that builds of Nix have, with the feature
/// `uid-range`, and of those that the command needs.
const NIX_SANDBOX: &str = r#"
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

/// Another test, which runs as root of a user namespace.
struct InNamespace {
    dir: TempDir,
    test: Child,
    output: BufReader<ChildStdout>,
}

impl InNamespace {
    /// Starts it, in a control group of a name that begins with `vmwright-GROUP-`.
    fn start(name: &str, group: &str, owner: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        chown(dir.path(), Some(USER), Some(USER)).unwrap();
        Self::start_in(dir, name, group, owner, "")
    }

    /// As [`start`](Self::start), with a directory of an earlier test, in a sandbox.
    fn start_in(dir: TempDir, name: &str, group: &str, owner: u32, sandbox: &str) -> Self {
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
            .env("GROUP", format!("vmwright-{group}-{}", std::process::id()))
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
        let mut test = Self { dir, test, output };
        assert_eq!(test.line(), "no ids yet\n");
        for map in ["uid_map", "gid_map"] {
            let path = format!("/proc/{}/{map}", test.test.id());
            fs::write(path, IDS).unwrap();
        }
        test
    }

    /// Lets it run.
    fn enter(&mut self) {
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
    fn printed(&mut self, prefix: &str) -> String {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "{:?}", self.test.wait());
            if let Some((_, printed)) = line.split_once(prefix) {
                return printed.trim_end().to_owned();
            }
        }
    }

    /// Kills it, unless it has ended.
    fn kill(&mut self) {
        self.test.kill().unwrap();
        self.test.wait().unwrap();
    }
}

/// The control groups of the tests in namespaces, which are removed.
async fn remove_groups(name: &str) {
    let groups = traces(name);
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert!(soon(|| fs::remove_dir(&groups[0]).is_ok()).await);
}

#[tokio::test]
#[ignore = "needs containers, /dev/net/tun and root of the host"]
async fn an_ordinary_user_runs_containers() {
    let root = container_root();
    let mut test = InNamespace::start(
        "container::user_namespace::runs_containers",
        "delegated",
        USER,
    );
    let dir = test.dir.path().to_owned();
    run(Command::new("tar")
        .arg("-cf")
        .arg(dir.join("root.tar"))
        .arg("-C")
        .arg(&root)
        .arg("."));
    test.enter();
    let init = test.printed("the init is ");
    // Its users are not root of the host.
    let status = fs::read_to_string(format!("/proc/{init}/status")).unwrap();
    let users = status.lines().find(|line| line.starts_with("Uid:"));
    assert_eq!(
        users.unwrap().split_whitespace().nth(1),
        Some(&*USER.to_string())
    );
    assert!(fs::read_dir("/proc").unwrap().flatten().all(|process| {
        let mounts = fs::read_to_string(process.path().join("mountinfo")).unwrap_or_default();
        let status = fs::read_to_string(process.path().join("status")).unwrap_or_default();
        !mounts.contains(&*dir.to_string_lossy()) || !status.contains("Uid:\t0\t")
    }));

    test.kill();
    let path = dir.display().to_string();
    assert!(soon(|| processes_with(&path).is_ok_and(|left| left.is_empty())).await);
    assert!(soon(|| processes_in(&dir).is_empty()).await);
    for name in ["one", "two"] {
        assert!(soon(|| !dir.join(format!("vm-state-{name}")).exists()).await);
    }
    remove_groups("delegated").await;

    // A build of Nix, in the same directory, so that the root is not unpacked again.
    let name = "container::user_namespace::runs_a_container";
    let mut test = InNamespace::start_in(test.dir, name, "sandbox", USER, NIX_SANDBOX);
    test.enter();
    assert_eq!(test.printed("the host is "), "one");
    test.kill();
    remove_groups("sandbox").await;
}

#[tokio::test]
#[ignore = "run by an_ordinary_user_runs_containers"]
#[expect(clippy::print_stdout, reason = "the other test reads it")]
async fn runs_a_container() {
    let Some(dir) = std::env::var_os("VICTIM_DIR").map(PathBuf::from) else {
        return;
    };
    show_steps();
    let vlan = Vlan::start(1, &dir).await.unwrap();
    let one = build("one", &dir, &vlan);
    println!("the host is {}", one.succeed("hostname").await.unwrap());
    one.shutdown().await.unwrap();
}

/// A container as in [`super::Container`], from an archive.
fn build(name: &str, dir: &Path, vlan: &Vlan) -> Container {
    let command = ContainerCommand::new(name).root_tar(dir.join("root.tar"));
    let builder = Container::builder(command).tmp_dir(dir).vlan(vlan);
    builder.nodes(["one", "two"]).build().unwrap()
}

#[tokio::test]
#[ignore = "run by an_ordinary_user_runs_containers"]
#[expect(clippy::print_stdout, reason = "the other test reads it")]
async fn runs_containers() {
    let Some(dir) = std::env::var_os("VICTIM_DIR").map(PathBuf::from) else {
        return;
    };
    show_steps();
    let vlan = Vlan::start(1, &dir).await.unwrap();
    let (one, two) = (build("one", &dir, &vlan), build("two", &dir, &vlan));
    one.wait_for_unit("multi-user.target").await.unwrap();
    two.succeed("ping -c 1 -W 10 one").await.unwrap();
    // Files belong to the users of the archive, and can be changed and replaced.
    let seen = "stat -c '%U:%G %a' /etc/shadow; echo kept >>/etc/issue; rm -r /etc/systemd/user; \
                mkdir /etc/systemd/user; ls /etc/systemd/user";
    assert_eq!(one.succeed(seen).await.unwrap(), "root:shadow 640\n");
    one.succeed("systemd-run --wait --uid=nobody sh -c 'test $(id -u) = 65534'")
        .await
        .unwrap();
    let file = dir.join("from");
    fs::write(&file, "from the host\n").unwrap();
    one.copy_from_host(&file, "/srv/file").await.unwrap();
    let copied = one.copy_from_machine("/srv/file", &dir).await.unwrap();
    assert_eq!(fs::read_to_string(copied).unwrap(), "from the host\n");
    one.reboot().await.unwrap();
    one.succeed("grep kept /etc/issue && ! ls /etc/systemd/user | grep .")
        .await
        .unwrap();
    one.succeed("mknod /root/pipe p; mkdir -m 0 /root/closed")
        .await
        .unwrap();

    let state = two.state_dir().to_owned();
    two.shutdown().await.unwrap();
    drop(two);
    assert!(!state.exists());
    assert_eq!(traces("two"), [""; 0]);
    let init = one.succeed("readlink /proc/1/ns/pid").await.unwrap();
    println!("the init is {}", super::life::init_in(init.trim()));
    std::future::pending::<()>().await;
}

#[tokio::test]
#[ignore = "needs containers, /dev/net/tun and root of the host"]
async fn what_an_ordinary_user_lacks_is_named() {
    let refused = |owner, group: &str| {
        let mut test = InNamespace::start("container::user_namespace::is_refused", group, owner);
        test.enter();
        let error = test.printed("refused: ");
        test.kill();
        error
    };
    let denied = refused(0, "denied");
    assert!(
        denied.contains("a control group of its own") && denied.contains("--property=Delegate=yes"),
        "{denied}"
    );
    remove_groups("denied").await;
    let foreign = refused(USER, "foreign");
    assert!(
        foreign.contains("/ can't be a guest's root")
            && foreign.contains("it does not belong to root of this user namespace"),
        "{foreign}"
    );
    remove_groups("foreign").await;

    let few = other_test("container::user_namespace::is_refused");
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user"]);
    unshare.arg(few.get_program()).args(few.get_args());
    let few = unshare.env("VICTIM_DIR", "").output().unwrap();
    let few = String::from_utf8_lossy(&few.stdout).into_owned();
    let expected = "it needs the users and groups 0 to 65535, and this user namespace has 1: \
                    run the test by `systemd-run --user --scope";
    assert!(few.contains(expected), "{few}");
}

#[tokio::test]
#[ignore = "run by what_an_ordinary_user_lacks_is_named"]
#[expect(clippy::print_stdout, reason = "the other test reads it")]
async fn is_refused() {
    if std::env::var_os("VICTIM_DIR").is_none() {
        return;
    }
    let command = ContainerCommand::new("one").root_dir("/");
    let error = Container::new(command).unwrap().start().await.unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::Container { .. } | ErrorKind::Root { .. }
    ));
    println!("refused: {}", error.to_string().replace('\n', " "));
}
