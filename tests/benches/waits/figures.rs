//! Latencies, and the guest's processor time.

use std::fmt;
use std::time::Duration;

/// The figures of a kind of wait.
pub(crate) struct Figures {
    latencies: Vec<Duration>,
    /// The part of one processor that the wait takes.
    busy: f64,
}

impl Figures {
    /// The outputs of [`STATISTICS`] are from before a time without a wait, from its end, and
    /// from the end of a wait that began then.
    pub(crate) fn new(latencies: Vec<Duration>, [idle, before, after]: [String; 3]) -> Self {
        Self {
            latencies,
            busy: busy(&before, &after) - busy(&idle, &before),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.latencies.clone();
        sorted.sort();
        let median = sorted[sorted.len() / 2].as_millis();
        let longest = sorted[sorted.len() - 1].as_millis();
        // A guest that waits can happen to be less busy than one that does not.
        let busy = (100.0 * self.busy).max(0.0);
        f.pad(&format!("{median:5} ({longest:5}), {busy:3.0} %"))
    }
}

/// The part of one processor that the guest was busy between two outputs of [`STATISTICS`].
fn busy(before: &str, after: &str) -> f64 {
    let (before, after) = (parse(before), parse(after));
    (after.0 - before.0) / (after.1 - before.1)
}

/// Prints the first line of `/proc/stat` and the uptime.
pub(crate) const STATISTICS: &str =
    "read -r _ a </proc/stat; read -r b _ </proc/uptime; echo $a $b";

/// The processor time and the uptime in seconds.
fn parse(line: &str) -> (f64, f64) {
    let numbers: Vec<f64> = line
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect();
    // user, nice, system, irq, softirq: proc(5).
    let busy: f64 = [0, 1, 2, 5, 6].iter().map(|&at| numbers[at]).sum();
    (busy / 100.0, numbers[numbers.len() - 1])
}
