//! A prompt on the machines of a test that has failed, which stay as they are meanwhile.

use std::io::{self, BufRead as _};

use serde_json::json;

use super::Running;
use super::monitor::Monitor;

/// Until Ctrl-D, lines `MACHINE COMMAND` are commands of QEMU's human monitor.
#[expect(clippy::print_stderr, reason = "somebody sits there")]
pub(super) fn pause(machines: &[Running]) {
    eprintln!("\nThe test has failed, and its machines wait:");
    for machine in machines {
        let state = machine.state.display();
        eprintln!(
            "  {}: its state is in {state}, its console in {state}/console.log",
            machine.name()
        );
    }
    eprintln!(
        "`MACHINE COMMAND` is a command of QEMU's monitor: `MACHINE help`, `MACHINE info registers`, \
         `MACHINE sendkey ret`, `MACHINE screendump FILE`. Ctrl-D ends the test."
    );
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let (name, command) = line.trim().split_once(' ').unwrap_or((line.trim(), "help"));
        match machines.iter().find(|machine| machine.name() == name) {
            Some(machine) => eprintln!("{}", ask(machine, command)),
            None => eprintln!("there is no machine {name:?}"),
        }
    }
}

fn ask(machine: &Running, command: &str) -> String {
    let arguments = json!({ "command-line": command });
    let answer = Monitor::open(&machine.state)
        .and_then(|mut monitor| monitor.execute("human-monitor-command", &arguments));
    match answer {
        Ok(answer) => answer.as_str().unwrap_or_default().trim_end().to_owned(),
        Err(error) => format!("QEMU does not answer: {error}"),
    }
}
