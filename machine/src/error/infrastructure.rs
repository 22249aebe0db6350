//! Failures that the software under test did not cause.

use std::os::unix::process::ExitStatusExt as _;

use super::ErrorKind;

/// The end of the message of an
/// [infrastructure failure](crate::Error::is_infrastructure).
pub const INFRASTRUCTURE: &str =
    "this is a failure of the host, of QEMU or of the image, not of what is tested";

impl ErrorKind {
    pub(super) fn is_infrastructure(&self) -> bool {
        match self {
            Self::StartScript { .. }
            | Self::NotExecutable { .. }
            | Self::Image { .. }
            | Self::Kernel { .. }
            | Self::Root { .. }
            | Self::Spawn { .. }
            | Self::StateDir { .. }
            | Self::StateDirInUse { .. }
            | Self::SocketPathTooLong { .. }
            | Self::NoConnection { .. }
            | Self::Container { .. }
            | Self::Vlan { .. } => true,
            // It crashed, was killed, or failed to start.
            Self::Exited {
                status, starting, ..
            } => *starting || status.signal().is_some(),
            Self::Template { misuse, .. } => !misuse,
            Self::GuestEnded { trouble, .. } => trouble.is_infrastructure,
            Self::Name { .. }
            | Self::NotRunning { .. }
            | Self::NoShell { .. }
            | Self::SerialLogin { .. }
            | Self::GuestReset { .. }
            | Self::CommandFailed { .. }
            | Self::CommandSucceeded { .. }
            | Self::TimedOut { .. }
            | Self::BadArgument { .. }
            | Self::CloudInit { .. }
            | Self::Condition { .. }
            | Self::Systemctl { .. }
            | Self::UnitState { .. }
            | Self::HostFile { .. }
            | Self::GuestCopy { .. }
            | Self::Share { .. }
            | Self::NotSavable { .. }
            | Self::Snapshot { .. }
            | Self::Terminal(_)
            | Self::Shell { .. }
            | Self::Monitor { .. }
            | Self::MonitorCommandFailed { .. }
            | Self::Console(_)
            | Self::Other(_) => false,
            #[cfg(feature = "screen")]
            Self::Screenshot { .. } | Self::ScreenDump(_) | Self::Pointer | Self::Ocr(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn failures_of_the_host_are_infrastructure() {
        let kind = ErrorKind::NotExecutable { path: "x".into() };
        let error = Error::new("vm", kind);
        assert!(error.is_infrastructure());
        assert!(error.to_string().ends_with(INFRASTRUCTURE), "{error}");

        let doing = "running `false`".to_owned();
        let error = Error::new("vm", ErrorKind::NotRunning { doing });
        assert!(!error.is_infrastructure());
        assert!(!error.to_string().contains(INFRASTRUCTURE), "{error}");
    }

    #[test]
    fn a_template_fails_by_the_host_unless_it_is_misused() {
        let template = |misuse| ErrorKind::Template {
            doing: "making a template".to_owned(),
            source: "No space left on device".into(),
            misuse,
        };
        assert!(template(false).is_infrastructure());
        assert!(!template(true).is_infrastructure());
    }

    #[test]
    fn a_guest_can_not_claim_to_be_infrastructure() {
        let kind = ErrorKind::CommandFailed {
            command: "false".to_owned(),
            exit: backdoor_shell::Exit::Status(1),
            output: vec![INFRASTRUCTURE.to_owned()],
        };
        assert!(!Error::new("vm", kind).is_infrastructure());
    }
}
