//! What can go wrong.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use backdoor_shell::Exit;

use super::LoginError;
use super::text::{Because, CommandExit, Exited, Probes, Waited};
use crate::exit_reason::ExitReason;
use crate::trouble::Trouble;
use crate::unit::Unit;

/// What went wrong.
///
/// The text of a kind is one sentence, without that of its source and without the lines
/// of output in its fields; the message of an [`Error`](crate::Error) has all of them.
/// Console lines and output are safe to print: control characters in them are escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The machine's name can't be that of a directory, a variable or a host.
    #[error(
        "{name:?} can't name a machine: a name has letters, digits, `_`, `-` and `.`, and \
         begins with a letter, a digit or `_`"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The start script does not exist.
    #[error("can't find the start script {}", path.display())]
    StartScript {
        /// Its path.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The start script can't be executed.
    #[error("the start script {} is not an executable file (chmod +x?)", path.display())]
    NotExecutable {
        /// Its path.
        path: PathBuf,
    },
    /// A machine can't start from this disk image.
    #[error("can't start from the image {}: {reason}", path.display())]
    Image {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it, or which operation on it failed.
        reason: String,
        /// The operating system's error, or what `qemu-img` printed.
        source: Option<io::Error>,
    },
    /// A machine can't start from this kernel.
    #[error("can't boot the kernel {}: {reason}", path.display())]
    Kernel {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it, what it lacks, or which operation on it failed.
        reason: String,
        /// The operating system's error.
        source: Option<io::Error>,
    },
    /// This can't be a guest's root.
    #[error("{} can't be a guest's root", path.display())]
    Root {
        /// Its path.
        path: PathBuf,
        /// The operating system's error, or what is wrong with it.
        source: io::Error,
    },
    /// This host can't run the container, or not on its networks.
    #[error("can't run the container: {reason}")]
    Container {
        /// What is missing or wrong.
        reason: String,
    },
    /// The start command could not be run.
    #[error("can't run the start command {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The machine's directories could not be created or used.
    #[error("can't use {} for the machine's state", path.display())]
    StateDir {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// Another driver, or another machine of this one, uses the state directory.
    #[error("{} is in use by another machine of this name", path.display())]
    StateDirInUse {
        /// The state directory.
        path: PathBuf,
    },
    /// The path of a socket exceeds the operating system's limit.
    #[error(
        "the path of a socket would have {length} bytes, and {limit} is the most: {}; \
         choose a shorter directory or machine name",
        path.display()
    )]
    SocketPathTooLong {
        /// The socket.
        path: PathBuf,
        /// The length of its path in bytes.
        length: usize,
        /// The greatest length allowed.
        limit: usize,
    },
    /// The machine was not started, or has been shut down.
    #[error("{doing}: the machine is not running; start it first")]
    NotRunning {
        /// The operation.
        doing: String,
    },
    /// The operation needs the guest's root shell, and the machine was configured [without
    /// one](crate::Builder::without_shell).
    #[error("{doing}: this machine has no root shell (`without_shell`); {instead}")]
    NoShell {
        /// The operation.
        doing: String,
        /// What to use instead.
        instead: &'static str,
    },
    /// The login on the guest's serial console has failed, which was to start its root shell.
    #[error("can't log in on the serial console")]
    #[non_exhaustive]
    SerialLogin {
        /// What went wrong.
        source: LoginError,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// QEMU runs, but does not connect to the driver's sockets.
    #[error(
        "QEMU did not connect to its monitors and shell within {waited:?}: does the start \
         command pass its arguments on?"
    )]
    #[non_exhaustive]
    NoConnection {
        /// The time limit.
        waited: Duration,
        /// The last lines of its standard error.
        stderr: Vec<String>,
    },
    /// The process that ran the guest, or its start command, exited during the operation.
    #[error("{doing}: {process} has ended ({status}){}", Because(reason))]
    #[non_exhaustive]
    Exited {
        /// The operation.
        doing: String,
        /// What the process is: `QEMU`.
        process: &'static str,
        /// The exit status.
        status: ExitStatus,
        /// Why it has exited, if it has reported that.
        reason: Option<ExitReason>,
        /// Whether it exited before it had connected to its monitors.
        starting: bool,
        /// The last lines of its standard error.
        stderr: Vec<String>,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// The guest died during the operation: its kernel panicked, or QEMU stopped it.
    #[error("{doing}: {trouble}{}", Exited(status))]
    #[non_exhaustive]
    GuestEnded {
        /// The operation.
        doing: String,
        /// The cause.
        trouble: Trouble,
        /// The exit status of the process that ran the guest, if it has exited.
        status: Option<ExitStatus>,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// The guest was reset during the operation, by a reboot, say. The next operation waits
    /// for its new boot.
    #[error("{doing}: the guest was reset, or has rebooted")]
    #[non_exhaustive]
    GuestReset {
        /// The operation.
        doing: String,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// A command that should have succeeded failed.
    #[error("command `{command}` failed ({})", CommandExit(exit))]
    #[non_exhaustive]
    CommandFailed {
        /// The command.
        command: String,
        /// How it ended.
        exit: Exit,
        /// The last lines of its output.
        output: Vec<String>,
    },
    /// A command that should have failed succeeded.
    #[error("command `{command}` unexpectedly succeeded")]
    #[non_exhaustive]
    CommandSucceeded {
        /// The command.
        command: String,
        /// The last lines of its output.
        output: Vec<String>,
    },
    /// A condition was not met in time.
    #[error("{} {what}{}; last seen: {last_seen}", Waited(*waited), Probes(*probes))]
    #[non_exhaustive]
    TimedOut {
        /// The condition.
        what: String,
        /// The time limit.
        waited: Duration,
        /// How many times the condition was checked.
        probes: u32,
        /// What the last check saw.
        last_seen: String,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// An invalid argument.
    #[error("{doing}: {reason}")]
    BadArgument {
        /// The operation.
        doing: String,
        /// What is wrong with the argument.
        reason: String,
    },
    /// A [polling condition](crate::Guest::polling_condition) is no longer true.
    #[error("the condition \"{condition}\" does not hold any more")]
    Condition {
        /// Its description.
        condition: String,
    },
    /// cloud-init has failed, or does not run.
    #[error("cloud-init has failed")]
    #[non_exhaustive]
    CloudInit {
        /// Its errors, or why it does not run.
        errors: Vec<String>,
    },
    /// systemd could not be queried.
    #[error("`systemctl {query}` failed ({})", CommandExit(exit))]
    #[non_exhaustive]
    Systemctl {
        /// The arguments of `systemctl`.
        query: String,
        /// How it ended.
        exit: Exit,
        /// The last lines of its output and standard error.
        output: Vec<String>,
    },
    /// A unit is not in the wanted state, and will not reach it by itself.
    #[error("unit {unit} is {state}, not {wanted}")]
    UnitState {
        /// The unit.
        unit: Unit,
        /// Its state, and why it will not change.
        state: String,
        /// The wanted state.
        wanted: String,
    },
    /// A file of the host could not be read or written.
    #[error("can't read or write the host's {}", path.display())]
    HostFile {
        /// Its path.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file could not be copied in the guest.
    #[error("can't copy {from} to {to} in the guest")]
    #[non_exhaustive]
    GuestCopy {
        /// The source.
        from: String,
        /// The target.
        to: String,
        /// What the guest's programs printed.
        output: Vec<String>,
    },
    /// The guest has no way to copy files: no 9p and no `tar`.
    #[error(
        "can't copy files: the guest can neither mount a 9p share nor unpack archives by `tar` \
         (`copy_from_host_via_shell` needs neither)"
    )]
    #[non_exhaustive]
    Share {
        /// What the guest's programs printed.
        output: Vec<String>,
    },
    /// This machine can't be saved, so it can't be cloned.
    #[error("it can't be saved: {reason}")]
    NotSavable {
        /// Why.
        reason: String,
    },
    /// A template could not be made or used.
    #[error("{doing}")]
    Template {
        /// The operation.
        doing: String,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// Whether the caller asked for something impossible, rather than the host failed.
        misuse: bool,
    },
    /// A snapshot could not be taken or restored.
    #[error("{doing}: {reason}")]
    Snapshot {
        /// The operation.
        doing: String,
        /// What is wrong.
        reason: String,
    },
    /// A network's switch does not start.
    #[error(
        "vde_switch does not start in {}: {}",
        socket_dir.display(),
        if output.is_empty() { "it prints nothing" } else { output }
    )]
    #[non_exhaustive]
    Vlan {
        /// The directory for its socket.
        socket_dir: PathBuf,
        /// What it printed.
        output: String,
    },
    /// This process's terminal could not be used.
    #[error("can't use the terminal")]
    Terminal(#[source] io::Error),
    /// The guest's root shell failed.
    #[error("root shell")]
    #[non_exhaustive]
    Shell {
        /// What went wrong.
        source: backdoor_shell::Error,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// One of QEMU's monitors failed.
    #[error("{doing}")]
    Monitor {
        /// The operation.
        doing: String,
        /// What went wrong.
        source: qmp_mon::Error,
    },
    /// The human monitor's reply says that a command failed.
    #[error("monitor command `{command}` failed: {}", reply.trim_end())]
    MonitorCommandFailed {
        /// The command.
        command: String,
        /// The whole reply.
        reply: String,
    },
    /// The serial console failed.
    #[error(transparent)]
    Console(#[from] serial_log::Error),
    /// An error of the test itself, made by [`Error::other`](crate::Error::other).
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// A screenshot could not be written.
    #[cfg(feature = "screen")]
    #[error("can't make the screenshot {}", path.display())]
    Screenshot {
        /// Its path.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// QEMU's dump of the screen could not be read.
    #[cfg(feature = "screen")]
    #[error("can't read QEMU's dump of the screen")]
    ScreenDump(#[source] io::Error),
    /// The machine has no absolute pointing device that the guest uses.
    #[cfg(feature = "screen")]
    #[error(
        "the pointer can't be moved: the machine has no tablet, or the guest no driver \
         for it; give it `-device virtio-tablet-pci`"
    )]
    Pointer,
    /// The text on the screen could not be read.
    #[cfg(feature = "screen")]
    #[error("can't read the screen")]
    Ocr(#[from] ocr::ReadError),
}
