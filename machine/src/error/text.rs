//! The text of error messages.

use std::error::Error as StdError;
use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use backdoor_shell::Exit;

use crate::exit_reason::ExitReason;

/// An error and all its sources, with `: ` between them.
pub(super) struct Chain<'a>(pub(super) &'a dyn StdError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error = self.0;
        write!(f, "{error}")?;
        while let Some(source) = error.source() {
            write!(f, ": {source}")?;
            error = source;
        }
        Ok(())
    }
}

/// The text of an error and all its sources.
pub(crate) fn chain(error: &dyn StdError) -> String {
    Chain(error).to_string()
}

/// A message in which every control character but newlines is escaped: much of it comes
/// from guests and QEMU.
pub(super) struct Printable<'a>(pub(super) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(message) = self;
        for (number, line) in message.split('\n').enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{}", serial_log::printable(line))?;
        }
        Ok(())
    }
}

/// A title and indented lines at the end of a message; nothing if there are no lines.
pub(super) struct Lines<'a>(pub(super) &'a str, pub(super) &'a [String]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(title, lines) = self;
        if lines.is_empty() {
            return Ok(());
        }
        write!(f, "\n  {title}:")?;
        lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// The beginning of a message that a wait for something timed out.
pub(super) struct Waited(pub(super) Duration);

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Duration::ZERO => f.write_str("did not wait for"),
            limit => write!(f, "waited {limit:?} for"),
        }
    }
}

/// How often a wait has probed its condition.
pub(super) struct Probes(pub(super) u32);

impl fmt::Display for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(", after one attempt"),
            probes => write!(f, ", after {probes} attempts"),
        }
    }
}

/// The exit status of the process that ran the guest, if it has exited.
pub(super) struct Exited<'a>(pub(super) &'a Option<ExitStatus>);

impl fmt::Display for Exited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => write!(f, "; the machine has ended ({status})"),
            None => Ok(()),
        }
    }
}

/// Why it has exited, if that is known.
pub(super) struct Because<'a>(pub(super) &'a Option<ExitReason>);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// How a command ended.
pub(super) struct CommandExit<'a>(pub(super) &'a Exit);

impl fmt::Display for CommandExit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Exit::TimedOut => f.write_str("timed out; exit code 124"),
            Exit::OutputHeld { by } => write!(
                f,
                "timed out; exit code 124: the command itself has exited, but its standard \
                 output was held in the background by {by}; redirect it, as in \
                 `server >/dev/null &`"
            ),
            exit => write!(f, "exit code {}", exit.status()),
        }
    }
}

/// The last lines of a command's output, safe to print.
pub(crate) fn tail(output: &[u8]) -> Vec<String> {
    const LINES: usize = 20;
    const BYTES: usize = 8 * 1024;
    let end = &output[output.len().saturating_sub(BYTES)..];
    let text = String::from_utf8_lossy(end);
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(LINES)..];
    shown
        .iter()
        .map(|line| serial_log::printable(line).into_owned())
        .collect()
}

/// A title and the indented non-blank lines of `text`.
pub(crate) fn indented(title: &str, text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    match tail(lines.join("\n").as_bytes()).as_slice() {
        [] => format!("{title}: (empty)"),
        lines => format!("{title}:\n    {}", lines.join("\n    ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn a_failed_command_shows_its_output() {
        let kind = ErrorKind::CommandFailed {
            command: "make check".to_owned(),
            exit: Exit::Status(2),
            output: tail(b"ok 1\nnot ok 2 \x1b[31mred\n"),
        };
        assert_eq!(
            Error::new("server", kind).to_string(),
            "server: command `make check` failed (exit code 2)\n  its output:\n    ok 1\n    \
             not ok 2 \\x1b[31mred"
        );
    }

    #[test]
    fn messages_contain_no_control_characters() {
        let kind = ErrorKind::MonitorCommandFailed {
            command: "info".to_owned(),
            reply: "no\x1b]0;title\x07\nmore\u{9b}2J".to_owned(),
        };
        let error = Error::new("vm", kind).with_evidence("a\x1bc", "b\x1bc");
        let safe = "vm: monitor command `info` failed: no\\x1b]0;title\\x07\nmore\\u{9b}2J\n  \
                    a\\x1bc:\n    b\\x1bc";
        assert_eq!(error.to_string(), safe);
        assert_eq!(format!("{error:?}"), safe);
    }

    #[test]
    fn only_the_end_of_long_output_is_kept() {
        let output = "line\n".repeat(10_000) + "the end";
        let tail = tail(output.as_bytes());
        assert_eq!(
            (tail.len(), tail.last().map(String::as_str)),
            (20, Some("the end"))
        );
    }
}
