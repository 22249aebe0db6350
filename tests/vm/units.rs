use std::time::Duration;

use machine::{ErrorKind, Unit};
use vm_tests::{SOON, fresh};

#[tokio::test]
async fn units_and_jobs() {
    let vm = fresh("systemd").await;
    vm.wait_for_unit("multi-user.target").await.unwrap();

    // A unit that starts slowly.
    vm.succeed(
        "cat >/run/systemd/system/slow.service <<'EOF'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=sleep 3
EOF
systemctl start --no-block slow",
    )
    .await
    .unwrap();
    vm.within(SOON).wait_for_job("slow.service").await.unwrap();
    vm.require_unit_state("slow", "active").await.unwrap();

    let info = vm.get_unit_info("slow.service").await.unwrap();
    assert_eq!(info["ActiveState"], "active");
    assert_eq!(info["Type"], "oneshot");
    let state = vm.get_unit_property("slow", "SubState").await.unwrap();
    assert_eq!(state, "exited");

    assert!(vm.stop_job("slow").await.unwrap().success());
    vm.require_unit_state("slow", "inactive").await.unwrap();
    let error = vm.require_unit_state("slow", "active").await.unwrap_err();
    let ErrorKind::UnitState { state, wanted, .. } = error.kind() else {
        panic!("{error}")
    };
    assert_eq!((state.as_str(), wanted.as_str()), ("inactive", "active"));

    // Inactive without a job: the wait fails at once.
    let error = vm.wait_for_unit("slow").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::UnitState { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("no job is under way"), "{error}");

    assert!(vm.start_job("slow").await.unwrap().success());
    let output = vm.systemctl("is-active slow", None).await.unwrap();
    assert_eq!((output.status(), output.text()), (0, "active\n".to_owned()));
}

#[tokio::test]
async fn a_unit_that_cannot_become_active_fails_at_once() {
    let vm = fresh("systemd").await;
    vm.succeed(
        "cat >/run/systemd/system/bad.service <<'EOF'
[Service]
ExecStart=bash -c 'echo the reason is in the journal; exit 3'
EOF
systemctl start bad; until systemctl is-failed bad; do sleep 0.1; done",
    )
    .await
    .unwrap();
    let error = vm.wait_for_unit("bad").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::UnitState { .. }),
        "{error}"
    );
    let message = error.to_string();
    assert!(
        message.contains("unit bad is failed (exit-code), not active"),
        "{message}"
    );
    assert!(
        message.contains("the reason is in the journal"),
        "{message}"
    );

    let error = vm.wait_for_unit("no-such.service").await.unwrap_err();
    assert!(
        error.to_string().contains("not known to systemd"),
        "{error}"
    );
    assert!(!vm.start_job("no-such").await.unwrap().success());
}

#[tokio::test]
async fn a_unit_that_may_become_active_is_waited_for() {
    let vm = fresh("systemd").await;
    // A unit that a job is about to create.
    vm.succeed(
        "cat >/run/systemd/system/maker.service <<'EOF'
[Service]
Type=oneshot
ExecStart=bash -c 'sleep 3; printf \"[Service]\\nExecStart=sleep 1d\\n\" >/run/systemd/system/made.service; \
    systemctl daemon-reload; exec systemctl --no-block start made'
EOF
systemctl start --no-block maker",
    )
    .await
    .unwrap();
    vm.within(SOON).wait_for_unit("made.service").await.unwrap();

    // A unit that stays in activating.
    vm.succeed("systemd-run --no-block --unit=never -p Type=notify sleep 1d")
        .await
        .unwrap();
    let patient = vm.within(Duration::from_secs(2));
    let error = patient.wait_for_unit("never").await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let status = error
        .evidence()
        .iter()
        .find(|evidence| evidence.what == "systemctl status");
    assert!(
        status
            .unwrap()
            .lines
            .join("\n")
            .contains("Active: activating (start)"),
        "{error}"
    );
}

