//! Numbers that change by themselves, for a while.

use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::{SOON, scaled};

/// How many file descriptors this process has.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// How often it is looked at what nobody tells of.
const TURN: Duration = Duration::from_millis(10);

/// Such looks. On a slow host they come later, not several at once.
fn turns() -> Interval {
    let mut turns = interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}

/// Whether something is so within [`SOON`], of which nobody tells: what is dropped gives
/// things back by tasks of this process when it is their turn.
pub async fn soon(is_so: impl Fn() -> bool) -> bool {
    let mut turns = turns();
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > scaled(SOON) {
            return false;
        }
        turns.tick().await;
    }
    true
}

/// A number that such tasks change, when it has stayed the same for half a second.
pub async fn settled(number: impl Fn() -> usize) -> usize {
    const SAME: u32 = 50;
    let mut turns = turns();
    let (start, mut last, mut same) = (Instant::now(), number(), 0);
    while same < SAME && start.elapsed() < scaled(SOON) {
        turns.tick().await;
        let now = number();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}
