//! The first process of a container.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::host::process::{CommandSpec, find_in_path};

/// A kind of namespaces: its file in `/proc/PID/ns` and the option of `nsenter`.
type Kind = (&'static str, &'static str);

const NETWORK: Kind = ("net", "--net");

/// All kinds.
const KINDS: [Kind; 7] = [
    ("user", "--user"),
    ("mnt", "--mount"),
    ("uts", "--uts"),
    ("ipc", "--ipc"),
    NETWORK,
    ("pid", "--pid"),
    ("cgroup", "--cgroup"),
];

/// The first process of a container, in whose namespaces commands can be run.
///
/// These are never the namespaces of a process that gets its id later: a command that is meant
/// for a container can't run on the host.
#[derive(Debug)]
pub(crate) struct Leader {
    /// `/proc/PID`, which has no more namespaces once the process has ended.
    directory: OwnedFd,
    process: OwnedFd,
}

impl Leader {
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open(format!("/proc/{pid}"), flags, Mode::empty())?;
        let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let id = id.ok_or(io::ErrorKind::InvalidInput)?;
        let process = pidfd_open(id, PidfdFlags::empty())?;
        Ok(Self { directory, process })
    }

    /// Whether it has not ended.
    pub(crate) fn is_alive(&self) -> bool {
        fs::read_link(self.file("pid")).is_ok()
    }

    /// Whether it has process ids of its own, unlike the host's processes.
    pub(crate) fn is_in_container(&self) -> bool {
        self.is_alive() && self.differs("pid")
    }

    /// Whether its users are those of this process's user namespace.
    pub(crate) fn has_same_users(&self) -> bool {
        !self.differs("user")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.process, signal)?)
    }

    /// Runs a command in the network namespace alone, so that it has the host's files.
    pub(crate) fn in_network(&self, command: CommandSpec) -> CommandSpec {
        self.enter(&[NETWORK], command)
    }

    /// Runs a command in all namespaces.
    pub(crate) fn inside(&self, command: CommandSpec) -> CommandSpec {
        self.enter(&KINDS, command)
    }

    fn enter(&self, kinds: &[Kind], command: CommandSpec) -> CommandSpec {
        // The own user namespace can't be entered.
        let others = kinds.iter().filter(|(file, _)| self.differs(file));
        let options = others.map(|(file, option)| {
            let mut option = OsString::from(format!("{option}="));
            option.push(self.file(file));
            option
        });
        let mut args: Vec<OsString> = options.collect();
        args.extend(["--".into(), command.program]);
        args.extend(command.args);
        let program = find_in_path("nsenter").unwrap_or_else(|| "nsenter".into());
        CommandSpec {
            program: program.into(),
            args,
        }
    }

    fn differs(&self, kind: &str) -> bool {
        let own = fs::read_link(format!("/proc/self/ns/{kind}"));
        match (own, fs::read_link(self.file(kind))) {
            (Ok(own), Ok(other)) => own != other,
            // `nsenter` will report what is wrong.
            _ => true,
        }
    }

    /// The path of a namespace, for this process and those that it starts.
    fn file(&self, kind: &str) -> PathBuf {
        let (this, directory) = (process::id(), self.directory.as_raw_fd());
        format!("/proc/{this}/fd/{directory}/ns/{kind}").into()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_of_the_host_is_in_no_container() {
        let this = Leader::of(process::id()).unwrap();
        assert!(this.is_alive() && !this.is_in_container() && this.has_same_users());
        assert!(Leader::of(u32::MAX).is_err());
    }

    #[test]
    fn a_process_that_has_ended_has_no_namespaces() {
        let mut child = Command::new("sleep").arg("9").spawn().unwrap();
        let leader = Leader::of(child.id()).unwrap();
        leader.signal(Signal::KILL).unwrap();
        child.wait().unwrap();
        assert!(!leader.is_alive() && !leader.is_in_container());
        assert!(leader.signal(Signal::KILL).is_err());
        let spec = leader.in_network(CommandSpec {
            program: "true".into(),
            args: Vec::new(),
        });
        let entered = Command::new(spec.program).args(spec.args).output().unwrap();
        assert!(!entered.status.success());
    }
}
