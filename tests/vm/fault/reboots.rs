use machine::{Error, ErrorKind, ExitReason};
use vm_tests::{fresh, ready, template};

/// Runs `command` in the guest, and `quit` in QEMU's monitor, while an operation waits.
async fn exit_error(command: &str, quit: Option<&str>) -> Error {
    let vm = fresh("systemd").await;
    let command = format!("echo begins >/dev/ttyS0; {command}; sleep 1000");
    let ends = async {
        vm.wait_for_console_text("begins").await.unwrap();
        if let Some(quit) = quit {
            // QEMU may exit before it has answered.
            let _ = vm.send_monitor_command(quit).await;
        }
    };
    let (ended, ()) = tokio::join!(vm.execute(command), ends);
    ended.unwrap_err()
}

#[tokio::test]
async fn errors_say_why_qemu_has_exited() {
    for (command, quit, expected, text) in [
        (
            "reboot -f",
            None,
            ExitReason::Reboot,
            "QEMU has ended (exit status: 0): the guest has rebooted, which its start must allow",
        ),
        (
            "reboot",
            None,
            ExitReason::Reboot,
            "the guest has rebooted, which its start must allow (`start_allowing_reboot`;",
        ),
        (
            "poweroff -f",
            None,
            ExitReason::PowerOff,
            "the guest has powered off",
        ),
        (
            "true",
            Some("system_reset"),
            ExitReason::Reset,
            "the machine was reset, which its start must allow",
        ),
        (
            "true",
            Some("quit"),
            ExitReason::Host,
            "a command or a signal from the host",
        ),
    ] {
        let error = exit_error(command, quit).await;
        let ErrorKind::Exited { reason, .. } = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(*reason, Some(expected), "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert!(!error.is_infrastructure(), "{error}");
    }
}

/// A unit that only becomes active after a reboot.
const AFTER_A_REBOOT: &str = r"
    cat >/etc/systemd/system/second.service <<'UNIT'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/root/second
[Install]
WantedBy=multi-user.target
UNIT
    cat >/root/second <<'SCRIPT'
#!/bin/bash
if [ -e /root/rebooted ]; then
    nc -l -k 127.0.0.1 7001 &
    touch /run/second
else
    touch /root/rebooted
    sync
    sleep 1000
fi
SCRIPT
    chmod +x /root/second
    systemctl enable second.service
    systemctl start --no-block second.service";

/// They mean the new boot.
#[tokio::test]
async fn waits_survive_a_reboot_that_is_allowed() {
    let template = ready("systemd").build().await.unwrap();
    let vm = template.allowing_reboot().clone_machine().await.unwrap();
    let boot_id = "cat /proc/sys/kernel/random/boot_id";
    let first = vm.succeed(boot_id).await.unwrap();
    vm.succeed(AFTER_A_REBOOT).await.unwrap();
    vm.wait_for_file("/root/rebooted").await.unwrap();
    let reset = async {
        vm.wait_for_console_text("all waits run").await.unwrap();
        vm.send_monitor_command("system_reset").await.unwrap();
        assert!(!vm.is_up());
        assert_ne!(vm.succeed(boot_id).await.unwrap(), first);
    };
    let other = format!("{boot_id} | grep -vxF {}", first.trim());
    let changed = format!("echo all waits run >/dev/ttyS0; {other}");
    let (unit, file, port, repeated, retried, ()) = tokio::join!(
        vm.wait_for_unit("second.service"),
        vm.wait_for_file("/run/second"),
        vm.wait_for_open_port(7001),
        vm.wait_until_succeeds(changed),
        vm.retry("another boot", async || Ok(
            vm.succeed(boot_id).await? != first
        )),
        reset,
    );
    unit.unwrap();
    file.unwrap();
    port.unwrap();
    assert_ne!(repeated.unwrap(), first);
    retried.unwrap();
}

/// A reset by a command of QEMU's machine protocol.
#[tokio::test]
async fn a_command_ends_with_the_reboot() {
    let template = template("minimal").build().await.unwrap();
    let vm = template.allowing_reboot().clone_machine().await.unwrap();
    let command = vm.execute("echo command runs >/dev/ttyS0; sleep 1000");
    let reboot = async {
        vm.wait_for_console_text("command runs").await.unwrap();
        vm.qmp("system_reset", serde_json::Value::Null)
            .await
            .unwrap();
    };
    let (ended, ()) = tokio::join!(command, reboot);
    let error = ended.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::GuestReset { .. }),
        "{error}"
    );
    assert_eq!(vm.succeed("echo back").await.unwrap(), "back\n");
}
