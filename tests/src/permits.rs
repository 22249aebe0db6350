//! How many tests may have machines at once. `cargo xtask vm-test` runs as many, by this
//! very file.

use std::fs;
use std::num::NonZero;
use std::thread;

/// What a test's machines take, roughly.
const KIBIBYTES: usize = 1 << 20;

/// Two for each core, as most of a test is waiting, if there is the memory for it.
pub(crate) fn permits() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let all = memory.lines().find_map(|line| {
        let kibibytes = line.strip_prefix("MemTotal:")?.trim();
        kibibytes.split(' ').next()?.parse::<usize>().ok()
    });
    let fitting = all.map_or(usize::MAX, |kibibytes| kibibytes / KIBIBYTES);
    fitting.min(2 * cores).max(1)
}
