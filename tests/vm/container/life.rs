use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use machine::{Container, Error, ErrorKind, Vlan};
use vm_tests::{container, container_builder, other_test, soon, victim_dir, wait_until_gone};

use super::other_test_after;
use super::traces::{network_cards, processes_in, processes_with, traces};

#[tokio::test]
#[ignore = "needs containers"]
async fn shuts_down_and_starts_again() {
    let one = container("restarted");
    one.succeed("echo kept >/root/kept; echo lost >/run/lost")
        .await
        .unwrap();
    let pid = one.pid().unwrap();
    assert!(one.is_up());
    one.shutdown().await.unwrap();
    assert_eq!((one.pid(), one.is_up()), (None, false));
    wait_until_gone(pid);
    let log = one.get_console_log().await.unwrap();
    assert!(log.contains("Powering off"), "{log}");
    one.shutdown().await.unwrap(); // does nothing

    // As a machine's disk.
    one.succeed("test -e /root/kept && ! test -e /run/lost")
        .await
        .unwrap();
    one.release();
    assert_eq!(traces("restarted"), [""; 0]);
}

#[tokio::test]
#[ignore = "needs containers"]
async fn reboots() {
    let one = container("one");
    one.succeed("echo kept >/root/kept").await.unwrap();
    let boot = "cat /proc/sys/kernel/random/boot_id";
    let before = one.succeed(boot).await.unwrap();
    one.reboot().await.unwrap();
    assert!(!one.is_up());
    assert_ne!(one.succeed(boot).await.unwrap(), before);
    one.succeed("test -e /root/kept").await.unwrap();

    // By itself: commands that run end at once.
    let error = one
        .execute("systemctl reboot; sleep 1000")
        .await
        .unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Shell { .. } | ErrorKind::GuestReset { .. }
        ),
        "{error}"
    );
    one.wait_for_unit("multi-user.target").await.unwrap();
}

#[tokio::test]
#[ignore = "needs containers"]
async fn keeps_its_state_if_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let kept = || {
        let builder = container_builder("kept").tmp_dir(dir.path());
        builder.keep_state(true).build().unwrap()
    };
    let first = kept();
    first.succeed("echo kept >/root/kept").await.unwrap();
    first.shutdown().await.unwrap();
    drop(first);
    let second = kept();
    second.succeed("test -e /root/kept").await.unwrap();
    let taken = container_builder("kept").tmp_dir(dir.path()).build();
    let taken = taken.unwrap_err();
    assert!(
        matches!(taken.kind(), ErrorKind::StateDirInUse { .. }),
        "{taken}"
    );
}

#[track_caller]
fn assert_killed(error: &Error, operation: &str) {
    let ErrorKind::Exited {
        status, console, ..
    } = error.kind()
    else {
        panic!("{error}")
    };
    assert!(!status.success() && !console.is_empty(), "{error}");
    assert!(error.to_string().contains(operation), "{error}");
}

#[tokio::test]
#[ignore = "needs containers"]
async fn its_end_ends_commands_and_waits() {
    let one = container("ended");
    one.connect().await.unwrap();
    let command = one.execute("echo command runs >/dev/console; sleep 1000");
    let wait = one.wait_for_console_text("never printed");
    let shutdown = one.wait_for_shutdown();
    let killer = async {
        one.wait_for_console_text("command runs").await.unwrap();
        one.crash().await.unwrap();
    };
    let (command, wait, shutdown, ()) = tokio::join!(command, wait, shutdown, killer);
    assert_killed(&command.unwrap_err(), "sleep 1000");
    assert_killed(&wait.unwrap_err(), "never printed");
    assert!(!shutdown.unwrap().unwrap().success());

    // Its init is killed from outside.
    one.connect().await.unwrap();
    let init = one.succeed("readlink /proc/1/ns/pid").await.unwrap();
    let sleep = one.execute("sleep 1000");
    let killer = async {
        let init = init_in(init.trim());
        let pid = rustix::process::Pid::from_raw(init).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    };
    let (sleep, ()) = tokio::join!(sleep, killer);
    assert_killed(&sleep.unwrap_err(), "sleep 1000");
    let state = one.state_dir().to_owned();
    assert_eq!(processes_in(&state), [""; 0]);
    drop(one);
    assert_eq!(traces("ended"), [""; 0]);
    assert!(!state.exists());
}

/// With control groups of version 1, a frozen process does not end when it is killed.
#[tokio::test]
#[ignore = "needs containers"]
async fn a_frozen_container_is_removed() {
    let one = container("frozen");
    one.connect().await.unwrap();
    let state = one.state_dir().to_owned();
    let groups = traces("frozen");
    let groups = groups.iter().map(Path::new);
    let files = groups.flat_map(|group| {
        [("freezer.state", "FROZEN"), ("cgroup.freeze", "1")]
            .map(|(file, value)| (group.join(file), value))
    });
    let frozen = files.filter(|(file, value)| file.exists() && fs::write(file, value).is_ok());
    assert_ne!(frozen.count(), 0);
    one.release();
    assert_eq!(processes_in(&state), [""; 0]);
    assert_eq!(traces("frozen"), [""; 0]);
}

