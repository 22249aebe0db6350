//! Operations can be spawned: their futures are `Send`.

#![cfg(feature = "ocr")]

use std::time::Duration;

use machine::{Machine, PollingCondition};

fn spawnable(_: impl Future + Send) {}

#[expect(dead_code, reason = "it only needs to compile")]
fn every_kind_of_operation(vm: &Machine, condition: &PollingCondition) {
    spawnable(vm.start());
    spawnable(vm.succeed("true"));
    spawnable(async {
        let snapshot = vm.snapshot().await?;
        vm.restore(&snapshot).await
    });
    spawnable(vm.wait_until_succeeds("true"));
    spawnable(vm.wait_for_unit("multi-user.target"));
    spawnable(vm.require_unit_state("nginx.service", "active"));
    spawnable(vm.copy_from_host("file", "/root"));
    spawnable(vm.copy_from_machine("/root", ""));
    spawnable(vm.wait_for_open_port(80));
    spawnable(vm.send_chars("text"));
    spawnable(vm.wait_until_tty_matches("1", "login"));
    spawnable(vm.wait_for_window("xterm"));
    spawnable(vm.wait_for_console_text("login"));
    spawnable(vm.wait_for_qmp_event(|event| event.name == "SHUTDOWN"));
    spawnable(vm.screenshot("screen"));
    spawnable(vm.wait_for_text("login"));
    spawnable(vm.wait_for_still_screen(Duration::from_secs(1)));
    spawnable(vm.click_text("OK"));
    spawnable(vm.shell_interact());
    spawnable(vm.console_interact());
    spawnable(vm.retry("it", async || Ok(true)));
    spawnable(condition.wait());
}
