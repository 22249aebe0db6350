//! One more monitor, for what is to be known of a machine whose test has failed: the
//! test's own connections are served by a runtime that stands still in its panic.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

const SOCKET: &str = "last-words";

/// For QEMU, which has the machine's state directory as its current one.
pub(crate) const QEMU_OPTS: &str = " -qmp unix:last-words,server=on,wait=off";

/// How long QEMU may take for an answer: it may hang, and the test is over.
const LIMIT: Duration = Duration::from_secs(5);

/// Has QEMU take a picture of the screen.
pub(super) fn screenshot(state: &Path, file: &Path) -> io::Result<()> {
    let mut monitor = Monitor::open(state)?;
    let file = std::path::absolute(file)?;
    monitor.execute("screendump", &json!({ "filename": file, "format": "png" }))?;
    Ok(())
}

/// A QMP connection that waits for its answers.
pub(super) struct Monitor {
    requests: UnixStream,
    replies: BufReader<UnixStream>,
}

impl Monitor {
    pub(super) fn open(state: &Path) -> io::Result<Self> {
        let requests = UnixStream::connect(state.join(SOCKET))?;
        requests.set_read_timeout(Some(LIMIT))?;
        requests.set_write_timeout(Some(LIMIT))?;
        let replies = BufReader::new(requests.try_clone()?);
        let mut monitor = Self { requests, replies };
        monitor.execute("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// Gives what a command returns.
    pub(super) fn execute(&mut self, command: &str, arguments: &Value) -> io::Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.requests, "{request}")?;
        loop {
            let mut line = String::new();
            if self.replies.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // The greeting and events come in between.
            let mut reply: Value = serde_json::from_str(&line)?;
            if let Some(error) = reply.get("error") {
                return Err(io::Error::other(error.to_string()));
            }
            if let Some(value) = reply.get_mut("return") {
                return Ok(value.take());
            }
        }
    }
}
