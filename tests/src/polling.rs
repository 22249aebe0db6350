//! Waiting for changes that can only be polled.

use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::{SOON, scaled};

/// The number of open file descriptors of this process.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// How often to poll.
const INTERVAL: Duration = Duration::from_millis(10);

/// Ticks that are late on a slow host, instead of several at once.
pub(crate) fn ticks() -> Interval {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Whether a condition becomes true within [`SOON`]. Other tasks run meanwhile, such as those
/// that clean up after a dropped machine.
pub async fn soon(is_so: impl Fn() -> bool) -> bool {
    let mut ticks = ticks();
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > scaled(SOON) {
            return false;
        }
        ticks.tick().await;
    }
    true
}

/// Waits until a number has not changed for half a second, and returns it; or as it is after
/// [`SOON`].
pub async fn settled(number: impl Fn() -> usize) -> usize {
    const UNCHANGED: u32 = 50;
    let mut ticks = ticks();
    let (start, mut last, mut unchanged) = (Instant::now(), number(), 0);
    while unchanged < UNCHANGED && start.elapsed() < scaled(SOON) {
        ticks.tick().await;
        let now = number();
        unchanged = if now == last { unchanged + 1 } else { 0 };
        last = now;
    }
    last
}
