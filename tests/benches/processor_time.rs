//! The processor time of a QEMU.

use std::fs;
use std::time::Duration;

/// The processor time of all threads of a process.
pub(crate) fn work(pid: Option<u32>) -> Duration {
    let threads = format!("/proc/{}/task", pid.unwrap_or_default());
    let threads = fs::read_dir(threads).into_iter().flatten().flatten();
    let times = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ')
            .next()?
            .parse()
            .ok()
            .map(Duration::from_nanos)
    });
    times.sum()
}
