//! Guests without an operating system: GRUB's rescue CD on a disk.

use std::time::Duration;

use machine::{DiskImage, Machine};
use vm_tests::{SOON, show_steps, start_script};

const RESCUE: &str = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

/// A machine that boots it.
fn firmware() -> Machine {
    show_steps();
    // Waits until this test may have machines.
    start_script("minimal");
    Machine::new(DiskImage::new(RESCUE).name("firmware")).unwrap()
}

/// Opens GRUB's menu. SeaBIOS also shows the screen on the serial console, as the machine has
/// no display, and keys typed there are those of the keyboard.
async fn open_menu(vm: &Machine) {
    vm.start().await.unwrap();
    vm.within(SOON)
        .wait_for_console_screen(r"\*GNU/Linux")
        .await
        .unwrap();
}

#[tokio::test]
async fn the_menu_of_a_boot_loader() {
    let vm = firmware();
    open_menu(&vm).await;
    vm.send_console("\x1b[B").await.unwrap();
    let chosen = vm
        .within(SOON)
        .wait_for_console_screen(r"\*GNU \(.*\)")
        .await
        .unwrap();
    assert_eq!(chosen, "*GNU (aka GNU/Hurd)");
    let screen = vm.console_screen().await.unwrap();
    assert!(screen.contains("│ GNU/Linux   "), "{screen}");

    let soon = vm.within(Duration::from_millis(100));
    let on_screen = soon.wait_for_console_screen("never").await.unwrap_err();
    let running = soon.wait_for_shutdown().await.unwrap_err();
    for error in [on_screen.to_string(), running.to_string()] {
        assert!(error.contains("│*GNU (aka GNU/Hurd) "), "{error}");
        assert!(!error.contains("\\x1b"), "{error}");
    }
}