/// The process that is the first in a namespace of processes.
pub(super) fn init_in(namespace: &str) -> i32 {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let mut pids: Vec<i32> = entries
        .filter(|entry| {
            let link = fs::read_link(entry.path().join("ns/pid"));
            link.is_ok_and(|link| link == Path::new(namespace))
        })
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    pids[0]
}

#[tokio::test]
#[ignore = "needs containers and /dev/net/tun"]
async fn dropping_a_container_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let before = network_cards();
    let vlan = Vlan::start(1, dir.path()).await.unwrap();
    let dropped = container_builder("dropped").vlan(&vlan);
    let dropped = dropped.tmp_dir(dir.path()).build().unwrap();
    // What is hard to remove.
    dropped
        .succeed(
            "mkdir -m 0 /root/closed; mknod /root/pipe p; cd /tmp/shared; for n in {1..300}; \
             do mkdir directory-with-a-long-name; cd directory-with-a-long-name; done; \
             cd /sys/fs/cgroup; mkdir -p $(ls -d unified || echo .)/own/inner; setsid sleep 1000 &>/dev/null &",
        )
        .await
        .unwrap();
    let (pid, state) = (dropped.pid().unwrap(), dropped.state_dir().to_owned());
    assert_ne!(traces("dropped"), [""; 0]);
    drop(dropped);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(processes_in(&state), [""; 0]);
    assert!(!state.exists());
    assert_eq!(traces("dropped"), [""; 0]);
    assert!(
        soon(|| processes_with(&dir.path().display().to_string()).is_ok_and(|it| it.len() <= 2))
            .await
    );
    assert_eq!(network_cards(), before);
    drop(vlan);
    let left = processes_with(&dir.path().display().to_string()).unwrap();
    assert_eq!(left, [""; 0]);
}

/// The process that the next test kills.
#[tokio::test]
#[ignore = "run by killing_the_test_leaves_no_container"]
#[expect(clippy::print_stdout, reason = "the other test waits for it")]
async fn victim() {
    let Some(dir) = victim_dir() else {
        return;
    };
    let vlan = Vlan::start(1, &dir).await.unwrap();
    let victim: Container = container_builder("victim")
        .vlan(&vlan)
        .tmp_dir(&dir)
        .build()
        .unwrap();
    victim.succeed("touch /root/file").await.unwrap();
    println!("started");
    std::future::pending::<()>().await;
}

#[tokio::test]
#[ignore = "needs containers and /dev/net/tun"]
async fn killing_the_test_leaves_no_container() {
    let dir = tempfile::tempdir().unwrap();
    let before = network_cards();
    let mut victim = other_test("container::life::victim")
        .env("VICTIM_DIR", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    let mut lines = output.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("started")));
    assert_ne!(traces("victim"), [""; 0]);

    victim.kill().unwrap(); // SIGKILL
    victim.wait().unwrap();
    let path = dir.path().display().to_string();
    assert!(soon(|| processes_with(&path).is_ok_and(|left| left.is_empty())).await);
    assert!(soon(|| traces("victim").is_empty()).await);
    assert!(soon(|| processes_in(dir.path()).is_empty()).await);
    assert!(soon(|| !dir.path().join("vm-state-victim").exists()).await);
    assert_eq!(network_cards(), before);
}

/// In a mount namespace in which nothing can be written to it.
#[test]
#[ignore = "needs containers"]
fn run_is_not_changed() {
    let read_only = "mount -t tmpfs -o ro tmpfs /run";
    let mut test = other_test_after(read_only, "container::life::boots");
    let output = test.output().unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.contains("boot2ed"), "{output}");
}

/// On this host, those of both versions may be there.
#[test]
#[ignore = "needs containers, /dev/net/tun and root of the host"]
fn control_groups_of_either_version_will_do() {
    let test = "container::life::boots";
    let only_version_2 = "umount -R -l /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup";
    let mut hidden = vec![(only_version_2, "boot2ed")];
    if Path::new("/sys/fs/cgroup/unified").exists() {
        hidden.push(("umount -l /sys/fs/cgroup/unified", "boot2ed"));
    }
    let none = "it needs a control group of its own, and can create none";
    hidden.push(("umount -R -l /sys/fs/cgroup", none));
    for (script, expected) in hidden {
        let output = other_test_after(script, test).output().unwrap();
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.contains(expected), "{script}: {output}");
    }
    assert_eq!(traces("versions"), [""; 0]);
}

#[tokio::test]
#[ignore = "run by control_groups_of_either_version_will_do and run_is_not_changed"]
#[expect(clippy::print_stdout, reason = "the other test reads it")]
async fn boots() {
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    match container("versions").succeed("echo boot$((1 + 1))ed").await {
        Ok(output) => println!("{output}"),
        Err(error) => println!("{error}"),
    }
}
