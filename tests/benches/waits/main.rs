//! How soon a wait ends after its event, and the guest's processor time while it waits,
//! compared with the NixOS test driver's way in the same run: `cargo xtask bench waits`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints its figures, and panics on errors"
)]

mod reference;

use std::time::{Duration, Instant};

use machine::{Machine, StartScript};
use vm_tests::start_script;

use self::reference::{Reference, idle};

/// How often each kind is measured; odd, for the median.
const ROUNDS: usize = 9;

/// How long the guest's processor time is measured.
const WAITING: Duration = Duration::from_secs(8);

/// A kind of wait.
struct Kind {
    name: &'static str,
    wait: Wait,
    /// Shell text that is run before.
    setup: &'static str,
    /// Shell text that makes the event happen, after a pause, and then prints `$event` to
    /// `$console` at once. `$n` is the number of the round.
    event: &'static str,
    /// The reference's probe. None if that is another kind of wait.
    probe: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum Wait {
    File,
    Port,
    UnixSocket,
    Succeeds,
    SucceedsWithPrograms,
    Fails,
    Unit,
    Tty,
    Retry,
    Window,
    Text,
    StillScreen,
}

const ON_SYSTEMD: &[Kind] = &[
    Kind {
        name: "wait_for_unit",
        wait: Wait::Unit,
        setup: "printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=sh -c \"%s\"\n' \
                \"sleep $pause; echo $event >$console\" >/run/systemd/system/u$n.service; \
                systemctl daemon-reload; systemctl start --no-block u$n",
        event: ":",
        probe: Some("systemctl --no-pager show u$n | grep -q ActiveState=active"),
    },
    Kind {
        name: "wait_until_succeeds, a builtin",
        wait: Wait::Succeeds,
        setup: "",
        event: "sleep $pause; touch /run/s$n; echo $event >$console",
        probe: Some("test -e /run/s$n"),
    },
    Kind {
        name: "wait_until_succeeds, a program",
        wait: Wait::SucceedsWithPrograms,
        setup: "",
        event: "sleep $pause; echo there >/run/p$n; echo $event >$console",
        probe: Some("grep there /run/p$n"),
    },
    Kind {
        name: "wait_until_fails",
        wait: Wait::Fails,
        setup: "touch /run/f$n",
        event: "sleep $pause; rm /run/f$n; echo $event >$console",
        probe: Some("! test -e /run/f$n"),
    },
    Kind {
        name: "wait_for_file",
        wait: Wait::File,
        setup: "",
        event: "sleep $pause; touch /run/e$n; echo $event >$console",
        probe: Some("test -e /run/e$n"),
    },
    Kind {
        name: "wait_for_open_port",
        wait: Wait::Port,
        setup: "",
        event: "exec perl -e 'use Socket; socket(S, PF_INET, SOCK_STREAM, 0); \
                bind(S, sockaddr_in(6000 + $ARGV[0], INADDR_LOOPBACK)); sleep 1; \
                select(undef, undef, undef, $ARGV[0] / 10); listen(S, 5); \
                open(C, \">$ARGV[2]\"); print C \"$ARGV[1]\\n\"; close C; sleep 9' \
                $n \"$event\" $console",
        probe: Some("nc -z localhost $((6000 + n))"),
    },
    Kind {
        name: "wait_for_open_unix_socket",
        wait: Wait::UnixSocket,
        setup: "",
        event: "exec perl -e 'use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); \
                bind(S, sockaddr_un(\"/run/socket$ARGV[0]\")); sleep 1; \
                select(undef, undef, undef, $ARGV[0] / 10); listen(S, 5); \
                open(C, \">$ARGV[2]\"); print C \"$ARGV[1]\\n\"; close C; sleep 9' \
                $n \"$event\" $console",
        probe: Some("nc -z -U /run/socket$n"),
    },
    Kind {
        name: "wait_until_tty_matches",
        wait: Wait::Tty,
        setup: "",
        event: "sleep $pause; echo text$n >/dev/tty1; echo $event >$console",
        probe: Some("fold -w80 /dev/vcs1 | grep text$n"),
    },
    Kind {
        name: "retry, of a command",
        wait: Wait::Retry,
        setup: "",
        event: "sleep $pause; touch /run/r$n; echo $event >$console",
        probe: Some("test -e /run/r$n"),
    },
];

const ON_DESKTOP: &[Kind] = &[
    Kind {
        name: "wait_for_window",
        wait: Wait::Window,
        setup: "",
        event: "exec xterm -e sh -c \"sleep $pause; sleep 3; \
                printf '\\033]0;window$n\\007'; echo $event >$console; sleep 4\"",
        probe: Some("xwininfo -root -tree | grep window$n"),
    },
    Kind {
        name: "wait_for_text",
        wait: Wait::Text,
        setup: "",
        event: "exec xterm -fa monospace -fs 14 -e sh -c \"sleep $pause; sleep 3; \
                echo number$n; echo $event >$console; sleep 4\"",
        probe: None,
    },
    Kind {
        name: "wait_for_still_screen, of 1 s",
        wait: Wait::StillScreen,
        setup: "",
        event: "exec xterm +bc -e sh -c \"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0.3; echo \\$i; done; \
                echo $event >$console; sleep 6\"",
        probe: None,
    },
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // `cargo test --benches` only checks that it builds.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    println!(
        "median and longest of {ROUNDS}, in ms after the event; the guest's processor time while waiting:"
    );
    for (image, kinds) in [("systemd", ON_SYSTEMD), ("desktop", ON_DESKTOP)] {
        // For the last screens of waits that time out.
        let out_dir = tempfile::tempdir().unwrap();
        let start = StartScript::new(start_script(image));
        let builder = Machine::builder(start).out_dir(out_dir.path());
        let vm = builder.build().unwrap();
        vm.execute(idle()).await.unwrap();
        println!("{image}: idle {:.0} %", 100.0 * while_idle(&vm).await);
        let mut ours = Vec::new();
        for kind in kinds {
            let figures = measure(&vm, kind).await;
            println!("{:32} vmwright {figures}", kind.name);
            ours.push(figures);
        }
        drop(vm);
        let mut vm = Reference::start(image).await;
        for (kind, ours) in kinds.iter().zip(ours) {
            let theirs = match kind.probe {
                Some(probe) => measure_reference(&mut vm, kind, probe).await.to_string(),
                None => "-".to_owned(),
            };
            println!(
                "{:32} NixOS driver's way {theirs:24} vmwright {ours}",
                kind.name
            );
        }
        vm.stop().await;
    }
}

