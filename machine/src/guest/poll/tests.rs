use std::process::Command as Process;

use super::*;
use crate::host::state_dir::StateDir;

#[test]
fn a_loop_for_changes_is_passed_what_it_has_found() {
    let state = StateDir::create(None, "vm", false).unwrap();
    let guest = Guest::new("vm".to_owned(), state, ".".into(), true);
    let polling = Polling::for_changes(guest.script("testing"), |output| &output[..1]);
    let last_seen = || {
        let script = polling.script(&guest, Duration::from_secs(1)).unwrap();
        let line = script.lines().find(|line| line.starts_with("last_seen="));
        line.unwrap().to_owned()
    };
    assert_eq!(last_seen(), "last_seen=$''");
    polling.record(&Found::parse(b"a1\n1 1 0 0").unwrap());
    assert_eq!(last_seen(), "last_seen=$'a'");
    // The same as before, or nothing.
    polling.record(&Found::parse(b"b\n1 1 1 0").unwrap());
    assert_eq!(last_seen(), "last_seen=$'a'");
    // In ISO 8859-1.
    polling.record(&Found::parse(b"\xfc\n1 1 0 0").unwrap());
    assert_eq!(last_seen(), r"last_seen=$'\xfc'");
}

#[test]
fn the_output_of_the_last_probe_is_kept_exactly() {
    let found = Found::parse(b"two\nlines\n\n12 3 1 5").unwrap();
    assert_eq!(found.output.stdout, b"two\nlines\n");
    assert_eq!(found.output.status(), 5);
    assert_eq!((found.is_ready, found.probes), (false, 3));
    assert_eq!(found.cost, Duration::from_millis(120));
}

#[test]
fn the_end_of_a_loop_that_was_killed_is_missing() {
    for text in ["", "\n", "output\n", "1 2 3\n", "\n1 2 3", "\n1 2 3 -4"] {
        assert!(Found::parse(text.as_bytes()).is_none(), "{text:?}");
    }
}

/// A clock and a process for the loop.
const ENVIRONMENT: &str = include_str!("environment.sh");

/// What the loop is run with. All times are in hundredths of a second.
struct Run {
    /// What a probe takes of the guest's processor.
    cost: usize,
    /// What the process takes that answers it, in turn.
    answers: &'static str,
    /// When what the probes look for happens.
    event: usize,
    has_hint: bool,
}

/// How long the loop runs without an event.
const TURN: usize = 2000;

/// Probes that take 0.09 s, and no event while the loop runs.
const QUIET: Run = Run {
    cost: 6,
    answers: "3",
    event: 2 * TURN,
    has_hint: true,
};

impl Run {
    /// Runs the loop, and returns when probes have begun.
    fn probes(self) -> Vec<usize> {
        let dir = tempfile::tempdir().unwrap();
        let poll = POLL
            .replace("/proc/uptime", "uptime")
            .replace("/proc/self/stat", "stat");
        let output = Process::new("bash")
            .args(["-c", &format!("{ENVIRONMENT}{poll}")])
            .env("cost", self.cost.to_string())
            .env("answers", self.answers)
            .env("event", self.event.to_string())
            .env("__vm_hint", if self.has_hint { "schedstat" } else { "" })
            .env("__vm_turn", TURN.to_string())
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let found = Found::parse(&output.stdout).unwrap();
        assert_eq!(found.is_ready, self.event < TURN);
        let probes = found.output.text();
        let times = probes.split_whitespace().map(str::parse);
        times.collect::<Result<_, _>>().unwrap()
    }
}

#[test]
fn probes_take_a_seventh_of_the_time_at_most() {
    // Those that cost least follow each other after the shortest pause.
    for (cost, period) in [(1, 9), (10, 70), (40, 280)] {
        let run = Run {
            cost,
            has_hint: false,
            ..QUIET
        };
        let expected: Vec<_> = (0..TURN).step_by(period).collect();
        assert_eq!(run.probes(), expected, "of probes that take {cost}");
    }
}

#[test]
fn probes_are_rare_while_their_answers_can_not_change() {
    // The second process does not need the same time for each answer.
    for (answers, most) in [("3", TURN / 20), ("3 2 3 4 4", TURN / 10)] {
        let probes = Run { answers, ..QUIET }.probes();
        let used = probes.len() * (6 + 3);
        assert!((TURN / 40..=most + 2 * 9).contains(&used), "{probes:?}");
    }
}

#[test]
fn an_event_that_shows_is_followed_by_a_probe() {
    // The first probe shows what an answer takes.
    let after_first_probe = 6 + 3 + 2 + 1;
    for event in (after_first_probe..600).step_by(7) {
        let probes = Run { event, ..QUIET }.probes();
        let late = probes[probes.len() - 1] - event;
        assert!(late <= 20, "{late} after {event}: {probes:?}");
    }
}
