//! The evidence of a failed test, in a directory of `VM_FAILURES` that is named after the test:
//! the failure's message, the trace page, and for each machine the console log, a screenshot and
//! QEMU's command line.

mod monitor;
mod prompt;
mod qemu;

use std::any::Any;
use std::fs;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Once;

use machine::Builder;
use machine::report::{Failure, Outcome, Recorder};
use machine::trace;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::qemu::{machines_of, name_of, states_without};
use crate::infrastructure;

/// QEMU's environment variable with the name of its test: several tests may share a process.
const TEST: &str = "VM_TEST";

/// An empty file that marks failures caused by the host, QEMU or an image; xtask reads it.
const INFRASTRUCTURE: &str = "infrastructure";

/// The trace page, and the directory beside it with outputs that are too long for it.
const TRACE: &str = "trace.html";
const TRACE_FILES: &str = "trace-files";

/// Adds to a machine what the evidence of a failure needs: a monitor, and the test's name.
pub(crate) fn leaving_evidence(builder: Builder) -> Builder {
    let mut options = std::env::var_os("QEMU_OPTS").unwrap_or_default();
    options.push(monitor::QEMU_OPTS);
    let builder = builder.env("QEMU_OPTS", options);
    match current_test() {
        Some(test) => builder.env(TEST, test),
        None => builder,
    }
}

/// The recorder of this thread's test, if evidence is kept.
pub(crate) fn recorder() -> Option<Recorder> {
    thread_local! {
        static RECORDER: Option<Recorder> = std::env::var_os("VM_FAILURES").map(|_| {
            let test = current_test();
            Recorder::new(test.as_deref().unwrap_or("vm-tests"))
        });
    }
    RECORDER.with(Clone::clone)
}

/// From now on, tests that panic or are terminated by SIGTERM leave evidence.
pub fn keep_evidence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(failures) = std::env::var_os("VM_FAILURES").map(PathBuf::from) else {
            return;
        };
        // nextest runs each test in its own process, and terminates it by SIGTERM when it times out.
        if std::env::var_os("NEXTEST").is_some()
            && let Some(test) = current_test()
        {
            handle_sigterm(failures.clone(), test, recorder());
        }
        let default_hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            default_hook(info);
            if let Some(test) = current_test() {
                record_failure(&failures, &test, &message(info.payload()), recorder());
                if std::env::var_os("VM_PAUSE_ON_FAILURE").is_some() {
                    prompt::pause(&machines_of(&test));
                }
            }
        }));
    });
}

/// Starts a thread that records the failure and exits when SIGTERM arrives.
fn handle_sigterm(failures: PathBuf, test: String, recorder: Option<Recorder>) {
    std::thread::spawn(move || {
        let subscriber = registry().with(recorder.as_ref().map(Recorder::layer));
        let _guard = subscriber.set_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut terms = signal(SignalKind::terminate()).expect("a signal handler");
            terms.recv().await;
        });
        let message = "the test timed out and was terminated by SIGTERM";
        record_failure(&failures, &test, message, recorder);
        std::process::exit(128 + rustix::process::Signal::TERM.as_raw());
    });
}

/// The test of this thread: test runners name the thread after it.
fn current_test() -> Option<String> {
    let thread = std::thread::current();
    thread
        .name()
        .filter(|name| *name != "main")
        .map(str::to_owned)
}

/// Copies the files of a directory, such as a driver's output, to the evidence if the test is
/// failing.
///
/// # Errors
/// If a file can't be copied.
pub fn keep_files(dir: &Path) -> io::Result<()> {
    let failures = std::env::var_os("VM_FAILURES").filter(|_| std::thread::panicking());
    let (Some(failures), Some(test)) = (failures, current_test()) else {
        return Ok(());
    };
    let of_test = dir_of(Path::new(&failures), &test);
    copy_files(dir, &of_test.join("files"))?;
    // A driver's trace page is also that of the test.
    if dir.join(TRACE).exists() {
        fs::copy(dir.join(TRACE), of_test.join(TRACE))?;
    }
    for to in [of_test.join("files"), of_test] {
        match copy_files(&dir.join(TRACE_FILES), &to.join(TRACE_FILES)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Copies a directory's files, but not its subdirectories.
fn copy_files(dir: &Path, to: &Path) -> io::Result<()> {
    let entries = fs::read_dir(dir)?;
    fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// If nextest repeats the test, what it leaves then is in a directory of its own.
fn dir_of(failures: &Path, test: &str) -> PathBuf {
    let dir = failures.join(test.replace("::", "."));
    match std::env::var("NEXTEST_ATTEMPT") {
        Ok(attempt) if attempt != "1" => dir.join(format!("attempt-{attempt}")),
        _ => dir,
    }
}

#[expect(clippy::print_stderr, reason = "part of the test's output")]
fn record_failure(failures: &Path, test: &str, message: &str, recorder: Option<Recorder>) {
    let dir = dir_of(failures, test);
    match write_evidence(&dir, test, message, recorder) {
        Ok(()) => eprintln!("evidence of the failure: {}", dir.display()),
        Err(error) => eprintln!("{}: {error}", dir.display()),
    }
}

/// The message of a panic.
fn message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or(payload.downcast_ref::<&str>().copied());
    text.unwrap_or("panic without a message").to_owned()
}

fn write_evidence(
    dir: &Path,
    test: &str,
    message: &str,
    recorder: Option<Recorder>,
) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join("test"), test)?;
    fs::write(dir.join("message.txt"), message)?;
    let is_infrastructure = infrastructure::is_cause();
    if is_infrastructure {
        fs::write(dir.join(INFRASTRUCTURE), "")?;
    }
    let machines = machines_of(test);
    for state in states_without(&machines) {
        copy_console_log(&state, dir)?;
    }
    for machine in machines {
        let of_machine = copy_console_log(&machine.state, dir)?;
        fs::write(of_machine.join("qemu-command-line"), machine.command_line())?;
        let screen = of_machine.join("screen.png");
        if monitor::screenshot(&machine.state, &screen).is_ok() {
            show_in_trace(&machine.name(), &screen);
        }
    }
    let Some(recorder) = recorder else {
        return Ok(());
    };
    let failure = Failure::new(message, None, is_infrastructure);
    recorder.conclude(Outcome::Failed, Some(failure));
    recorder.write_page(dir.join(TRACE))
}

/// Copies a machine's console log to its directory in the evidence, which is returned. It gets
/// a number if the name is taken: clones have the name of their template.
fn copy_console_log(state: &Path, dir: &Path) -> io::Result<PathBuf> {
    let name = name_of(state);
    let numbered = (2..).map(|number| dir.join(format!("{name}-{number}")));
    let mut free = std::iter::once(dir.join(&name))
        .chain(numbered)
        .filter(|path| !path.exists());
    let of_machine = free.next().unwrap_or_else(|| dir.join(name));
    fs::create_dir_all(&of_machine)?;
    // A missing log must not prevent the rest of the evidence.
    let _ = fs::copy(state.join("console.log"), of_machine.join("console.log"));
    Ok(of_machine)
}

/// Emits the trace event of a screenshot, as machines do.
fn show_in_trace(machine: &str, picture: &Path) {
    let png = fs::read(picture).unwrap_or_default();
    let path = picture.display();
    tracing::trace!(target: trace::SCREEN, machine, %path, png = &png[..]);
}
