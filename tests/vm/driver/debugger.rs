use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use super::Run;

/// A run that stops at `127.0.0.1:PORT`, and what it logs.
struct Stopped {
    driver: Child,
    log: BufReader<std::process::ChildStderr>,
    seen: String,
}

impl Stopped {
    fn start(run: &Run, script: &str) -> Self {
        let mut driver = run
            .command()
            .arg("--debug-hook-attach=/attach")
            .arg(run.script(script))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(driver.stderr.take().unwrap());
        let seen = String::new();
        Self { driver, log, seen }
    }

    /// Reads the log up to the line with `text`, and returns the line.
    fn logs(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).unwrap();
            assert!(read > 0, "no {text} in {}", self.seen);
            self.seen.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Connects to the debugger, which listens before it logs.
    fn connects(&mut self, port: u16) -> TcpStream {
        self.logs(&format!("waits for a connection to 127.0.0.1:{port}\n"));
        TcpStream::connect(("127.0.0.1", port)).unwrap()
    }

    /// Connects to the debugger, types lines, and returns what it prints until it closes the
    /// connection.
    fn debug(&mut self, port: u16, lines: &str) -> String {
        let mut user = self.connects(port);
        user.write_all(lines.as_bytes()).unwrap();
        let mut shown = String::new();
        user.read_to_string(&mut shown).unwrap();
        shown
    }

    fn ends(mut self) -> (Option<i32>, String, String) {
        self.log.read_to_string(&mut self.seen).unwrap();
        let output = self.driver.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), stdout, self.seen)
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn a_breakpoint_stops_in_the_callers_frame() {
    let (run, port) = (Run::booting(&[]), free_port());
    let script = format!(
        "\
def check(value):
    debug.breakpoint(port={port})
    print('value is', value)
    return value

check('not changed')
print('after')
"
    );
    let mut stopped = Stopped::start(&run, &script);
    let line = stopped.logs("Breakpoint reached, run 'sudo /attach ");
    let (_, number) = line
        .trim_end()
        .trim_end_matches('\'')
        .rsplit_once(' ')
        .unwrap();
    assert!(number.len() == 7 && number.parse::<u32>().is_ok(), "{line}");
    let shown = stopped.debug(port, "p value\nvalue = 'changed'\nnext\nwhere\ncontinue\n");
    for part in [
        "(Pdb) 'not changed'",
        "-> print('value is', value)",
        "-> return value",
    ] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    let (status, stdout, log) = stopped.ends();
    assert_eq!(status, Some(0), "{log}");
    assert_eq!(stdout, "value is changed\nafter\n");
}

#[test]
fn a_user_who_disconnects_continues_the_script() {
    let (run, port) = (Run::booting(&[]), free_port());
    let script = format!("debug.breakpoint(port={port})\nprint('after')\n");
    let mut stopped = Stopped::start(&run, &script);
    drop(stopped.connects(port));
    let (status, stdout, log) = stopped.ends();
    assert_eq!((status, stdout.as_str()), (Some(0), "after\n"), "{log}");
}

/// At the script's line, with its variables. The run fails as without a debugger.
#[test]
fn a_failed_script_stops() {
    let run = Run::booting(&[]);
    // Another run may use the debugger's default port.
    let port = free_port();
    let script = format!(
        "\
import sys
sys.modules['test_driver.debug'].PORT = {port}
found = 42
t.assertEqual(found, 43)
"
    );
    let mut stopped = Stopped::start(&run, &script);
    stopped.logs("RequestedAssertionFailed: 42 != 43");
    let shown = stopped.debug(port, "p found\ncontinue\n");
    assert!(shown.contains("-> t.assertEqual(found, 43)"), "{shown}");
    assert!(shown.contains("(Pdb) 42"), "{shown}");
    let (status, _, log) = stopped.ends();
    assert_eq!(status, Some(1), "{log}");
}

/// The reason of the failure stays the script's.
#[test]
fn a_port_in_use_does_not_replace_the_failure() {
    let run = Run::booting(&[]);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "\
import sys
sys.modules['test_driver.debug'].PORT = {port}
t.assertEqual(42, 43)
"
    );
    let (status, _, log) = Stopped::start(&run, &script).ends();
    assert_eq!(status, Some(1), "{log}");
    let (failure, _) = log.rsplit_once("\nscript failed in ").unwrap();
    assert!(
        failure.ends_with("RequestedAssertionFailed: 42 != 43"),
        "{log}"
    );
    assert!(
        log.contains(&format!("no debugger at 127.0.0.1:{port}: ")),
        "{log}"
    );
}

#[test]
fn without_the_option_nothing_stops() {
    let run = Run::booting(&[]);
    run.run("debug.breakpoint()\ndebug.breakpoint('127.0.0.1', 1)\n")
        .passed();
}
