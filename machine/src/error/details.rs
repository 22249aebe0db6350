//! The output of programs that belongs to an error.

use super::ErrorKind;

impl ErrorKind {
    /// The lines of output that belong to it, each with a title.
    pub(super) fn details(&self) -> Vec<(&'static str, &[String])> {
        const OUTPUT: &str = "its output";
        const STDERR: &str = "its standard error";
        const CONSOLE: &str = "last console lines";
        match self {
            Self::NoConnection { stderr, .. } => vec![(STDERR, stderr)],
            Self::Exited {
                stderr, console, ..
            } => vec![(STDERR, stderr), (CONSOLE, console)],
            Self::GuestEnded { console, .. }
            | Self::GuestReset { console, .. }
            | Self::TimedOut { console, .. }
            | Self::SerialLogin { console, .. }
            | Self::Shell { console, .. } => vec![(CONSOLE, console)],
            Self::CommandFailed { output, .. }
            | Self::CommandSucceeded { output, .. }
            | Self::Systemctl { output, .. } => vec![(OUTPUT, output)],
            Self::CloudInit { errors } => vec![("its errors", errors)],
            Self::GuestCopy { output, .. } => vec![("output of cp", output)],
            Self::Share { output } => vec![("output of mount and tar", output)],
            _ => Vec::new(),
        }
    }
}
