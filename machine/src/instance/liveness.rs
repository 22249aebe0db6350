//! Whether a guest is alive whose console shows that it is dead: any program can print that.

use std::sync::Weak;
use std::time::Duration;

use qmp_mon::Qmp;
use serde_json::json;

use crate::guest::Running;
use crate::guest::console_watch::ConsoleWatch;
use crate::guest::waiting::{LONGEST_PAUSE, Probe, Waited, wait};
use crate::time_scale::scaled;

/// How long a guest that is alive may show no sign of it.
const SILENCE: Duration = Duration::from_secs(5);

/// Confirms or refutes each claim of the console that the guest is dead. Never returns.
pub(super) async fn check_claims(watch: &ConsoleWatch, running: &Weak<Running>, qmp: &Qmp) {
    loop {
        let trouble = watch.claimed().await;
        if is_alive(running, qmp).await {
            watch.refute(&trouble);
        } else {
            watch.confirm(&trouble);
        }
    }
}

/// Whether the guest shows a sign of life: by what its processors do, or by its shell.
async fn is_alive(running: &Weak<Running>, qmp: &Qmp) -> bool {
    let processors = wait(
        scaled(SILENCE),
        LONGEST_PAUSE,
        async |_| -> Result<_, qmp_mon::Error> {
            let arguments = json!({ "command-line": "info registers -a" });
            let registers = qmp.execute("human-monitor-command", arguments).await?;
            Ok(match registers.as_str().map(Processors::parse) {
                Some(Processors::Stuck) => Probe::Pending(String::new()),
                Some(Processors::Alive | Processors::Unknown) | None => Probe::Ready(()),
            })
        },
    );
    tokio::select! {
        // Nothing is known if the monitor fails.
        found = processors => !matches!(found, Ok(Waited::TimedOut { .. })),
        () = shell_answers(running) => true,
    }
}

/// Waits until the guest's shell answers, if it is connected and not in use.
async fn shell_answers(running: &Weak<Running>) {
    let Some(running) = running.upgrade() else {
        return std::future::pending().await;
    };
    if !running.gate.answers(scaled(SILENCE)).await {
        std::future::pending::<()>().await;
    }
}

/// What the registers of all processors show.
#[derive(Debug, PartialEq)]
enum Processors {
    /// One runs a program, or waits for an interrupt: after a panic, none does.
    Alive,
    /// All are in the kernel, or halted for good.
    Stuck,
    /// They are not x86 processors.
    Unknown,
}

impl Processors {
    /// From the output of `info registers -a` in QEMU's human monitor.
    fn parse(registers: &str) -> Self {
        let mut states = registers.lines().filter_map(is_alive_by).peekable();
        if states.peek().is_none() {
            Self::Unknown
        } else if states.any(|is_alive| is_alive) {
            Self::Alive
        } else {
            Self::Stuck
        }
    }
}

/// Whether a processor is alive by this line of its registers, if it shows that.
///
/// ```text
/// RIP=ffffffff81c0a2ab RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
/// ```
fn is_alive_by(line: &str) -> Option<bool> {
    const INTERRUPTS: u32 = 0x200;
    let words = line.split_ascii_whitespace();
    let field = |name: &str| words.clone().find_map(|word| word.strip_prefix(name));
    let (level, halted) = (field("CPL=")?, field("HLT=")?);
    let flags = u32::from_str_radix(field("RFL=").or_else(|| field("EFL="))?, 16).ok()?;
    Some(level == "3" || halted == "1" && flags & INTERRUPTS != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registers(states: &[(&str, &str, u8, u8)]) -> String {
        let states = states.iter().map(|(pointer, flags, level, halted)| {
            format!(
                "\r\nCPU#0\r\nRAX=0000000000000000 RBX=0000000000000000\r\n\
                 {pointer} {flags} [---Z-P-] CPL={level} II=0 A20=1 SMM=0 HLT={halted}\r\n\
                 CS =0010 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]\r\n"
            )
        });
        states.collect()
    }

    #[test]
    fn processors_that_run_a_program_or_are_idle_are_alive() {
        let program = ("RIP=000055d0c0a8b2ab", "RFL=00000246", 3, 0);
        let idle = ("RIP=ffffffff81c0a2ab", "RFL=00000246", 0, 1);
        let kernel = ("RIP=ffffffff81c0a2ab", "RFL=00000246", 0, 0);
        let old_idle = ("EIP=c1c0a2ab", "EFL=00000246", 0, 1);
        let halted = ("RIP=ffffffff81c0a2ab", "RFL=00000046", 0, 1);
        for alive in [program, idle, old_idle] {
            let found = Processors::parse(&registers(&[halted, kernel, alive]));
            assert_eq!(found, Processors::Alive, "{alive:?}");
        }
        // As after a panic.
        let found = Processors::parse(&registers(&[kernel, halted, halted]));
        assert_eq!(found, Processors::Stuck);
        let other = "PC=ffff800008c0a2ab X00=0000000000000000\r\nPSTATE=60000005 -ZC- EL1h\r\n";
        assert_eq!(Processors::parse(other), Processors::Unknown);
    }
}
