//! How many tests may have machines at the same time. `cargo xtask vm-test` includes this
//! file, and runs as many tests.

use std::fs;
use std::num::NonZero;
use std::thread;

/// Estimated memory of a test's machines.
const KIBIBYTES: usize = 1 << 20;

/// Five for two cores, because tests often wait, but no more than fit in memory.
pub(crate) fn permits() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| {
        let kibibytes = line.strip_prefix("MemTotal:")?.trim();
        kibibytes.split(' ').next()?.parse::<usize>().ok()
    });
    let fitting = total.map_or(usize::MAX, |kibibytes| kibibytes / KIBIBYTES);
    fitting.min((5 * cores).div_ceil(2)).max(1)
}
