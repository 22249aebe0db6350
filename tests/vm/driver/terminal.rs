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

/// The driver at a prompt, on a terminal of its own, and who sits there.
struct Person {
    /// Their keyboard and screen.
    there: File,
    /// The driver's end.
    terminal: File,
    driver: Child,
    seen: String,
}

impl Person {
    fn at(run: &Run) -> Self {
        let there = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&there).unwrap();
        unlockpt(&there).unwrap();
        let path = ptsname(&there, Vec::new()).unwrap();
        let terminal = File::options()
            .read(true)
            .write(true)
            .custom_flags(OpenptFlags::NOCTTY.bits().cast_signed())
            .open(Path::new(path.to_str().unwrap()))
            .unwrap();
        let size = Winsize {
            ws_row: 33,
            ws_col: 99,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).unwrap();
        let end = || Stdio::from(terminal.try_clone().unwrap());
        let driver = run.command();
        // As a login does it: Ctrl-C and job control are for who has the terminal.
        let driver = Command::new("setsid")
            .arg("--ctty")
            .arg(driver.get_program())
            .args(driver.get_args())
            .arg("--interactive")
            .env("TMPDIR", run.out())
            .env("XDG_STATE_HOME", run.out())
            .env("TERM", "vt102")
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let mut person = Self {
            there: there.into(),
            terminal,
            driver,
            seen: String::new(),
        };
        person.sees(">>> ");
        person.types("import termios; before = termios.tcgetattr(0)\r");
        person.sees(">>> ");
        person
    }

    fn types(&mut self, text: &str) {
        self.there.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for it to come; what was before it does not count any more.
    fn sees(&mut self, text: &str) {
        let mut buffer = [0; 1024];
        let end = loop {
            if let Some(at) = self.seen.find(text) {
                break at + text.len();
            }
            let limit = scaled(SOON).try_into().unwrap();
            let more = poll(&mut [PollFd::new(&self.there, PollFlags::IN)], Some(&limit));
            assert_eq!(more, Ok(1), "no {text:?} in {:?}", self.seen);
            let read = self.there.read(&mut buffer).unwrap();
            self.seen += &String::from_utf8_lossy(&buffer[..read]);
        };
        self.seen.drain(..end);
    }

    /// Starts a session, which is left by Ctrl-], and says how the terminal is then.
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

    /// In raw mode, what is typed is for the guest: Ctrl-C as well.
    fn is_raw(&self) -> bool {
        let modes = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        !self.mode().local_modes.intersects(modes)
    }

    fn is_normal(&self) -> bool {
        let modes = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        self.mode().local_modes.contains(modes)
    }

    /// Signals the driver, and waits for its end.
    fn signals(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.driver), signal).unwrap();
        self.driver.wait().unwrap()
    }
}

#[test]
fn sessions_restore_the_terminal() {
    let run = Run::new(&[("machine", "minimal")]);
    let mut person = Person::at(&run);
    person.begins("shell_interact");
    person.types("stty size; echo $TERM; echo $((6 * 7)) is seen\r");
    person.sees("33 99\r\n");
    person.sees("vt102\r\n");
    person.sees("42 is seen\r\n");
    assert!(person.is_raw());
    // Ctrl-C is the guest's.
    person.types("sh -c 'echo it $((2 * 4)) runs; sleep 1000; :'\r");
    person.sees("it 8 runs\r\n");
    person.types("\x03");
    person.types("echo and $((3 * 3)) more\r");
    person.sees("and 9 more\r\n");
    person.leaves();

    person.begins("console_interact");
    person.types("echo $((7 * 7)) is shown\r");
    person.sees("49 is shown\r\n");
    assert!(person.is_raw());
    person.leaves();

    person.types("\x04");
    assert!(person.driver.wait().unwrap().success());
    assert!(person.is_normal());
}

#[test]
fn a_terminated_driver_restores_the_terminal() {
    let run = Run::new(&[("machine", "minimal")]);
    let mut person = Person::at(&run);
    person.begins("shell_interact");
    person.types("echo $((6 * 7)) is seen\r");
    person.sees("42 is seen\r\n");
    assert!(person.is_raw());
    assert_eq!(person.signals(Signal::TERM).code(), Some(143));
    assert!(person.is_normal());
}

#[test]
fn a_killed_driver_restores_the_terminal() {
    let run = Run::new(&[("machine", "minimal")]);
    let mut person = Person::at(&run);
    person.types("machine.connect()\r");
    person.sees(">>> ");
    person.begins("console_interact");
    person.types("echo $((6 * 7)) is seen\r");
    person.sees("42 is seen\r\n");
    assert!(person.is_raw());
    let guard = guard(person.driver.id());
    assert_eq!(person.signals(Signal::KILL).code(), None);
    wait_until_gone(guard);
    assert!(person.is_normal());
}

/// The process that restores the driver's terminal when nobody else does.
fn guard(driver: u32) -> u32 {
    let children = fs::read_dir(format!("/proc/{driver}/task")).unwrap();
    let children =
        children.map(|thread| fs::read_to_string(thread.unwrap().path().join("children")));
    // A thread may have ended meanwhile.
    let children: String = children.filter_map(Result::ok).collect();
    let is_guard = |pid: &&str| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.contains("stty")
    };
    let guard = children.split_whitespace().find(is_guard).unwrap();
    guard.parse().unwrap()
}