#[tokio::test]
async fn unit_names_are_quoted() {
    let vm = fresh("systemd").await;
    for name in [
        "no such unit",
        "it's",
        "$(touch /oops)",
        "-H",
        "a\nb",
        "--version",
        "no-such*",
        "a[b",
    ] {
        let error = vm.wait_for_unit(name).await.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::UnitState { .. } | ErrorKind::Systemctl { .. }
            ),
            "{name}: {error}"
        );
    }
    vm.fail("test -e /oops").await.unwrap();
    for name in ["", "nul\0"] {
        let error = vm.get_unit_info(name).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::BadArgument { .. }),
            "{error}"
        );
    }
    let error = vm
        .get_unit_property("dbus.service", "No")
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::BadArgument { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("no property \"No\""), "{error}");
}

#[tokio::test]
async fn a_wait_goes_on_while_the_manager_restarts() {
    let vm = fresh("systemd").await;
    vm.succeed(
        "cd /run/systemd/system
printf '[Service]\nExecStart=sleep 1d\n' >by-timer.service
printf '[Timer]\nOnActiveSec=3\n' >by-timer.timer
systemctl daemon-reload
systemctl start by-timer.timer
for i in {1..4}; do systemctl daemon-reexec; done >&2 &",
    )
    .await
    .unwrap();
    let vm = vm.within(SOON);
    for _ in 0..10 {
        vm.wait_for_unit("multi-user.target").await.unwrap();
    }
    vm.wait_for_unit("by-timer").await.unwrap();
}

#[tokio::test]
async fn a_unit_that_may_still_be_started_is_waited_for() {
    let vm = fresh("systemd").await;
    // By a login.
    vm.succeed("(sleep 2; loginctl enable-linger alice) >&2 &")
        .await
        .unwrap();
    let patient = vm.within(SOON);
    patient
        .wait_for_unit(format!("user@{ALICE}.service"))
        .await
        .unwrap();
    // By a unit that triggers it, or that has another started when it ends.
    vm.succeed(
        "cd /run/systemd/system
for by in timer path socket; do
    printf '[Service]\nExecStart=sleep 1d\n' >by-$by.service
done
printf '[Timer]\nOnActiveSec=3\n' >by-timer.timer
printf '[Path]\nPathExists=/run/go\n' >by-path.path
printf '[Socket]\nListenStream=/run/by-socket\n' >by-socket.socket
printf '[Service]\nExecStart=sleep 1d\n' >by-success.service
printf '[Unit]\nOnSuccess=by-success.service\n[Service]\nExecStart=sleep 7\n' >first.service
systemctl daemon-reload
systemctl start by-timer.timer by-path.path first
(sleep 5; touch /run/go) >&2 &",
    )
    .await
    .unwrap();
    patient.wait_for_unit("by-timer").await.unwrap();
    patient.wait_for_unit("by-path").await.unwrap();
    patient.wait_for_unit("by-success").await.unwrap();
    // But not by one that is inactive.
    let error = vm.wait_for_unit("by-socket").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::UnitState { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("nothing active triggers it"),
        "{error}"
    );
}

#[tokio::test]
async fn a_unit_that_will_not_start_is_explained() {
    let vm = fresh("systemd").await;
    vm.succeed(
        "cd /run/systemd/system
printf '[Service]\nType=oneshot\nExecStart=sleep 3\n' >once.service
systemctl mask --runtime masked.service
systemctl daemon-reload
systemctl start --no-block once",
    )
    .await
    .unwrap();
    let expected = [
        ("once", "it ran, succeeded, and ended "),
        ("once", "RemainAfterExit=yes"),
        ("masked", "inactive and masked: it can't be started"),
    ];
    for (unit, text) in expected {
        let error = vm.wait_for_unit(unit).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::UnitState { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(text), "{error}");
    }
    let of_nobody = Unit::of_user("nobody-here", "default.target");
    let error = vm.wait_for_unit(of_nobody).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::BadArgument { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("no user \"nobody-here\""),
        "{error}"
    );
}