/// The figures of a kind of wait.
struct Figures {
    latencies: Vec<Duration>,
    /// The part of one processor that the guest is busy while waiting.
    busy: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.latencies.clone();
        sorted.sort();
        let median = sorted[sorted.len() / 2].as_millis();
        let longest = sorted[sorted.len() - 1].as_millis();
        let busy = 100.0 * self.busy;
        f.pad(&format!("{median:5} ({longest:5}), {busy:3.0} %"))
    }
}

/// The event of a round, as a command that leaves it in the background.
fn event(kind: &Kind, round: usize) -> (String, String) {
    let marker = format!("event {} {round}", kind.name.replace([',', ' '], "-"));
    let pause = format!("1.{:02}", 11 * round);
    let command = format!(
        "n={round} pause={pause} event={} console=/dev/ttyS0 DISPLAY=:0; export DISPLAY; \
         {}
         ( {} ) >&2 </dev/null &",
        machine::quote(&marker).unwrap(),
        kind.setup,
        kind.event
    );
    (command, marker)
}

async fn measure(vm: &Machine, kind: &Kind) -> Figures {
    let mut latencies = Vec::new();
    for round in 1..=ROUNDS {
        let (command, marker) = event(kind, round);
        vm.succeed(command).await.unwrap();
        let happened = async {
            vm.wait_for_console_text(&marker).await.unwrap();
            Instant::now()
        };
        let ended = async {
            wait(vm, kind.wait, round).await.unwrap();
            Instant::now()
        };
        let (happened, ended) = tokio::join!(happened, ended);
        let mut latency = ended.saturating_duration_since(happened);
        if let Wait::StillScreen = kind.wait {
            latency = latency.saturating_sub(STILL);
        }
        latencies.push(latency);
    }
    let before = busy(&vm.succeed(STATISTICS).await.unwrap());
    let patient = vm.within(WAITING);
    let waited = wait(&patient, kind.wait, 99).await;
    waited.expect_err(kind.name);
    let after = busy(&vm.succeed(STATISTICS).await.unwrap());
    let busy = (after.0 - before.0) / (after.1 - before.1);
    Figures { latencies, busy }
}

