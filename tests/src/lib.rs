//! Shared code of the tests on virtual machines.
//!
//! `cargo xtask vm-test` installs and builds what the tests need, and runs them.

#![forbid(unsafe_code)]

mod admission;
/// Pages in headless Chromium.
pub mod browser;
pub mod failure;
/// Whether a test failed because of the host, QEMU or an image.
pub mod infrastructure;
mod permits;
mod polling;
/// Recorded runs for tests of reports, without machines.
pub mod recorded;
mod suite;
mod vhost_user;

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{env, fs, io};

use machine::report::{Recorder, Terminal};
use machine::{
    Builder, Container, ContainerBuilder, ContainerCommand, Machine, OwnNamespace, TemplateBuilder,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tempfile::TempDir;
use tracing::dispatcher;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing_subscriber::fmt::TestWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use machine::scaled;
pub use polling::{descriptors, settled, soon};
pub use vhost_user::{shared_memory_script, virtiofs_script};

/// Time limit for something that must happen soon. Operations of machines scale it by
/// `VM_TIMEOUT_SCALE`; elsewhere, use [`scaled`].
pub const SOON: Duration = Duration::from_mins(2);

/// Kills the guest's root shell, `${$#0}`, and the job of this command, which would report its
/// end.
pub const KILL_SHELL: &str = "read -r _ _ _ job _ </proc/$BASHPID/stat; kill -9 ${$#0} -- -$job";

/// The start script of a guest image, the disk of `cloud` or the kernel of `linux`. Waits until this test may have machines.
///
/// # Panics
/// If the image was not built.
pub fn start_script(image: &str) -> PathBuf {
    let images = images();
    let script = suite::start_file(&images, image);
    assert!(
        script.exists(),
        "no {}: run `cargo xtask vm-test`",
        script.display()
    );
    admission::admit(&images);
    failure::keep_evidence();
    script
}

/// A link to the start script of a guest image, which gives the machine another name. All tests
/// use the same link, and so share its templates.
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

/// A directory with the kernel of the image `linux`, its configuration and its modules, as in
/// Debian's package, but for the kernel's name: `boot/vmlinuz`.
///
/// # Panics
/// If the image was not built.
pub fn unpacked_kernel() -> TempDir {
    show_steps();
    let kernel = start_script("linux");
    let image = kernel.parent().expect("a directory");
    let dir = tempfile::tempdir().expect("a directory");
    let boot = dir.path().join("boot");
    fs::create_dir(&boot).expect("a directory");
    for entry in fs::read_dir(image).expect("the image") {
        let path = entry.expect("a file").path();
        fs::copy(&path, boot.join(path.file_name().expect("a name"))).expect("a copy");
    }
    let mut tar = Command::new("tar");
    tar.arg("-xf")
        .arg(boot.join("modules.tar"))
        .arg("-C")
        .arg(dir.path());
    assert!(tar.status().expect("tar").success(), "{tar:?}");
    dir
}

/// The cache directory of templates.
pub fn templates() -> PathBuf {
    suite::templates(&images())
}

/// Whether tests boot their machines instead of cloning them (`VM_TEMPLATES=off`), to measure
/// what templates save.
pub fn boots_everything() -> bool {
    env::var_os("VM_TEMPLATES").is_some_and(|value| value == "off")
}

/// The directory of guest images.
fn images() -> PathBuf {
    env::var_os("VM_IMAGES").map_or_else(|| repository().join("target/vm"), PathBuf::from)
}

/// The repository's top directory: that of the runner, if the tests were built in another one.
pub fn repository() -> PathBuf {
    let built = || env!("CARGO_MANIFEST_DIR").into();
    let tests = env::var_os("CARGO_MANIFEST_DIR").map_or_else(built, PathBuf::from);
    tests.parent().unwrap_or(&tests).to_owned()
}

/// The path of the program `driver`, which is built beside the tests.
///
/// # Panics
/// If it was not built.
pub fn driver() -> PathBuf {
    program("driver")
}

/// The path of a program that is built beside the tests.
///
/// # Panics
/// If it was not built.
pub fn program(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a path");
    let built = test.ancestors().nth(2).expect("a directory").join(name);
    assert!(
        built.exists(),
        "no {}: run `cargo xtask vm-test`, or `cargo build`",
        built.display()
    );
    built
}

/// A builder of a machine with a guest image. Its steps are shown in the test's output.
///
/// # Panics
/// If the image was not built.
pub fn builder(image: &str) -> Builder {
    show_steps();
    start_script(image);
    failure::leaving_evidence(Machine::builder(suite::start(&images(), image)))
}

/// A machine with busybox and bash, which boots in seconds. Not started yet.
///
/// # Panics
/// If the image was not built, or the state directory can't be created.
pub fn minimal() -> Machine {
    builder("minimal").build().expect("a machine")
}

/// A machine with Debian 12 and systemd. Not started yet.
///
/// # Panics
/// If the image was not built, or the state directory can't be created.
pub fn systemd() -> Machine {
    builder("systemd").build().expect("a machine")
}

/// A machine with an X server, a window manager and xterm. Not started yet.
///
/// # Panics
/// If the image was not built, or the state directory can't be created.
pub fn desktop() -> Machine {
    builder("desktop").build().expect("a machine")
}

/// The root directory of the image `container`. Waits until this test may have machines.
///
/// # Panics
/// If the image was not built.
pub fn container_root() -> PathBuf {
    let images = images();
    let namespace = OwnNamespace::read().expect("a user namespace");
    let root = images.join(namespace.name_of("container")).join("root");
    assert!(
        root.exists(),
        "no {}: run `cargo xtask image container`",
        root.display()
    );
    admission::admit(&images);
    failure::keep_evidence();
    root
}

/// A container of the image `container`. Its steps are shown in the test's output.
///
/// # Panics
/// If the image was not built.
pub fn container_builder(name: &str) -> ContainerBuilder {
    show_steps();
    Container::builder(ContainerCommand::new(name).root_dir(container_root()))
}

/// A container of the image `container`. Not started yet.
///
/// # Panics
/// If the image was not built, or the state directory can't be created.
pub fn container(name: &str) -> Container {
    container_builder(name).build().expect("a container")
}

/// A booted template of a guest image. The first test that needs it makes it.
///
/// # Panics
/// If the image was not built.
pub fn template(image: &str) -> TemplateBuilder {
    show_steps();
    start_script(image);
    suite::booted(&images(), image)
}

/// Like [`template`], but the image's units are active: [`fresh`] clones it.
///
/// # Panics
/// If the image was not built.
pub fn ready(image: &str) -> TemplateBuilder {
    show_steps();
    start_script(image);
    suite::ready(&images(), image)
}

/// A machine whose guest is ready: a clone, or, with `VM_TEMPLATES=off`, booted.
///
/// # Panics
/// If the image was not built, or the machine does not start.
pub async fn fresh(image: &str) -> Machine {
    fresh_with(image, |builder| builder).await
}

/// Like [`fresh`], for a machine that `describe` changes.
///
/// # Panics
/// As [`fresh`].
pub async fn fresh_with(image: &str, describe: impl Fn(Builder) -> Builder + Send) -> Machine {
    if boots_everything() {
        return booted(image, describe).await;
    }
    cloned(image, describe).await
}

/// Two machines on which a test must have the same result, with the names `booted` and
/// `cloned`.
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

/// A command that runs an ignored test of this binary in a separate process, as part of the
/// calling test. Only the calling test keeps evidence of a failure.
///
/// # Panics
/// If the path of this binary is unknown.
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

/// The directory that another test has passed in `VICTIM_DIR`; `None` if no other test runs this
/// one, which then has nothing to do.
pub fn victim_dir() -> Option<PathBuf> {
    env::var_os("VICTIM_DIR").map(PathBuf::from)
}

/// Shows steps and consoles of machines on the output that test runners capture, and print when
/// the test fails. Does nothing if there is a `tracing` subscriber already.
pub fn show_steps() {
    // For this thread only, until it ends: other tests may run in other threads.
    thread_local! {
        static SUBSCRIBER: DefaultGuard = tracing_subscriber::registry()
            .with(Terminal::new(TestWriter::default()).layer())
            .with(failure::recorder().as_ref().map(Recorder::layer))
            .with(infrastructure::ErrorLayer)
            .set_default();
    }
    failure::keep_evidence();
    let has_no_subscriber = dispatcher::get_default(tracing::Dispatch::is::<NoSubscriber>);
    if has_no_subscriber {
        SUBSCRIBER.with(|_| ());
    }
}

/// Waits until a process has ended.
///
/// # Panics
/// If it is still running after [`SOON`].
pub fn wait_until_gone(pid: u32) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a PID");
    // An error means that the process has ended already.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    let limit = scaled(SOON).try_into().expect("a time");
    let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit));
    assert_eq!(ended, Ok(1), "process {pid:?} is still running");
}
