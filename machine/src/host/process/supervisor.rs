//! The supervisor: a process that outlives this one and kills what it has started.
//!
//! The spawned child forks once more. The grandchild executes the start command. The child
//! becomes its supervisor and a *subreaper* (prctl(2)): it is the new parent of every orphan
//! among the command's descendants, including daemons. It waits until the command ends or
//! the lifeline to this process closes, kills all descendants and exits with the command's
//! status.
//!
//! All of this runs between `fork` and `exec` in a process that may have had other threads:
//! only async-signal-safe calls, no allocation, no locks (signal-safety(7)). `fork` itself
//! is async-signal-safe in glibc and musl, although POSIX.1-2024 does not require it.

use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::ptr::{null, null_mut};

use libc::{c_int, pid_t};
use tokio::process::Command;

use super::{Mount, Session};

/// The supervisor's only two descriptors: the socket to its parent, and a signalfd.
const LIFELINE: RawFd = 0;
const CHILD_SIGNALS: RawFd = 1;

/// Has `command` spawned under a supervisor, which writes the command's pid to `lifeline`
/// and kills the command when that closes.
pub(super) fn supervise(command: &mut Command, lifeline: RawFd, session: Session) {
    let fork_supervisor = move || {
        // SAFETY: plain system calls, between fork and exec.
        unsafe {
            // Ctrl-C in the terminal must not reach the supervisor or QEMU: the parent
            // handles it.
            libc::setpgid(0, 0);
            // Before the command can end or create orphans.
            libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            // Before the fork, because `spawn` can still report an error.
            let child_signals = child_signals()?;
            match libc::fork() {
                -1 => Err(io::Error::last_os_error()),
                0 => {
                    if session == Session::New {
                        libc::setsid();
                    } else {
                        libc::setpgid(0, 0);
                    }
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    Ok(())
                }
                command => run(command, lifeline, child_signals, session),
            }
        }
    };
    // SAFETY: the closure makes async-signal-safe calls only.
    unsafe { command.pre_exec(fork_supervisor) };
}

/// Has `command`, whose supervisor was set before, spawned in a mount namespace with `mounts`.
pub(super) fn mount(command: &mut Command, mounts: Vec<Mount>) {
    /// As in `linux/mount.h`.
    const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 4;
    if mounts.is_empty() {
        return;
    }
    let attach = move || {
        let check = |result: libc::c_long| match result {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        };
        // SAFETY: plain system calls, between fork and exec. The paths are C strings.
        unsafe {
            check(libc::unshare(libc::CLONE_NEWNS).into())?;
            let private = libc::MS_REC | libc::MS_PRIVATE;
            let root = c"/".as_ptr();
            check(libc::mount(null(), root, null(), private, null()).into())?;
            for Mount { tree, target } in &mounts {
                check(libc::syscall(
                    libc::SYS_move_mount,
                    tree.as_raw_fd(),
                    c"".as_ptr(),
                    libc::AT_FDCWD,
                    target.as_ptr(),
                    MOVE_MOUNT_F_EMPTY_PATH,
                ))?;
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes async-signal-safe calls only.
    unsafe { command.pre_exec(attach) };
}

/// Supervises the command until its end.
fn run(command: pid_t, lifeline: RawFd, child_signals: RawFd, session: Session) -> ! {
    // SAFETY: the name is a C string.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"vm-supervisor".as_ptr()) };
    block_signals();
    keep_two_descriptors(lifeline, child_signals);
    let pid = command.to_ne_bytes();
    // SAFETY: the length is the buffer's.
    unsafe { libc::write(LIFELINE, pid.as_ptr().cast(), pid.len()) };

    let ended = loop {
        if let Some(status) = reap(command, session) {
            break Some(status);
        }
        if lifeline_closed() {
            break None;
        }
    };
    let killed = kill_all(command);
    exit_with(ended.or(killed).unwrap_or(libc::SIGKILL))
}

/// A descriptor that becomes readable when a child ends.
fn child_signals() -> io::Result<RawFd> {
    // SAFETY: sigemptyset initialises the set.
    let descriptor = unsafe {
        let mut signals = std::mem::zeroed();
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGCHLD);
        libc::signalfd(
            -1,
            &raw const signals,
            libc::SFD_NONBLOCK | libc::SFD_CLOEXEC,
        )
    };
    match descriptor {
        -1 => Err(io::Error::last_os_error()),
        descriptor => Ok(descriptor),
    }
}

/// Only SIGKILL ends a supervisor.
fn block_signals() {
    // SAFETY: sigfillset initialises the set.
    unsafe {
        let mut signals = std::mem::zeroed();
        libc::sigfillset(&raw mut signals);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const signals, null_mut());
    }
}

/// Closes all other descriptors: the standard streams belong to the command, and the
/// lifelines of other machines must close when their owners drop them.
fn keep_two_descriptors(lifeline: RawFd, child_signals: RawFd) {
    // SAFETY: plain system calls. Both numbers are above 2: the standard streams are open.
    let is_closed = unsafe {
        libc::dup2(lifeline, LIFELINE);
        libc::dup2(child_signals, CHILD_SIGNALS);
        libc::syscall(libc::SYS_close_range, 2, libc::c_uint::MAX, 0) == 0
    };
    if !is_closed {
        close_from(2);
    }
}

/// Closes the descriptors from `first` on one by one, for kernels before 5.9 and seccomp
/// filters that do not know `close_range`.
fn close_from(first: RawFd) {
    /// The limit of open files may be so high that trying all numbers takes minutes.
    /// Numbers are assigned from the lowest, so these are enough.
    const MAX: libc::rlim_t = 1 << 16;
    let mut limit = libc::rlimit {
        rlim_cur: MAX,
        rlim_max: MAX,
    };
    // SAFETY: the limit lives during the call.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let end = RawFd::try_from(limit.rlim_cur.min(MAX)).unwrap_or(RawFd::MAX);
    for descriptor in first..end {
        // SAFETY: nothing in this process uses the descriptor any more.
        unsafe { libc::close(descriptor) };
    }
}

/// Waits until a child ends or the lifeline closes, and returns whether the lifeline is
/// closed.
fn lifeline_closed() -> bool {
    let mut fds = [LIFELINE, CHILD_SIGNALS].map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    let mut signal = [0_u8; size_of::<libc::signalfd_siginfo>()];
    // SAFETY: the lengths are the buffers'.
    unsafe {
        libc::poll(fds.as_mut_ptr(), 2, -1);
        libc::read(CHILD_SIGNALS, signal.as_mut_ptr().cast(), signal.len());
    }
    fds[0].revents != 0
}

/// Reaps the children that have ended, and returns the command's status if it is one of them.
///
/// A command in a session of its own is not stopped by a person. `nsenter` stops itself when a
/// container that powers off stops all its processes, and would never reap its own.
fn reap(command: pid_t, session: Session) -> Option<c_int> {
    let stopped = match session {
        Session::Inherited => 0,
        Session::New => libc::WUNTRACED,
    };
    loop {
        let mut status = 0;
        // SAFETY: the status lives during the call.
        match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | stopped) } {
            -1 | 0 => return None,
            // SAFETY: plain system call.
            pid if libc::WIFSTOPPED(status) => unsafe {
                libc::kill(pid, libc::SIGCONT);
            },
            pid if pid == command => return Some(status),
            _ => {}
        }
    }
}

