//! A prompt on the machines of a failed test, which keep running meanwhile.

use std::io::{self, BufRead as _};

use serde_json::json;

use super::monitor::Monitor;
use super::qemu::Running;

/// Sends lines `MACHINE COMMAND` to QEMU's human monitor until Ctrl-D.
#[expect(clippy::print_stderr, reason = "an interactive prompt")]
pub(super) fn pause(machines: &[Running]) {
    eprintln!("\nThe test has failed. Its machines are still there:");
    for machine in machines {
        let state = machine.state.display();
        eprintln!(
            "  {}: state directory {state}, console log {state}/console.log",
            machine.name()
        );
    }
    eprintln!(
        "`MACHINE COMMAND` sends a command to QEMU's monitor: `MACHINE help`, `MACHINE info registers`, \
         `MACHINE sendkey ret`, `MACHINE screendump FILE`. Ctrl-D ends the test."
    );
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let (name, command) = line.trim().split_once(' ').unwrap_or((line.trim(), "help"));
        match machines.iter().find(|machine| machine.name() == name) {
            Some(machine) => eprintln!("{}", hmp(machine, command)),
            None => eprintln!("there is no machine {name:?}"),
        }
    }
}

/// The answer of the human monitor, or the error.
fn hmp(machine: &Running, command: &str) -> String {
    let arguments = json!({ "command-line": command });
    let answer = Monitor::open(&machine.state)
        .and_then(|mut monitor| monitor.execute("human-monitor-command", &arguments));
    match answer {
        Ok(answer) => answer.as_str().unwrap_or_default().trim_end().to_owned(),
        Err(error) => format!("no answer from QEMU: {error}"),
    }
}