const STILL: Duration = Duration::from_secs(1);

async fn wait(vm: &Machine, kind: Wait, n: usize) -> machine::Result<()> {
    let port = 6000 + u16::try_from(n).unwrap();
    match kind {
        Wait::File => vm.wait_for_file(&format!("/run/e{n}")).await,
        Wait::Port => vm.wait_for_open_port(port).await,
        Wait::UnixSocket => {
            let path = format!("/run/socket{n}");
            vm.wait_for_open_unix_socket(&path, false).await
        }
        Wait::Succeeds => {
            let waited = vm.wait_until_succeeds(format!("test -e /run/s{n}"));
            waited.await.map(drop)
        }
        Wait::SucceedsWithPrograms => {
            let waited = vm.wait_until_succeeds(format!("grep there /run/p{n} 2>&1"));
            waited.await.map(drop)
        }
        Wait::Fails if n == 99 => vm.wait_until_fails("true").await.map(drop),
        Wait::Fails => {
            let waited = vm.wait_until_fails(format!("test -e /run/f{n}"));
            waited.await.map(drop)
        }
        Wait::Unit if n == 99 => {
            let stays = "systemd-run --no-block --unit=never -p Type=notify sleep 1d 2>&1";
            vm.succeed(stays).await?;
            vm.wait_for_unit("never").await
        }
        Wait::Unit => vm.wait_for_unit(format!("u{n}.service")).await,
        Wait::Tty => vm.wait_until_tty_matches("1", &format!("text{n}$")).await,
        Wait::Retry => {
            let exists = format!("test -e /run/r{n}");
            let exists = async || Ok(vm.execute(exists.as_str()).await?.success());
            vm.retry("the file", exists).await
        }
        Wait::Window => vm.wait_for_window(&format!("window{n}$")).await,
        Wait::Text => vm.wait_for_text(&format!("number{n}")).await,
        Wait::StillScreen if n == 99 => vm.wait_for_still_screen(Duration::from_hours(1)).await,
        Wait::StillScreen => vm.wait_for_still_screen(STILL).await,
    }
}

async fn measure_reference(vm: &mut Reference, kind: &Kind, probe: &str) -> Figures {
    let mut latencies = Vec::new();
    for round in 1..=ROUNDS {
        let (command, marker) = event(kind, round);
        vm.execute(&command).await;
        vm.retry(&format!("n={round}; {probe}")).await;
        let ended = Instant::now();
        let happened = vm.shown(&marker).await;
        latencies.push(ended.saturating_duration_since(happened));
    }
    let before = busy(&vm.output(STATISTICS).await);
    let never = match kind.wait {
        Wait::Fails => "false".to_owned(),
        _ => format!("n=99; {probe}"),
    };
    let _ = tokio::time::timeout(WAITING, vm.retry(&never)).await;
    vm.finish().await;
    let after = busy(&vm.output(STATISTICS).await);
    let busy = (after.0 - before.0) / (after.1 - before.1);
    Figures { latencies, busy }
}

/// Prints the first line of `/proc/stat` and the uptime.
const STATISTICS: &str = "read -r _ a </proc/stat; read -r b _ </proc/uptime; echo $a $b";

/// The processor time and the uptime in seconds.
fn busy(line: &str) -> (f64, f64) {
    let numbers: Vec<f64> = line
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect();
    // user, nice, system, irq, softirq: proc(5).
    let busy: f64 = [0, 1, 2, 5, 6].iter().map(|&at| numbers[at]).sum();
    (busy / 100.0, numbers[numbers.len() - 1])
}

async fn while_idle(vm: &Machine) -> f64 {
    let before = busy(&vm.succeed(STATISTICS).await.unwrap());
    #[expect(clippy::disallowed_methods, reason = "the passing of time is measured")]
    tokio::time::sleep(WAITING).await;
    let after = busy(&vm.succeed(STATISTICS).await.unwrap());
    (after.0 - before.0) / (after.1 - before.1)
}
