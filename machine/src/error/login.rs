//! Failed logins on the serial console.

use std::time::Duration;

/// Why a login on the guest's serial console has failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The guest has not asked for what it should ask for.
    #[error("waited {waited:?} for {wanted}")]
    #[non_exhaustive]
    NoPrompt {
        /// The prompt.
        wanted: &'static str,
        /// The time limit.
        waited: Duration,
    },
    /// It has asked for the user's name again.
    #[error("the guest does not accept the user and the password")]
    Refused,
    /// It has asked for a password again.
    #[error("the guest asks for another password")]
    SecondPassword,
    /// The script that starts the root shell has failed.
    #[error(
        "{user:?} can't start a root shell: it must be root, or allowed to use sudo without a \
         password, and the guest needs base64 and setsid"
    )]
    #[non_exhaustive]
    NoRootShell {
        /// The user.
        user: String,
    },
    /// The console can't be used.
    #[error("using the console")]
    Console(#[source] serial_log::Error),
}
