//! What is kept of a test that fails, where `VM_FAILURES` says: a directory named by the
//! test, with its story, the trace of all it did, and of each machine of its the console's
//! log, a picture of the screen and QEMU's command line.

mod last_words;
mod prompt;

use std::any::Any;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
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

use crate::infrastructure;

/// Which test a machine is of: several run in one process.
const TEST: &str = "VM_TEST";

/// An empty file that marks failures caused by the host, QEMU or an image; xtask reads it.
const INFRASTRUCTURE: &str = "infrastructure";

/// A trace page, and the directory beside it with what was too long for it.
const TRACE: &str = "trace.html";
const TRACE_FILES: &str = "trace-files";

/// A machine, with what it takes to see it when the test has failed.
pub(crate) fn leaving_evidence(builder: Builder) -> Builder {
    let mut options = std::env::var_os("QEMU_OPTS").unwrap_or_default();
    options.push(last_words::QEMU_OPTS);
    let builder = builder.env("QEMU_OPTS", options);
    match current_test() {
        Some(test) => builder.env(TEST, test),
        None => builder,
    }
}

/// What remembers what this thread's test does, if anything of it is to be kept.
pub(crate) fn recorder() -> Option<Recorder> {
    thread_local! {
        static RECORDER: Option<Recorder> = std::env::var_os("VM_FAILURES").map(|_| {
            let test = current_test();
            Recorder::new(test.as_deref().unwrap_or("vm-tests"))
        });
    }
    RECORDER.with(Clone::clone)
}

/// From now on, tests that panic or are ended by SIGTERM leave what is known of them.
pub fn keep_evidence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(failures) = std::env::var_os("VM_FAILURES").map(PathBuf::from) else {
            return;
        };
        // It ends tests that take too long, and gives each a process of its own.
        if std::env::var_os("NEXTEST").is_some()
            && let Some(test) = current_test()
        {
            tell_of_sigterm(failures.clone(), test, recorder());
        }
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            tell(info);
            if let Some(test) = current_test() {
                failed(&failures, &test, &story(info.payload()), recorder());
                if std::env::var_os("VM_PAUSE_ON_FAILURE").is_some() {
                    prompt::pause(&machines_of(&test));
                }
            }
        }));
    });
}

fn tell_of_sigterm(failures: PathBuf, test: String, recorder: Option<Recorder>) {
    std::thread::spawn(move || {
        let listening = registry().with(recorder.as_ref().map(Recorder::layer));
        let _listening = listening.set_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut terms = signal(SignalKind::terminate()).expect("a signal handler");
            terms.recv().await;
        });
        let story = "ended by SIGTERM: it took too long";
        failed(&failures, &test, story, recorder);
        std::process::exit(128 + rustix::process::Signal::TERM.as_raw());
    });
}

/// What runs tests names their threads.
fn current_test() -> Option<String> {
    let thread = std::thread::current();
    thread
        .name()
        .filter(|name| *name != "main")
        .map(str::to_owned)
}

