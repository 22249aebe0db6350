//! Waits for machines without blocking other Python threads.

use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::errors::exception;
use super::threads;

/// The runtime of all asynchronous operations, from its first use to the end of the process.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => panic!("starting the asynchronous runtime: {error}"),
    })
}

/// Runs an operation of a machine without holding the GIL, so that other threads of the
/// script continue. The operation is cancelled if a signal handler in Python raises an
/// exception, and in other threads than Python's main thread when the script ends.
pub(super) fn wait<T: Send>(
    py: Python<'_>,
    work: impl AsyncFnOnce() -> machine::Result<T> + Send,
) -> PyResult<T> {
    let mut signals = signals().subscribe();
    // Handles signals that arrived before the subscription.
    py.check_signals()?;
    let result = py.detach(move || {
        runtime().block_on(async move {
            let mut work = pin!(work());
            let mut cancelled = pin!(threads::cancelled());
            loop {
                tokio::select! {
                    result = &mut work => return Ok(result),
                    () = &mut cancelled => return Err(threads::exception()),
                    _ = signals.changed() => check_signals()?,
                }
            }
        })
    });
    result.and_then(|result: machine::Result<T>| result.map_err(|error| exception(py, &error)))
}

/// Runs Python's handlers of pending signals, if this is Python's main thread.
fn check_signals() -> PyResult<()> {
    Python::attach(|py| {
        py.check_signals()?;
        Ok(())
    })
}

/// Calls Python within an operation that [`wait`] runs.
pub(super) fn call<T>(f: impl FnOnce(Python<'_>) -> T) -> T {
    // The function may call `wait` itself.
    tokio::task::block_in_place(|| Python::attach(f))
}

/// Counts the signals for which Python has a handler.
fn signals() -> &'static watch::Sender<u64> {
    static SIGNALS: OnceLock<watch::Sender<u64>> = OnceLock::new();
    SIGNALS.get_or_init(|| watch::Sender::new(0))
}

/// Delays after a signal at which Python's main thread is interrupted again. A signal that
/// arrives after Python last checked for signals and before a blocking system call, such as
/// that of `time.sleep`, does not interrupt the call.
const WAKE_UPS: [Duration; 4] = [
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Returns a file descriptor for `signal.set_wakeup_fd`: Python writes the number of each
/// signal to it. `wake` is the number of a signal that only interrupts system calls of the
/// main thread.
#[pyfunction]
pub(super) fn wakeup_fd(wake: u8) -> PyResult<RawFd> {
    static WRITER: OnceLock<UnixStream> = OnceLock::new();
    let (mut reader, writer) =
        UnixStream::pair().map_err(|error| PyOSError::new_err(error.to_string()))?;
    writer
        .set_nonblocking(true)
        .map_err(|error| PyOSError::new_err(error.to_string()))?;
    let fd = WRITER.get_or_init(|| writer).as_raw_fd();
    std::thread::spawn(move || {
        let mut numbers = [0; 64];
        let mut wake_ups = [].iter();
        loop {
            let next = wake_ups.next().copied();
            let read = reader.set_read_timeout(next);
            match read.and_then(|()| reader.read(&mut numbers)) {
                Ok(0) => break,
                Ok(read) if numbers[..read].iter().any(|&number| number != wake) => {
                    signals().send_modify(|count| *count += 1);
                    wake_ups = WAKE_UPS.iter();
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _ = wake_main_thread(wake);
                }
                // This happens to a read with a timeout when a stopped process is resumed.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    });
    Ok(fd)
}

fn wake_main_thread(signal: u8) -> PyResult<()> {
    Python::attach(|py| {
        let main = py.import("threading")?.call_method0("main_thread")?;
        let kill = py.import("signal")?.getattr("pthread_kill")?;
        kill.call1((main.getattr("ident")?, signal)).map(drop)
    })
}
