//! Whether a failure is one of what is tested.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;

use super::ErrorKind;

/// What the message of an error ends with that is
/// [infrastructure's](crate::Error::is_infrastructure).
pub const INFRASTRUCTURE: &str =
    "this is a failure of the host, of QEMU or of the image, not of what is tested";

impl ErrorKind {
    /// Whether what is under test has nothing to do with it.
    pub(super) fn is_infrastructure(&self) -> bool {
        match self {
            Self::StartScript { .. }
            | Self::NotExecutable { .. }
            | Self::Spawn { .. }
            | Self::StateDir { .. }
            | Self::StateDirInUse { .. }
            | Self::SocketPathTooLong { .. }
            | Self::NoConnection { .. }
            | Self::Vlan { .. } => true,
            // It crashed, somebody killed it, or it did not even begin.
            Self::Exited { doing, status, .. } => {
                status.signal().is_some() || doing.starts_with("starting QEMU")
            }
            // But for one that is asked for wrongly.
            Self::Template { doing, .. } => doing != "cloning",
            Self::GuestEnded { trouble, .. } => trouble.line.starts_with("QEMU could not "),
            _ => false,
        }
    }
}

/// The end of an error's message: who is to blame, if it is not what is tested.
pub(super) struct Blame<'a>(pub(super) &'a ErrorKind);

impl fmt::Display for Blame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_infrastructure() {
            write!(f, "\n  {INFRASTRUCTURE}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;

    use super::*;

    #[test]
    fn who_is_to_blame() {
        let kind = ErrorKind::NotExecutable { path: "x".into() };
        let error = Error::new("vm", kind);
        assert!(error.is_infrastructure());
        assert!(error.to_string().ends_with(INFRASTRUCTURE), "{error}");

        let reason = "No space left on device".to_owned();
        let doing = "making a template".to_owned();
        assert!(Error::new("vm", ErrorKind::Template { doing, reason }).is_infrastructure());

        let doing = "running `false`".to_owned();
        let error = Error::new("vm", ErrorKind::NotRunning { doing });
        assert!(!error.is_infrastructure());
        assert!(!error.to_string().contains(INFRASTRUCTURE), "{error}");
    }
}
