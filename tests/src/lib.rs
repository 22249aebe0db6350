//! What the tests on virtual machines share: machines to test on.
//!
//! `cargo xtask vm-test` installs and builds what they need, and runs them.

#![forbid(unsafe_code)]

mod admission;
/// Headless Chromium, to look at pages with.
pub mod browser;
pub mod failure;
/// Whether a test failed because of the host, QEMU or an image.
pub mod infrastructure;
mod permits;
mod polling;
/// Runs that were recorded, without a machine.
pub mod recorded;
mod suite;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, io};

use machine::report::{Recorder, Terminal};
use machine::{Builder, Machine, StartScript, TemplateBuilder};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tracing::dispatcher;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing_subscriber::fmt::TestWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use machine::scaled;
pub use polling::{descriptors, settled, soon};

/// How long a test waits for what must happen soon, on a host as slow as most; machines
/// stretch it by `VM_TIMEOUT_SCALE`, others by [`scaled`].
pub const SOON: Duration = Duration::from_mins(2);

/// The start script of a guest image; a test that has one takes a place among those
/// that may have machines.
///
/// # Panics
/// If the image was not built.
pub fn start_script(image: &str) -> PathBuf {
    let images = images();
    let script = suite::start_script(&images, image);
    assert!(
        script.exists(),
        "no {}: run `cargo xtask vm-test`",
        script.display()
    );
    admission::admit(&images);
    failure::keep_evidence();
    script
}

/// A link to the start script of a guest image that makes a machine of another name, the
/// same for all tests, whose templates are of it.
///
/// # Panics
/// If the image was not built.
pub fn named(name: &str, image: &str) -> PathBuf {
    let script = start_script(image);
    let dir = images().join("machines").join(image);
    fs::create_dir_all(&dir).expect("a directory");
    let link = dir.join(format!("run-{name}-vm"));
    match symlink(script, &link) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => panic!("{error}"),
        _ => link,
    }
}

/// Where templates are kept.
pub fn templates() -> PathBuf {
    suite::templates(&images())
}

/// Whether no test is to use a template: what they save is measured so.
pub fn boots_everything() -> bool {
    env::var_os("VM_TEMPLATES").is_some_and(|value| value == "off")
}

/// Where guest images are.
fn images() -> PathBuf {
    env::var_os("VM_IMAGES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/vm"),
        PathBuf::from,
    )
}

/// The program `driver`, which is built beside the tests.
///
/// # Panics
/// If it was not built.
pub fn driver() -> PathBuf {
    let test = env::current_exe().expect("a path");
    let built = test.ancestors().nth(2).expect("a directory").join("driver");
    assert!(
        built.exists(),
        "no {}: run `cargo xtask vm-test`, or `cargo build -p driver`",
        built.display()
    );
    built
}

/// A machine with a guest image, to be described further. What it does is
/// told on the test's output.
///
/// # Panics
/// If the image was not built.
pub fn builder(image: &str) -> Builder {
    show_steps();
    failure::leaving_evidence(Machine::builder(StartScript::new(start_script(image))))
}

/// A machine that boots in seconds: busybox and bash. Not started yet.
///
/// # Panics
/// If the image was not built, or the machine has no place for its state.
pub fn minimal() -> Machine {
    builder("minimal").build().expect("a machine")
}

/// A machine with Debian 12 and systemd. Not started yet.
///
/// # Panics
/// If the image was not built, or the machine has no place for its state.
pub fn systemd() -> Machine {
    builder("systemd").build().expect("a machine")
}

/// A machine with an X server, a window manager and xterm. Not started yet.
///
/// # Panics
/// If the image was not built, or the machine has no place for its state.
pub fn desktop() -> Machine {
    builder("desktop").build().expect("a machine")
}

/// A template of a guest image, booted; it is made by whichever test needs it first.
///
/// # Panics
/// If the image was not built.
pub fn template(image: &str) -> TemplateBuilder {
    show_steps();
    start_script(image);
    suite::booted(&images(), image)
}

/// The same, ready to be cloned: what [`fresh`] machines are clones of.
///
/// # Panics
/// If the image was not built.
pub fn ready(image: &str) -> TemplateBuilder {
    show_steps();
    start_script(image);
    suite::ready(&images(), image)
}

/// A machine of one's own whose guest is ready: a clone, or, with
/// `VM_TEMPLATES=off`, booted for the purpose.
///
/// # Panics
/// If the image was not built, or the machine does not start.
pub async fn fresh(image: &str) -> Machine {
    fresh_with(image, |builder| builder).await
}

/// The same, with its name and directories chosen.
///
/// # Panics
/// As [`fresh`].
pub async fn fresh_with(image: &str, describe: impl Fn(Builder) -> Builder + Send) -> Machine {
    if boots_everything() {
        return booted(image, describe).await;
    }
    cloned(image, describe).await
}

/// Two machines, called `booted` and `cloned` in messages, on which a test is to come to
/// the same.
///
/// # Panics
/// As [`fresh`].
pub async fn booted_and_cloned(image: &str) -> [Machine; 2] {
    let booted = booted(image, |builder| builder.name("booted"));
    let cloned = cloned(image, |builder| builder.name("cloned"));
    let (booted, cloned) = tokio::join!(booted, cloned);
    [booted, cloned]
}

async fn booted(image: &str, describe: impl Fn(Builder) -> Builder + Send) -> Machine {
    let vm = describe(builder(image)).build().expect("a machine");
    vm.connect().await.expect("a machine that boots");
    for unit in suite::units(image) {
        vm.wait_for_unit(unit).await.expect("a unit");
    }
    vm
}

async fn cloned(image: &str, describe: impl Fn(Builder) -> Builder + Send) -> Machine {
    let template = ready(image).build().await.expect("a template");
    let describe = move |builder| describe(failure::leaving_evidence(builder));
    template.clone_with(describe).await.expect("a clone")
}

/// A test of the running binary, an ignored one, to be run in a process of its own, as
/// part of the test that asks for it. It keeps no evidence of its failure, the test does.
///
/// # Panics
/// If this binary is not to be found.
pub fn other_test(name: &str) -> Command {
    failure::keep_evidence();
    let mut command = Command::new(env::current_exe().expect("a path"));
    command
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(admission::ADMITTED, "1")
        .env_remove("VM_FAILURES")
        .env_remove("VM_PAUSE_ON_FAILURE");
    command
}

/// Shows what machines do and their consoles where test runners capture it:
/// they print it when the test fails. Where somebody listens already, they do alone.
pub fn show_steps() {
    // Until the thread ends, and of this thread alone, which is the test's: others may run
    // beside it in the same process.
    thread_local! {
        static LISTENING: DefaultGuard = tracing_subscriber::registry()
            .with(Terminal::new(TestWriter::default()).layer())
            .with(failure::recorder().as_ref().map(Recorder::layer))
            .with(infrastructure::ErrorLayer)
            .set_default();
    }
    failure::keep_evidence();
    let nobody_listens = dispatcher::get_default(tracing::Dispatch::is::<NoSubscriber>);
    if nobody_listens {
        LISTENING.with(|_| ());
    }
}

/// Waits for a process to be gone, woken by its end.
///
/// # Panics
/// If it is still there after [`SOON`].
pub fn wait_until_gone(pid: u32) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process number");
    // No such process: it is gone already.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    let limit = scaled(SOON).try_into().expect("a time");
    let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit));
    assert_eq!(ended, Ok(1), "process {pid:?} lives on");
}
