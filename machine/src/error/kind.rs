//! What can go wrong.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use backdoor_shell::Exit;

use super::text::{Ended, Ending, Lines};
use crate::guest::console_watch::Trouble;
use crate::unit::Unit;

/// What went wrong. Console lines and output are made safe to print: control
/// characters in them are escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The machine's name can't be part of a file name.
    #[error(
        "{name:?} can't name a machine: a name is not empty, begins with no dot and has no `/`"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The start script is not there.
    #[error("can't find the start script {}: {source}", path.display())]
    StartScript {
        /// Where it should be.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The start script is no program.
    #[error("the start script {} is not an executable file (chmod +x?)", path.display())]
    NotExecutable {
        /// Where it is.
        path: PathBuf,
    },
    /// The start command could not be run.
    #[error("can't run the start command {}: {source}", program.display())]
    Spawn {
        /// The program that was to run.
        program: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The machine's directories could not be made or used.
    #[error("can't use {} for the machine's state: {source}", path.display())]
    StateDir {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Another driver, or another machine of this one, uses the state directory.
    #[error("{} is in use by another machine of this name", path.display())]
    StateDirInUse {
        /// The state directory.
        path: PathBuf,
    },
    /// The operating system can't name so long a socket.
    #[error(
        "the path of a socket would have {length} bytes, and {limit} is the most: {}; \
         choose a shorter directory or machine name",
        path.display()
    )]
    SocketPathTooLong {
        /// The socket.
        path: PathBuf,
        /// How long its path is, in bytes.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The machine was not started, or has been shut down.
    #[error("{doing}: the machine is not running; start it first")]
    NotRunning {
        /// What was to be done.
        doing: String,
    },
    /// QEMU runs, but does not connect to its driver.
    #[error(
        "QEMU did not connect to its monitors and shell within {waited:?}: does the start \
         command pass its arguments on?{}",
        Lines("its standard error", stderr)
    )]
    NoConnection {
        /// How long was waited.
        waited: Duration,
        /// The last lines of its standard error.
        stderr: Vec<String>,
    },
    /// QEMU, or its start command, ended under the operation.
    #[error(
        "{doing}: QEMU has ended ({status}){}{}",
        Lines("its standard error", stderr),
        Lines("last console lines", console)
    )]
    Exited {
        /// What was under way.
        doing: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its standard error.
        stderr: Vec<String>,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// The guest has come to its end under the operation: its kernel has panicked, or
    /// QEMU has stopped it, say.
    #[error(
        "{doing}: {trouble}{}{}",
        Ended(status),
        Lines("last console lines", console)
    )]
    GuestEnded {
        /// What was under way.
        doing: String,
        /// What ended it.
        trouble: Trouble,
        /// How QEMU ended, if it has.
        status: Option<ExitStatus>,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// A command that should have succeeded failed.
    #[error("command `{command}` failed ({}){}", Ending(*exit), Lines("its output", output))]
    CommandFailed {
        /// The command.
        command: String,
        /// How it ended.
        exit: Exit,
        /// The last lines of its output.
        output: Vec<String>,
    },
    /// A command that should have failed succeeded.
    #[error(
        "command `{command}` unexpectedly succeeded{}",
        Lines("its output", output)
    )]
    CommandSucceeded {
        /// The command.
        command: String,
        /// The last lines of its output.
        output: Vec<String>,
    },
    /// What was waited for did not happen in time.
    #[error(
        "waited {waited:?} for {what}, and looked {looks} times; last seen: {last_seen}{}",
        Lines("last console lines", console)
    )]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long was waited.
        waited: Duration,
        /// How many times was looked.
        looks: u32,
        /// What the last look saw.
        last_seen: String,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// An argument that can't be right.
    #[error("{doing}: {reason}")]
    BadArgument {
        /// What was to be done.
        doing: String,
        /// What is wrong with the argument.
        reason: String,
    },
    /// A condition that was to hold all the time does not.
    #[error("the condition \"{condition}\" does not hold any more")]
    Condition {
        /// What was to hold.
        condition: String,
    },
    /// systemd could not be asked.
    #[error(
        "`systemctl {query}` failed ({}){}",
        Ending(*exit),
        Lines("its output", output)
    )]
    Systemctl {
        /// What it was asked: its arguments.
        query: String,
        /// How it ended.
        exit: Exit,
        /// The last lines of its output and standard error.
        output: Vec<String>,
    },
    /// A unit is not in the wanted state, and will not get there by itself.
    #[error("unit {unit} is {state}, not {wanted}")]
    UnitState {
        /// The unit.
        unit: Unit,
        /// What it is, and why it will stay so.
        state: String,
        /// What it should be.
        wanted: String,
    },
    /// A file of the host's could not be read or written.
    #[error("can't copy the host's {}: {source}", path.display())]
    HostFile {
        /// Its path.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A file could not be copied in the guest.
    #[error("can't copy {from} to {to} in the guest{}", Lines("cp says", output))]
    GuestCopy {
        /// What was to be copied.
        from: String,
        /// Where to.
        to: String,
        /// What the guest's programs say.
        output: Vec<String>,
    },
    /// The guest has not got the directory that it should share with the host.
    #[error(
        "the host's directory can't be shared with the guest at /tmp/shared; does its kernel \
         know 9p, and has the machine `-virtfs …,mount_tag=shared`? \
         (`copy_from_host_via_shell` does without){}",
        Lines("mount says", output)
    )]
    Share {
        /// What the guest's programs say.
        output: Vec<String>,
    },
    /// A machine of this kind can't be saved, so that there are no clones of it.
    #[error("it can't be saved: {reason}")]
    NotSavable {
        /// Why.
        reason: String,
    },
    /// A template could not be made, or used.
    #[error("{doing}: {reason}")]
    Template {
        /// What was being done.
        doing: String,
        /// What is wrong.
        reason: String,
    },
    /// A snapshot could not be taken, or gone back to.
    #[error("{doing}: {reason}")]
    Snapshot {
        /// What was being done.
        doing: String,
        /// What is wrong.
        reason: String,
    },
    /// A network's switch does not start.
    #[error(
        "vde_switch does not start in {}: {}",
        socket_dir.display(),
        if said.is_empty() { "it says nothing" } else { said }
    )]
    Vlan {
        /// Where its socket was to be.
        socket_dir: PathBuf,
        /// What it says.
        said: String,
    },
    /// This process's terminal could not be used.
    #[error("can't use the terminal: {0}")]
    Terminal(io::Error),
    /// The guest's root shell.
    #[error("{source}{}", Lines("last console lines", console))]
    Shell {
        /// What went wrong with it.
        source: backdoor_shell::Error,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// One of QEMU's monitors.
    #[error("{doing}: {source}")]
    Monitor {
        /// What was under way.
        doing: String,
        /// What went wrong with it.
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
    /// The serial console.
    #[error(transparent)]
    Console(#[from] serial_log::Error),
    /// A picture of the screen could not be taken.
    #[cfg(feature = "ocr")]
    #[error("can't make the screenshot {}: {reason}", path.display())]
    Screenshot {
        /// Where it was to be.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// There is nothing that could put the pointer somewhere.
    #[cfg(feature = "ocr")]
    #[error(
        "the pointer can't be put anywhere: the machine has no tablet, or the guest no driver \
         for it; give it `-device virtio-tablet-pci`"
    )]
    Pointer,
    /// The text on the screen could not be read.
    #[cfg(feature = "ocr")]
    #[error("can't read the screen: {0}")]
    Ocr(#[from] ocr::ReadError),
}
