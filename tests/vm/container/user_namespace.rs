//! Containers of an ordinary user, who is root of a user namespace.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use machine::{Container, ContainerCommand, ErrorKind, Vlan};
use vm_tests::{container_root, other_test, show_steps, soon, victim_dir};

use super::in_namespace::{DRIVER, InNamespace, NIX_SANDBOX, USER};
use super::start_script;
use super::traces::{processes_in, processes_with, traces};
use crate::linux::roots::run;

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
        // Half of it, which is not needed here.
        .args(
            ["./usr/lib/udev/*", "*/perl*", "*/gconv", "*/dpkg"]
                .map(|it| format!("--exclude={it}")),
        )
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
    for name in ["one", "neighbour"] {
        assert!(soon(|| !dir.join(format!("vm-state-{name}")).exists()).await);
    }
    test.remove_group().await;

    // In the same directory, so that the root is not unpacked again: a build of Nix, and scripts.
    for (name, sandbox) in [("runs_a_container", NIX_SANDBOX), ("runs_scripts", "")] {
        let dir = Rc::clone(&test.dir);
        let path = format!("container::user_namespace::{name}");
        test = InNamespace::start_in(dir, &path, name, USER, sandbox);
        test.enter();
        assert_eq!(test.printed("the host is "), "one");
        test.kill();
        test.remove_group().await;
    }
}

#[tokio::test]
#[ignore = "run by an_ordinary_user_runs_containers"]
#[expect(clippy::print_stdout, reason = "the other test reads it")]
async fn runs_a_container() {
    let Some(dir) = victim_dir() else {
        return;
    };
    show_steps();
    let vlan = Vlan::start(1, &dir).await.unwrap();
    let one = build("one", &dir, &vlan);
    println!("the host is {}", one.succeed("hostname").await.unwrap());
    one.shutdown().await.unwrap();
}

#[tokio::test]
#[ignore = "run by an_ordinary_user_runs_containers"]
#[expect(clippy::print_stdout, reason = "the other test reads it")]
async fn runs_scripts() {
    let Some(dir) = victim_dir() else {
        return;
    };
    show_steps();
    let roots = machine::cache_dir().unwrap().join("roots");
    let root = fs::read_dir(roots).unwrap().flatten();
    let mut root = root.map(|entry| entry.path().join("root"));
    let root = root.find(|root| root.is_dir()).unwrap();
    start_script::keeps_its_contract(&root).await;

    let script = dir.join("script.py");
    let text = "two.start(); one.succeed('ping -c 1 -W 10 two'); print('the host is', one.succeed('hostname'))";
    fs::write(&script, text).unwrap();
    let mut driver = Command::new(DRIVER);
    driver.arg("-o").arg(dir.join("out")).args(["--vlans", "1"]);
    driver.args([
        "--container-names",
        "one",
        "two",
        "--container-start-scripts",
    ]);
    driver.args([dir.join("root.tar"), dir.join("root.tar")]);
    println!("{}", run(driver.arg("--").arg(script)));
}

/// A container as in [`super::Container`], from an archive.
fn build(name: &str, dir: &Path, vlan: &Vlan) -> Container {
    let command = ContainerCommand::new(name).root_tar(dir.join("root.tar"));
    let builder = Container::builder(command).tmp_dir(dir).vlan(vlan);
    builder.nodes(["one", "neighbour"]).build().unwrap()
}

#[tokio::test]
#[ignore = "run by an_ordinary_user_runs_containers"]
#[expect(clippy::print_stdout, reason = "the other test reads it")]
async fn runs_containers() {
    let Some(dir) = victim_dir() else {
        return;
    };
    show_steps();
    let vlan = Vlan::start(1, &dir).await.unwrap();
    let one = build("one", &dir, &vlan);
    let neighbour = build("neighbour", &dir, &vlan);
    one.wait_for_unit("multi-user.target").await.unwrap();
    neighbour.succeed("ping -c 1 -W 10 one").await.unwrap();
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

    let state = neighbour.state_dir().to_owned();
    neighbour.shutdown().await.unwrap();
    drop(neighbour);
    assert!(!state.exists());
    assert_eq!(traces("neighbour"), [""; 0]);
    let init = one.succeed("readlink /proc/1/ns/pid").await.unwrap();
    println!("the init is {}", super::life::init_in(init.trim()));
    std::future::pending::<()>().await;
}

#[tokio::test]
#[ignore = "needs containers, /dev/net/tun and root of the host"]
async fn what_an_ordinary_user_lacks_is_named() {
    let refused = async |owner, group: &str| {
        let mut test = InNamespace::start("container::user_namespace::is_refused", group, owner);
        test.enter();
        let error = test.printed("refused: ");
        test.kill();
        test.remove_group().await;
        error
    };
    let denied = refused(0, "denied").await;
    assert!(
        denied.contains("a control group of its own") && denied.contains("--property=Delegate=yes"),
        "{denied}"
    );
    let foreign = refused(USER, "foreign").await;
    assert!(
        foreign.contains("/ can't be a guest's root")
            && foreign.contains("it does not belong to root of this user namespace"),
        "{foreign}"
    );

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
    if victim_dir().is_none() {
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
