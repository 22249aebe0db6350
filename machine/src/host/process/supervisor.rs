//! The supervisor: a process that outlives us just long enough to clean up.
//!
//! The spawned child forks once more. The grandchild becomes the start command;
//! the child stays as its supervisor: a *subreaper*, to which whatever the
//! command spawns falls back even if it detaches itself (prctl(2)). It waits
//! for the command to end, or for the lifeline to us to close, then kills all
//! that is left and ends as the command did.
//!
//! Everything here runs between `fork` and `exec` in a process that may have
//! had other threads: only async-signal-safe calls, no allocation, no locks
//! (signal-safety(7)). `fork` itself is one in glibc and musl, whatever
//! POSIX.1-2024 says.

use std::io;
use std::os::fd::RawFd;
use std::ptr::null_mut;

use libc::{c_int, pid_t};
use tokio::process::Command;

/// The supervisor's only two descriptors: the socket to us, and a signalfd.
const LIFELINE: RawFd = 0;
const CHILD_SIGNALS: RawFd = 1;

/// Makes `command`, when spawned, put a supervisor between us and it, which
/// writes the command's pid to `lifeline` and kills it when that closes.
pub(super) fn stand_between(command: &mut Command, lifeline: RawFd) {
    let fork_supervisor = move || {
        // SAFETY: plain system calls; we are between fork and exec.
        unsafe {
            // Ctrl-C at our terminal is ours to handle: neither the supervisor
            // nor QEMU is in the terminal's foreground group.
            libc::setpgid(0, 0);
            // Before there is anybody to fall back to us, or to end.
            libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            match libc::fork() {
                -1 => Err(io::Error::last_os_error()),
                0 => {
                    libc::setpgid(0, 0);
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    Ok(())
                }
                command => supervise(command, lifeline),
            }
        }
    };
    // SAFETY: the closure makes async-signal-safe calls only.
    unsafe { command.pre_exec(fork_supervisor) };
}

/// The rest of the supervisor's life.
fn supervise(command: pid_t, lifeline: RawFd) -> ! {
    // SAFETY: the name is a C string.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"vm-supervisor".as_ptr()) };
    keep_two_descriptors(lifeline, block_signals());
    let pid = command.to_ne_bytes();
    // SAFETY: the buffer is as long as is said.
    unsafe { libc::write(LIFELINE, pid.as_ptr().cast(), pid.len()) };

    let ended = loop {
        if let Some(status) = reap(command) {
            break Some(status);
        }
        if lifeline_closed() {
            break None;
        }
    };
    let buried = bury_all(command);
    end_like(ended.or(buried).unwrap_or(libc::SIGKILL))
}

/// Only SIGKILL ends a supervisor; gives a descriptor that tells of children.
fn block_signals() -> RawFd {
    // SAFETY: sigfillset and sigemptyset initialise the sets.
    unsafe {
        let mut signals = std::mem::zeroed();
        libc::sigfillset(&raw mut signals);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const signals, null_mut());
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGCHLD);
        libc::signalfd(-1, &raw const signals, libc::SFD_NONBLOCK)
    }
}

/// The standard streams are the command's, and the lifelines of other machines
/// must close when their owners drop them: all but our two are closed.
fn keep_two_descriptors(lifeline: RawFd, child_signals: RawFd) {
    // SAFETY: plain system calls. Both numbers are above 2, which are taken.
    unsafe {
        libc::dup2(lifeline, LIFELINE);
        libc::dup2(child_signals, CHILD_SIGNALS);
        libc::syscall(libc::SYS_close_range, 2, libc::c_uint::MAX, 0);
    }
}

/// Sleeps until a child has ended or the lifeline has closed; whether it has.
fn lifeline_closed() -> bool {
    let mut fds = [LIFELINE, CHILD_SIGNALS].map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    let mut news = [0_u8; size_of::<libc::signalfd_siginfo>()];
    // SAFETY: both buffers are as long as is said.
    unsafe {
        libc::poll(fds.as_mut_ptr(), 2, -1);
        libc::read(CHILD_SIGNALS, news.as_mut_ptr().cast(), news.len());
    }
    fds[0].revents != 0
}

/// Buries the children that have ended; the command's status if it is one.
fn reap(command: pid_t) -> Option<c_int> {
    loop {
        let mut status = 0;
        // SAFETY: the status lives during the call.
        match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
            -1 | 0 => return None,
            pid if pid == command => return Some(status),
            _ => {}
        }
    }
}

/// Kills and buries all that is left; the command's status if it was among it.
fn bury_all(command: pid_t) -> Option<c_int> {
    let mut commands_status = None;
    // The command's group first, at one blow.
    // SAFETY: plain system call.
    unsafe { libc::kill(-command, libc::SIGKILL) };
    loop {
        // Then those that left it: they turn up here as their parents die.
        let whom = if kill_children() { -1 } else { command };
        let mut status = 0;
        // SAFETY: the status lives during the call.
        match unsafe { libc::waitpid(whom, &raw mut status, 0) } {
            -1 => return commands_status,
            pid if pid == command => commands_status = Some(status),
            _ => {}
        }
    }
}

/// Kills every child this process has (proc(5), `/proc/PID/task/TID/children`);
/// whether it could find out, for which the kernel must have
/// `CONFIG_PROC_CHILDREN`.
fn kill_children() -> bool {
    let mut list = [0_u8; 4096];
    // SAFETY: the path is a C string, the buffer as long as is said.
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

/// Ends as the command did, so that our parent sees its exit status.
fn end_like(status: c_int) -> ! {
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
