mod in_namespace;
/// What a container's root can't do to the host.
mod isolation;
/// Start, reboot, crash, release, clean-up.
mod life;
/// Network cards, addresses and names; containers and machines on one network.
mod network;
/// Missing resources of the host, and invalid arguments.
mod refusals;
/// Root directories, archives, and where changes are kept.
mod roots;
/// Start scripts.
mod start_script;
mod traces;
/// Without root.
mod user_namespace;

use std::time::Duration;
use std::{fs, process};

use machine::{Command, ErrorKind, Exit};
use vm_tests::{SOON, container, container_root, other_test};

/// A command that runs an ignored test in a mount namespace, after a script that changes it.
fn other_test_after(script: &str, name: &str) -> process::Command {
    let test = other_test(name);
    let mut unshare = process::Command::new("unshare");
    let script = format!("{script}\nexec \"$@\"");
    unshare.args(["--mount", "sh", "-ec", &script, "sh"]);
    unshare.arg(test.get_program()).args(test.get_args());
    for (name, value) in test.get_envs() {
        match value {
            Some(value) => unshare.env(name, value),
            None => unshare.env_remove(name),
        };
    }
    unshare.env("VICTIM", "1");
    unshare
}

/// The shell is the one that machines have: `shell.rs` tests it.
#[tokio::test]
#[ignore = "needs containers"]
async fn runs_commands() {
    let web = container("web_1");
    web.wait_for_unit("multi-user.target").await.unwrap();
    assert_eq!(web.succeed("hostname").await.unwrap(), "web-1\n");
    // Those of a service: no variables of the host, and not its terminal.
    let environment = "env | cut -d = -f 1 | sort | tr '\\n' ' '; ! : </dev/tty";
    assert_eq!(
        web.succeed(environment).await.unwrap(),
        "DISPLAY HOME INVOCATION_ID LANG OLDPWD PATH PWD SHELL SHLVL SYSTEMD_EXEC_PID TERM USER _ "
    );
    assert_eq!(web.execute("exit 7").await.unwrap().status(), 7);
    let bytes = web.execute("head -c 300000 /dev/zero; printf '\\1'").await;
    let mut expected = vec![0; 300_000];
    expected.push(1);
    assert!(bytes.unwrap().stdout == expected);

    let slow = Command::new("sleep 1000 & sleep 1001").timeout(Duration::from_millis(300));
    let output = web.execute(slow).await.unwrap();
    assert_eq!(output.exit, Exit::TimedOut);
    web.fail("pgrep sleep").await.unwrap();

    // Its notifications are read for as long as it runs: otherwise, systemd would block.
    let again = "for _ in {1..12}; do systemctl daemon-reexec; done";
    web.succeed(again).await.unwrap();
    web.wait_for_unit("multi-user.target").await.unwrap();

    // A shell that is killed is replaced, by one as after a login, whatever the profile does.
    let profile = "words=(hello, world); export GREETING=\"${words[*]}\"; echo hi; cat; exit 3";
    web.succeed(format!("echo '{profile}' >/etc/profile.d/test.sh"))
        .await
        .unwrap();
    let error = web.execute(vm_tests::KILL_SHELL).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Shell { .. }), "{error}");
    let greeting = web.succeed("printenv GREETING").await;
    assert_eq!(greeting.unwrap(), "hello, world\n");
    web.shutdown().await.unwrap();
}

#[tokio::test]
#[ignore = "needs containers"]
async fn the_console_has_the_journal_and_a_login() {
    let web = container("web");
    web.start().await.unwrap();
    web.wait_for_console_text("web login: ").await.unwrap();
    web.succeed("logger -t greeter 'hello, journal'")
        .await
        .unwrap();
    web.wait_for_console_text(r"greeter\[\d+\]: hello, journal")
        .await
        .unwrap();
    web.send_console("root\n").await.unwrap();
    web.wait_for_console_text("root@web:.*# ").await.unwrap();
    web.send_console("echo $((6 * 7))\n").await.unwrap();
    web.wait_for_console_text("\n42\n").await.unwrap();
    let log = fs::read_to_string(web.state_dir().join("console.log")).unwrap();
    assert!(log.contains("hello, journal"), "{log}");

    // The shell's service is not read as something else.
    let reloaded = "systemctl daemon-reload; journalctl --sync; journalctl -t systemd";
    let messages = web.succeed(reloaded).await.unwrap();
    assert!(!messages.contains("vmwright-shell.service:"), "{messages}");

    web.succeed("systemd-run --unit=broken false")
        .await
        .unwrap();
    let error = web.within(SOON).wait_for_unit("broken.service").await;
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("broken.service: Main process exited"),
        "{message}"
    );
}

#[tokio::test]
#[ignore = "needs containers"]
async fn files_are_copied_and_the_root_is_not_changed() {
    let root = container_root();
    let is_there = |file: &str| root.join(file).symlink_metadata().is_ok();
    let (one, two) = (container("one"), container("two"));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "from the host").unwrap();
    one.copy_from_host(dir.path(), "/srv/dir").await.unwrap();
    assert_eq!(
        one.succeed("cat /srv/dir/file").await.unwrap(),
        "from the host"
    );
    one.succeed("echo from the container >/etc/new; rm /etc/hosts")
        .await
        .unwrap();
    let copied = one.copy_from_machine("/etc/new", dir.path()).await.unwrap();
    assert_eq!(fs::read_to_string(copied).unwrap(), "from the container\n");
    one.succeed("echo both >/tmp/shared/both").await.unwrap();
    assert_eq!(
        fs::read_to_string(one.shared_dir().join("both")).unwrap(),
        "both\n"
    );

    two.fail("test -e /etc/new").await.unwrap();
    two.succeed("test -e /etc/hosts").await.unwrap();
    assert!(!is_there("etc/new") && is_there("etc/hosts") && !is_there("srv/dir"));
    let patient = two.within(Duration::from_millis(500));
    let error = patient.wait_for_file("/nothing").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TimedOut { .. }),
        "{error}"
    );
}