/// Kills and reaps all descendants, and returns the command's status if it is one of them.
fn kill_all(command: pid_t) -> Option<c_int> {
    let mut command_status = None;
    // The command's process group first, all at once.
    // SAFETY: plain system call.
    unsafe { libc::kill(-command, libc::SIGKILL) };
    loop {
        // Then those in other groups, which become children as their parents die.
        let target = if kill_children() { -1 } else { command };
        let mut status = 0;
        // SAFETY: the status lives during the call.
        match unsafe { libc::waitpid(target, &raw mut status, 0) } {
            -1 => return command_status,
            pid if pid == command => command_status = Some(status),
            _ => {}
        }
    }
}

/// Kills all children of this process (proc(5), `/proc/PID/task/TID/children`). Returns
/// false if the kernel does not list them, without `CONFIG_PROC_CHILDREN`.
fn kill_children() -> bool {
    let mut list = [0_u8; 4096];
    // SAFETY: the path is a C string, the length is the buffer's.
    let length = unsafe {
        let file = libc::open(c"/proc/thread-self/children".as_ptr(), libc::O_RDONLY);
        let length = libc::read(file, list.as_mut_ptr().cast(), list.len());
        libc::close(file);
        length
    };
    let Ok(length) = usize::try_from(length) else {
        return false;
    };
    let mut pid: pid_t = 0;
    for &byte in &list[..length] {
        if byte.is_ascii_digit() {
            pid = pid * 10 + pid_t::from(byte - b'0');
        } else if pid > 0 {
            // SAFETY: plain system call.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            pid = 0;
        }
    }
    true
}

/// Ends with the command's exit status or signal, for the parent to see.
fn exit_with(status: c_int) -> ! {
    // SAFETY: plain system calls; sigfillset initialises the set.
    unsafe {
        if libc::WIFEXITED(status) {
            libc::_exit(libc::WEXITSTATUS(status));
        }
        let signal = libc::WTERMSIG(status);
        let no_core = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core);
        libc::signal(signal, libc::SIG_DFL);
        let mut signals = std::mem::zeroed();
        libc::sigfillset(&raw mut signals);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const signals, null_mut());
        libc::kill(libc::getpid(), signal);
        libc::_exit(128 + signal)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use super::*;

    /// A child process executes `true` only if the descriptor is closed.
    #[test]
    fn descriptors_can_be_closed_one_by_one() {
        let file = File::open("/dev/null").unwrap();
        let descriptor = file.as_raw_fd();
        let close_all = move || {
            close_from(3);
            // SAFETY: plain system calls.
            unsafe {
                if libc::fcntl(descriptor, libc::F_GETFD) != -1 {
                    libc::_exit(1);
                }
            }
            Ok(())
        };
        let mut command = Command::new("true");
        // SAFETY: the closure makes async-signal-safe calls only.
        unsafe { command.pre_exec(close_all) };
        assert!(command.status().unwrap().success());
    }
}
