//! An additional QMP monitor for the evidence of a failure: the test's own connections are
//! served by its runtime, which is blocked during the panic.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

const SOCKET: &str = "failure-monitor";

/// QEMU's option for the socket, relative to its working directory, the state directory.
pub(super) const QEMU_OPTS: &str = " -qmp unix:failure-monitor,server=on,wait=off";

/// Time limit for each read and write: QEMU may hang.
const LIMIT: Duration = Duration::from_secs(5);

/// Makes QEMU write a screenshot to `file`.
pub(super) fn screenshot(state: &Path, file: &Path) -> io::Result<()> {
    let mut monitor = Monitor::open(state)?;
    let file = std::path::absolute(file)?;
    monitor.execute("screendump", &json!({ "filename": file, "format": "png" }))?;
    Ok(())
}

/// A blocking QMP connection.
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

    /// Executes a command and returns its result.
    pub(super) fn execute(&mut self, command: &str, arguments: &Value) -> io::Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.requests, "{request}")?;
        loop {
            let mut line = String::new();
            if self.replies.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // Neither the greeting nor events have these fields.
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
