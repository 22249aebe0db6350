//! Why the process that runs a guest has exited.

use std::fmt;

/// Why the process that runs a guest has exited, as it has reported itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitReason {
    /// The guest has rebooted, which its start did not allow.
    Reboot,
    /// The machine was reset from the host, which its start did not allow.
    Reset,
    /// The guest has powered off.
    PowerOff,
    /// The guest's kernel has panicked.
    Panic,
    /// A command or a signal from the host.
    Host,
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reason, advice) = match self {
            Self::Reboot => ("the guest has rebooted", ALLOW_REBOOT),
            Self::Reset => ("the machine was reset", ALLOW_REBOOT),
            Self::PowerOff => ("the guest has powered off", ""),
            Self::Panic => ("the guest's kernel has panicked", ""),
            Self::Host => ("a command or a signal from the host has ended it", ""),
        };
        write!(f, "{reason}{advice}")
    }
}

const ALLOW_REBOOT: &str = ", which its start must allow (`start_allowing_reboot`; \
                            in scripts `start(allow_reboot=True)`)";
