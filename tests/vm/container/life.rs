use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::{fs, io};

use machine::{Container, Error, ErrorKind, Vlan};
use vm_tests::{container, container_builder, other_test, soon, wait_until_gone};

/// What a container has on the host: control groups, mounts, network cards.
fn traces(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut dirs = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let file_name = entry.file_name().to_string_lossy().into_owned();
            if file_name.starts_with(&format!("vmwright-{name}-")) {
                found.push(entry.path().display().to_string());
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                dirs.push(entry.path());
            }
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let state = format!("vm-state-{name}");
    found.extend(
        mounts
            .lines()
            .filter(|line| line.contains(&state))
            .map(str::to_owned),
    );
    let nspawn = Path::new("/run/systemd/nspawn");
    for dir in ["propagate", "unix-export"].map(|dir| nspawn.join(dir).join(name)) {
        found.extend(dir.exists().then(|| dir.display().to_string()));
    }
    found
}

/// Names of network cards of this host.
fn network_cards() -> Vec<String> {
    let cards = fs::read_dir("/sys/class/net").unwrap();
    let mut cards: Vec<_> = cards
        .map(|card| card.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    cards.sort();
    cards
}

/// The processes whose command line has `word`.
fn processes_with(word: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path().join("cmdline");
        let line = fs::read(path).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(word) && !line.contains("--exact") {
            found.push(line);
        }
    }
    Ok(found)
}

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
    let one = container("one");
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
}

/// The process that is the first in a namespace of processes.
fn init_in(namespace: &str) -> i32 {
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
    let Some(dir) = std::env::var_os("VICTIM_DIR") else {
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
    assert!(soon(|| !dir.path().join("vm-state-victim").exists()).await);
    assert_eq!(network_cards(), before);
}