#[tokio::test]
async fn units_of_a_user() {
    let vm = fresh("systemd").await;
    vm.succeed("loginctl enable-linger alice").await.unwrap();
    vm.wait_for_unit(format!("user@{ALICE}.service"))
        .await
        .unwrap();
    vm.wait_for_unit(Unit::of_user("alice", "default.target"))
        .await
        .unwrap();

    let script = r#"run --quiet --unit=greet sh -c 'echo "$USER '\''quoted'\''" >~/greeting'"#;
    let script = script.replacen("run", "--version >/dev/null; systemd-run --user", 1);
    let output = vm.systemctl(&script, Some("alice")).await.unwrap();
    assert!(output.success(), "{}", output.text());
    vm.wait_for_file("/home/alice/greeting").await.unwrap();
    let greeting = vm
        .wait_until_succeeds("grep . /home/alice/greeting")
        .await
        .unwrap();
    assert_eq!(greeting, "alice 'quoted'\n");

    let of_alice = |name| Unit::of_user("alice", name);
    vm.succeed(
        "mkdir -p /run/systemd/user; cd /run/systemd/user
cat >slow.service <<'EOF'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=sleep 1
EOF",
    )
    .await
    .unwrap();
    let reloaded = vm.systemctl("daemon-reload", Some("alice")).await;
    assert!(reloaded.unwrap().success());
    let active = async |is_active: &str| {
        let state = vm.get_unit_property(of_alice("slow"), "ActiveState").await;
        assert_eq!(state.unwrap(), is_active);
    };
    assert!(vm.start_job(of_alice("slow")).await.unwrap().success());
    active("active").await;
    vm.wait_for_job(of_alice("slow")).await.unwrap();
    assert!(vm.stop_job(of_alice("slow")).await.unwrap().success());
    active("inactive").await;
    let job = vm.start_job(of_alice("no-such")).await.unwrap();
    assert!(!job.success());

    // A session whose process remains when it ends is closing. The manager is not stopped then,
    // and a wait does not log in to keep it.
    vm.succeed("su -l alice -s /bin/sh -c 'setsid sleep 1d >/dev/null 2>&1 </dev/null &'")
        .await
        .unwrap();
    let is_closing = format!("grep STATE=closing /run/systemd/users/{ALICE}");
    vm.wait_until_succeeds(is_closing).await.unwrap();
    let logins = "journalctl --sync; journalctl --identifier su | grep -c 'session opened'";
    let before = vm.succeed(logins).await.unwrap();
    vm.wait_for_unit(of_alice("default.target")).await.unwrap();
    assert_eq!(vm.succeed(logins).await.unwrap(), before);
}

#[tokio::test]
async fn failures_of_units_of_a_user() {
    let vm = fresh("systemd").await;
    vm.succeed("loginctl enable-linger alice").await.unwrap();
    vm.wait_for_unit(format!("user@{ALICE}.service"))
        .await
        .unwrap();
    let of_alice = |name| Unit::of_user("alice", name);
    // Alice can't read the journal, which has her units' messages.
    vm.succeed(
        "groups alice | grep -qw systemd-journal && exit 1
mkdir -p /run/systemd/user; cd /run/systemd/user
cat >bad.service <<'EOF'
[Service]
ExecStart=sh -c 'echo the reason of alice; exit 3'
EOF",
    )
    .await
    .unwrap();
    let query = "daemon-reload && systemctl --user start bad; until systemctl --user is-failed bad; do sleep 0.1; done";
    assert!(vm.systemctl(query, Some("alice")).await.unwrap().success());
    let error = vm.wait_for_unit(of_alice("bad")).await.unwrap_err();
    let message = error.to_string();
    assert!(message.contains("failed (exit-code)"), "{message}");
    assert!(message.contains("the reason of alice"), "{message}");

    let error = vm.wait_for_unit(of_alice("no-such")).await.unwrap_err();
    assert!(
        error.to_string().contains("no-such of user alice"),
        "{error}"
    );
    let error = vm
        .get_unit_info(Unit::of_user("nobody knows", "x"))
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Systemctl { .. }),
        "{error}"
    );
}

/// The id of the image's ordinary user.
const ALICE: u32 = 1000;

#[tokio::test]
async fn a_guest_without_systemd() {
    let vm = fresh("minimal").await;
    let error = vm.wait_for_unit("multi-user.target").await.unwrap_err();
    let ErrorKind::Systemctl { exit, .. } = error.kind() else {
        panic!("{error}")
    };
    assert_eq!(exit.status(), 127);
    let missing = "systemctl is not installed in the guest";
    assert!(error.to_string().contains(missing), "{error}");
}
