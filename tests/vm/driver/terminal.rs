use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};
use vm_tests::{SOON, scaled, wait_until_gone};

use super::Run;

/// The user of a program in a pseudoterminal of its own.
pub(crate) struct User {
    /// The controlling side: writes are keystrokes, reads are output.
    controller: File,
    /// The program's side.
    terminal: File,
    program: Child,
    /// Output after the last match.
    seen: String,
}

impl User {
    /// The user of a driver at its prompt.
    fn at(run: &Run) -> Self {
        let mut driver = run.command();
        driver
            .arg("--interactive")
            .env("TMPDIR", run.out())
            .env("XDG_STATE_HOME", run.out())
            .env_remove("XDG_RUNTIME_DIR");
        let mut user = Self::of(&driver);
        user.sees(">>> ");
        user.types("import termios; before = termios.tcgetattr(0)\r");
        user.sees(">>> ");
        user
    }

    /// The user of a program, on a terminal of 33 rows and 99 columns.
    pub(crate) fn of(command: &Command) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let path = ptsname(&controller, Vec::new()).unwrap();
        let terminal = File::options()
            .read(true)
            .write(true)
            .custom_flags(OpenptFlags::NOCTTY.bits().cast_signed())
            .open(Path::new(path.to_str().unwrap()))
            .unwrap();
        resize(&terminal, 33, 99);
        let end = || Stdio::from(terminal.try_clone().unwrap());
        // Like a login: Ctrl-C and job control need a controlling terminal.
        let mut setsid = Command::new("setsid");
        setsid
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args())
            .env("TERM", "vt102");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => setsid.env(name, value),
                None => setsid.env_remove(name),
            };
        }
        let program = setsid.stdin(end()).stdout(end()).stderr(end()).spawn();
        Self {
            controller: controller.into(),
            terminal,
            program: program.unwrap(),
            seen: String::new(),
        }
    }

    /// The exit status of the program, once it has ended.
    pub(crate) fn exit_code(mut self) -> Option<i32> {
        self.program.wait().unwrap().code()
    }

    pub(crate) fn resizes(&self, rows: u16, columns: u16) {
        resize(&self.terminal, rows, columns);
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.controller.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until a text appears after the last match.
    pub(crate) fn sees(&mut self, text: &str) {
        let mut buffer = [0; 1024];
        let end = loop {
            if let Some(at) = self.seen.find(text) {
                break at + text.len();
            }
            let limit = scaled(SOON).try_into().unwrap();
            let ready = poll(
                &mut [PollFd::new(&self.controller, PollFlags::IN)],
                Some(&limit),
            );
            assert_eq!(ready, Ok(1), "no {text:?} in {:?}", self.seen);
            let read = self.controller.read(&mut buffer).unwrap();
            self.seen += &String::from_utf8_lossy(&buffer[..read]);
        };
        self.seen.drain(..end);
    }

    /// Starts a session; after it, the driver prints whether the terminal is as before.
    fn begins(&mut self, session: &str) {
        self.types(&format!(
            "machine.{session}(); print('as', 'before:', termios.tcgetattr(0) == before)\r"
        ));
        self.sees("Terminal is ready");
    }

    fn leaves(&mut self) {
        self.types("\x1d");
        self.sees("as before: True");
        self.sees(">>> ");
    }

    fn mode(&self) -> Termios {
        tcgetattr(&self.terminal).unwrap()
    }

    /// In raw mode, the guest gets all keystrokes, including Ctrl-C.
    fn is_raw(&self) -> bool {
        let modes = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        !self.mode().local_modes.intersects(modes)
    }

    fn is_normal(&self) -> bool {
        let modes = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        self.mode().local_modes.contains(modes)
    }

    /// Sends the driver a signal and waits until it ends.
    fn signals(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.program), signal).unwrap();
        self.program.wait().unwrap()
    }
}

fn resize(terminal: &File, rows: u16, columns: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).unwrap();
}

#[test]
fn sessions_restore_the_terminal() {
    let run = Run::new(&[("machine", "minimal")]);
    let mut user = User::at(&run);
    user.begins("shell_interact");
    user.types("stty size; echo $TERM; echo $((6 * 7)) is seen\r");
    user.sees("33 99\r\n");
    user.sees("vt102\r\n");
    user.sees("42 is seen\r\n");
    assert!(user.is_raw());
    // The guest gets Ctrl-C.
    user.types("sh -c 'echo it $((2 * 4)) runs; sleep 1000; :'\r");
    user.sees("it 8 runs\r\n");
    user.types("\x03");
    user.types("echo and $((3 * 3)) more\r");
    user.sees("and 9 more\r\n");
    user.leaves();

    user.begins("console_interact");
    user.types("echo $((7 * 7)) is shown\r");
    user.sees("49 is shown\r\n");
    assert!(user.is_raw());
    user.leaves();

    user.types("\x04");
    assert!(user.program.wait().unwrap().success());
    assert!(user.is_normal());
}

#[test]
fn a_terminated_driver_restores_the_terminal() {
    let run = Run::new(&[("machine", "minimal")]);
    let mut user = User::at(&run);
    user.begins("shell_interact");
    user.types("echo $((6 * 7)) is seen\r");
    user.sees("42 is seen\r\n");
    assert!(user.is_raw());
    assert_eq!(user.signals(Signal::TERM).code(), Some(143));
    assert!(user.is_normal());
}

#[test]
fn a_killed_driver_restores_the_terminal() {
    let run = Run::new(&[("machine", "minimal")]);
    let mut user = User::at(&run);
    user.types("machine.connect()\r");
    user.sees(">>> ");
    user.begins("console_interact");
    user.types("echo $((6 * 7)) is seen\r");
    user.sees("42 is seen\r\n");
    assert!(user.is_raw());
    let restorer = terminal_restorer(user.program.id());
    assert_eq!(user.signals(Signal::KILL).code(), None);
    wait_until_gone(restorer);
    assert!(user.is_normal());
}

/// The PID of the child that restores the terminal if the driver is killed.
fn terminal_restorer(driver: u32) -> u32 {
    let children = fs::read_dir(format!("/proc/{driver}/task")).unwrap();
    let children =
        children.map(|thread| fs::read_to_string(thread.unwrap().path().join("children")));
    // Threads may end meanwhile.
    let children: String = children.filter_map(Result::ok).collect();
    let is_restorer = |pid: &&str| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.contains("stty")
    };
    let restorer = children.split_whitespace().find(is_restorer).unwrap();
    restorer.parse().unwrap()
}
