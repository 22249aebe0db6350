//! Guests without an operating system: GRUB's rescue CD on a disk.

use std::time::Duration;

use machine::{DiskImage, Error, ErrorKind, Machine, QemuCommand, Result, StartCommand, Template};
use vm_tests::{SOON, show_steps, start_script};

const RESCUE: &str = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

/// The disk with it.
fn disk() -> DiskImage {
    show_steps();
    // Waits until this test may have machines.
    start_script("minimal");
    DiskImage::new(RESCUE).name("firmware").memory_mib(128)
}

fn machine(start: impl Into<StartCommand>) -> Machine {
    Machine::builder(start).without_shell().build().unwrap()
}

/// Opens GRUB's menu. The BIOS also shows the screen on the serial console, as the machine has
/// no display, and keys typed there are those of the keyboard.
async fn open_menu(vm: &Machine) -> Result<()> {
    vm.start().await?;
    chosen(vm, "GNU/Linux").await
}

/// Waits until this entry of the menu is chosen.
async fn chosen(vm: &Machine, entry: &str) -> Result<()> {
    let pattern = format!(r"\*{entry}");
    let vm = vm.within(SOON);
    let found = vm.wait_for_console_screen(&pattern);
    found.await.map(drop)
}

#[tokio::test]
async fn the_menu_of_a_boot_loader() {
    let vm = machine(disk());
    open_menu(&vm).await.unwrap();
    vm.send_console("\x1b[B").await.unwrap();
    chosen(&vm, r"GNU \(aka").await.unwrap();
    let screen = vm.console_screen().unwrap();
    assert!(screen.contains("│ GNU/Linux   "), "{screen}");

    let soon = vm.within(Duration::from_millis(100));
    let on_screen = soon.wait_for_console_screen("never").await.unwrap_err();
    let running = soon.wait_for_shutdown().await.unwrap_err();
    for error in [on_screen.to_string(), running.to_string()] {
        assert!(error.contains("│*GNU (aka GNU/Hurd) "), "{error}");
        assert!(!error.contains("\\x1b"), "{error}");
    }

    let snapshot = vm.snapshot().await.unwrap();
    vm.send_key("up").await.unwrap();
    chosen(&vm, "GNU/Linux").await.unwrap();
    vm.restore(&snapshot).await.unwrap();
    chosen(&vm, r"GNU \(aka").await.unwrap();
    vm.wait_for_text(r"\*GNU \(aka").await.unwrap();
    vm.send_key("down").await.unwrap();
    chosen(&vm, "FreeBSD").await.unwrap();
    vm.crash().await.unwrap();
}

#[tokio::test]
async fn clones_continue_at_the_menu() {
    let dir = tempfile::tempdir().unwrap();
    let builder = || {
        Template::builder(disk())
            .without_shell()
            .cache_dir(dir.path().join("templates"))
    };
    let template = builder()
        .prepare("at the menu", async |vm| open_menu(&vm).await)
        .build()
        .await
        .unwrap();
    assert_eq!(template.unsupported_reason(), None);
    let [one, two] = [
        template.clone_machine().await,
        template.clone_machine().await,
    ];
    let (one, two) = (one.unwrap(), two.unwrap());
    // The menu was drawn before.
    for vm in [&one, &two] {
        let screen = vm.console_screen().unwrap();
        assert!(screen.contains("│*GNU/Linux "), "{screen}");
    }
    one.send_console("\x1b[B").await.unwrap();
    chosen(&one, r"GNU \(aka").await.unwrap();
    let screen = two.console_screen().unwrap();
    assert!(screen.contains("│*GNU/Linux "), "{screen}");
    no_shell(one.succeed("true").await);
}

#[tokio::test]
async fn the_error_says_why_no_shell_has_come() {
    let vm = Machine::new(disk()).unwrap();
    open_menu(&vm).await.unwrap();
    let error = vm.within(Duration::from_secs(1)).connect().await;
    let error = error.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    for text in [
        "by credentials in the SMBIOS",
        "The console shows no Linux",
        "To try: `CloudImage`",
        "│*GNU/Linux ",
    ] {
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[tokio::test]
async fn an_operation_that_needs_a_shell_fails_at_once() {
    show_steps();
    start_script("minimal");
    // No disk has anything to boot.
    let vm = machine(QemuCommand::new("bios").args(["-boot", "strict=on"]));
    no_shell(vm.succeed("true").await);
    no_shell(vm.connect().await);
    no_shell(vm.wait_for_unit("multi-user.target").await);
    no_shell(vm.wait_until_succeeds("true").await);
    no_shell(vm.wait_for_open_port(22).await);
    no_shell(vm.wait_for_cloud_init().await);
    no_shell(vm.switch_root().await);
    assert!(vm.pid().is_none(), "it was started");

    vm.start().await.unwrap();
    no_shell(vm.execute("true").await);
    no_shell(vm.copy_from_host("/etc/hostname", "/tmp/").await);
    no_shell(vm.copy_from_machine("/etc/hostname", "").await);
    no_shell(vm.wait_for_file("/etc/hostname").await);
    no_shell(vm.wait_for_x().await);
    no_shell(vm.get_tty_text("1").await);
    let error = no_shell(vm.shutdown().await);
    assert!(error.contains("system_powerdown"), "{error}");
    vm.within(SOON)
        .wait_for_text("No bootable device")
        .await
        .unwrap();
    vm.reboot().await.unwrap();
}

/// The message of an error that the machine has no shell.
fn no_shell<T>(result: Result<T>) -> String {
    let error: Error = result.map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoShell { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("machine has no root shell"), "{message}");
    message
}
