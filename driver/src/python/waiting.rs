//! Waiting for machines, while the rest of Python goes on.

use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;

use machine::report::{Failure, Outcome};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::errors::exception;
use crate::exit_code;
use crate::report::Report;

/// How long after its time is up a run may take to clean up.
pub(super) const CLEAN_UP: Duration = Duration::from_secs(30);

/// How long Python may take to tell where a run is that has not.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What everything asynchronous runs on, from the first machine to the process's end.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => panic!("the operating system gives no threads: {error}"),
    })
}

/// Waits for what a machine does, without Python's lock, so that other threads of the
/// script go on. A signal ends it if its handler in Python raises.
pub(super) fn wait<T: Send>(
    py: Python<'_>,
    work: impl AsyncFnOnce() -> machine::Result<T> + Send,
) -> PyResult<T> {
    let mut signals = signals().subscribe();
    // One that came before that would be waited for in vain.
    py.check_signals()?;
    let result = py.detach(move || {
        runtime().block_on(async move {
            let mut work = pin!(work());
            loop {
                tokio::select! {
                    result = &mut work => return Ok(result),
                    _ = signals.changed() => check_signals()?,
                }
            }
        })
    });
    result.and_then(|result: machine::Result<T>| result.map_err(|error| exception(py, &error)))
}

/// Has Python handle the signals that came, if this is its main thread.
fn check_signals() -> PyResult<()> {
    Python::attach(|py| {
        py.check_signals()?;
        Ok(())
    })
}

/// Calls Python from what [`wait`] waits for.
pub(super) fn call<T>(f: impl FnOnce(Python<'_>) -> T) -> T {
    // What is called may wait itself.
    tokio::task::block_in_place(|| Python::attach(f))
}

/// Counts the signals for which Python has a handler.
fn signals() -> &'static watch::Sender<u64> {
    static SIGNALS: OnceLock<watch::Sender<u64>> = OnceLock::new();
    SIGNALS.get_or_init(|| watch::Sender::new(0))
}

/// When Python's main thread is woken after a signal. One that comes between its last look
/// for signals and a system call that waits, `time.sleep` say, does not end that call.
const WAKE_UPS: [Duration; 4] = [
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// The file descriptor that Python is to write to when a signal comes: its number. `wake`
/// is the number of one that does nothing but end a system call of the main thread's.
#[pyfunction]
pub(super) fn wakeup_fd(wake: u8) -> PyResult<RawFd> {
    static OURS: OnceLock<UnixStream> = OnceLock::new();
    let (mut from_python, pythons) =
        UnixStream::pair().map_err(|error| PyOSError::new_err(error.to_string()))?;
    pythons
        .set_nonblocking(true)
        .map_err(|error| PyOSError::new_err(error.to_string()))?;
    let fd = OURS.get_or_init(|| pythons).as_raw_fd();
    std::thread::spawn(move || {
        let mut numbers = [0; 64];
        let mut wake_ups = [].iter();
        loop {
            let next = wake_ups.next().copied();
            let read = from_python.set_read_timeout(next);
            match read.and_then(|()| from_python.read(&mut numbers)) {
                Ok(0) => break,
                Ok(read) if numbers[..read].iter().any(|&number| number != wake) => {
                    signals().send_modify(|count| *count += 1);
                    wake_ups = WAKE_UPS.iter();
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _ = wake_main_thread(wake);
                }
                // A read with a time-out ends so when a process that was stopped goes on.
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

/// Ends the process when a script does not end by itself after its time: one that
/// catches all exceptions, or is in a library that never returns.
pub(super) fn end_after(limit: Duration, report: Report) -> JoinHandle<()> {
    runtime().spawn(async move {
        let never = std::future::pending::<()>();
        let limit = limit.saturating_add(CLEAN_UP).saturating_add(LAST_WORDS);
        let _ = tokio::time::timeout(limit, never).await;
        let message = "the script did not end when its time was up";
        tracing::error!("{message}");
        let failure = Failure::new(message, None, false);
        if let Err(error) = report.write_junit(&failure) {
            tracing::error!("{error}");
        }
        report.end(Outcome::TimedOut, Some(failure));
        std::process::exit(exit_code::TIMED_OUT.into());
    })
}