/// Keeps the files of a directory, such as a driver's output, if the test is failing.
///
/// # Errors
/// The operating system's.
pub fn keep_files(dir: &Path) -> io::Result<()> {
    let failures = std::env::var_os("VM_FAILURES").filter(|_| std::thread::panicking());
    let (Some(failures), Some(test)) = (failures, current_test()) else {
        return Ok(());
    };
    let of_test = dir_of(Path::new(&failures), &test);
    copy_files(dir, &of_test.join("files"))?;
    // A driver's trace is that of such a test, with what was too long for it beside it.
    if dir.join(TRACE).exists() {
        fs::copy(dir.join(TRACE), of_test.join(TRACE))?;
    }
    for kept in [of_test.join("files"), of_test] {
        match copy_files(&dir.join(TRACE_FILES), &kept.join(TRACE_FILES)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Copies a directory's files, without other directories.
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

fn dir_of(failures: &Path, test: &str) -> PathBuf {
    failures.join(test.replace("::", "."))
}

#[expect(clippy::print_stderr, reason = "it is told where the test's end is")]
fn failed(failures: &Path, test: &str, story: &str, recorder: Option<Recorder>) {
    let dir = dir_of(failures, test);
    match keep(&dir, test, story, recorder) {
        Ok(()) => eprintln!("what is left of it: {}", dir.display()),
        Err(error) => eprintln!("{}: {error}", dir.display()),
    }
}

fn story(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or(payload.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

fn keep(dir: &Path, test: &str, story: &str, recorder: Option<Recorder>) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join("test"), test)?;
    fs::write(dir.join("story.txt"), story)?;
    if infrastructure::is_cause_of(story) {
        fs::write(dir.join(INFRASTRUCTURE), "")?;
    }
    let machines = machines_of(test);
    for state in states_without(&machines) {
        keep_console(&state, dir)?;
    }
    for machine in machines {
        let of_machine = keep_console(&machine.state, dir)?;
        fs::write(of_machine.join("qemu-command-line"), machine.command_line())?;
        let screen = of_machine.join("screen.png");
        if last_words::screenshot(&machine.state, &screen).is_ok() {
            show_in_trace(&machine.name(), &screen);
        }
    }
    let Some(recorder) = recorder else {
        return Ok(());
    };
    recorder.conclude(Outcome::Failed, Some(Failure::new(story, None, false)));
    recorder.write_page(dir.join(TRACE))
}

/// Keeps the console's log of a machine, in a directory that is given: clones have the name
/// of their template.
fn keep_console(state: &Path, dir: &Path) -> io::Result<PathBuf> {
    let name = name_of(state);
    let numbered = (2..).map(|number| dir.join(format!("{name}-{number}")));
    let mut free = std::iter::once(dir.join(&name))
        .chain(numbered)
        .filter(|path| !path.exists());
    let of_machine = free.next().unwrap_or_else(|| dir.join(name));
    fs::create_dir_all(&of_machine)?;
    // What is not there is not there: the story comes first.
    let _ = fs::copy(state.join("console.log"), of_machine.join("console.log"));
    Ok(of_machine)
}

/// The state directories of machines whose QEMU is gone, or was never there. Whose they are
/// is known where a test has a process of its own: that holds a lock on each.
fn states_without(running: &[Running]) -> Vec<PathBuf> {
    if std::env::var_os("NEXTEST").is_none() {
        return Vec::new();
    }
    let descriptors = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    let mut states: Vec<_> = descriptors
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .filter(|path| is_state(path) && path.is_dir())
        .filter(|state| running.iter().all(|machine| machine.state != *state))
        .collect();
    states.sort();
    states.dedup();
    states
}

fn is_state(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_bytes().starts_with(b"vm-state-")
}

/// The name of the machine that has a state directory.
fn name_of(state: &Path) -> String {
    let state = state.file_name().unwrap_or_default().to_string_lossy();
    state.strip_prefix("vm-state-").unwrap_or(&state).to_owned()
}

/// Tells of a picture as machines do.
fn show_in_trace(machine: &str, picture: &Path) {
    let png = fs::read(picture).unwrap_or_default();
    let path = picture.display();
    tracing::trace!(target: trace::SCREEN, machine, %path, png = &png[..]);
}

/// A QEMU of this process's.
pub(crate) struct Running {
    proc: PathBuf,
    /// Its current directory.
    pub(crate) state: PathBuf,
}

impl Running {
    pub(crate) fn name(&self) -> String {
        name_of(&self.state)
    }

    /// As a shell would take it.
    fn command_line(&self) -> String {
        let words = fs::read(self.proc.join("cmdline")).unwrap_or_default();
        let words = words
            .split(|&byte| byte == 0)
            .filter(|word| !word.is_empty());
        let quoted = words.map(|word| {
            let word = String::from_utf8_lossy(word);
            machine::quote(&word).map_or_else(|_| word.to_string(), |quoted| quoted.to_string())
        });
        quoted.collect::<Vec<_>>().join(" ") + "\n"
    }
}

/// The QEMUs of a test: children of our children, the supervisors.
fn machines_of(test: &str) -> Vec<Running> {
    let ours = OsString::from(std::process::id().to_string());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_test = processes.map(|entry| entry.path()).filter(|process| {
        let grandparent =
            parent(process).and_then(|parent| self::parent(&Path::new("/proc").join(parent)));
        grandparent.is_some_and(|grandparent| ours == *grandparent) && is_of(process, test)
    });
    let running = of_test.filter_map(|proc| {
        let state = fs::read_link(proc.join("cwd")).ok()?;
        Some(Running { proc, state })
    });
    running.collect()
}

/// The number of a process's parent (proc(5), `/proc/PID/stat`).
fn parent(process: &Path) -> Option<String> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(1).map(str::to_owned)
}

/// Whether it is a QEMU, and of no other test.
fn is_of(process: &Path, test: &str) -> bool {
    let program = fs::read_link(process.join("exe")).unwrap_or_default();
    let name = program.file_name().unwrap_or_default();
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    let prefix = format!("{TEST}=");
    let mut variables = environment.split(|&byte| byte == 0);
    let whose = variables.find_map(|variable| variable.strip_prefix(prefix.as_bytes()));
    name.as_bytes().starts_with(b"qemu-system")
        && whose.is_none_or(|whose| whose == test.as_bytes())
}
