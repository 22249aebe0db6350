//! Information that errors carry about the machine.

use std::mem::discriminant;
use std::time::Duration;

use super::Guest;
use super::lifetime::Lifetime;
use super::shell_gate::BUSY;
use crate::error::{Error, ErrorKind, Result};

/// The time limit for collecting evidence in the guest.
const LIMIT: Duration = Duration::from_secs(20);

impl Guest {
    /// An error, with the trouble that the console has shown.
    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        let error = Error::new(self.name(), kind);
        let trouble: Vec<String> = self.trouble().iter().map(ToString::to_string).collect();
        error
            .with_evidence("trouble seen on the console", &trouble.join("\n"))
            .with_evidence("the console's log", &self.incomplete_log())
    }

    pub(crate) fn nul_byte(&self, doing: &str, word: &str) -> Error {
        self.bad_argument(doing, format!("{word:?} holds a NUL byte"))
    }

    pub(crate) fn bad_argument(&self, doing: &str, reason: impl Into<String>) -> Error {
        self.error(ErrorKind::BadArgument {
            doing: doing.to_owned(),
            reason: reason.into(),
        })
    }

    /// Why the console's log on disk is incomplete, if it is.
    fn incomplete_log(&self) -> String {
        let running = self.current();
        let failure = running.and_then(|running| running.lifetime.console.spool_error());
        failure.map_or_else(String::new, |failure| {
            let log = self.state().console_log();
            format!("{} is incomplete: {failure}", log.display())
        })
    }

    /// Makes the error of a result. That of a time-out includes a diagnosis of a guest
    /// that makes no progress.
    pub(crate) async fn with_diagnosis<T>(
        &self,
        lifetime: &Lifetime,
        result: Result<T, ErrorKind>,
    ) -> Result<T> {
        let kind = match result {
            Ok(value) => return Ok(value),
            Err(kind) => kind,
        };
        let is_unresponsive = matches!(
            kind,
            ErrorKind::Shell {
                source: backdoor_shell::Error::Unresponsive { .. },
                ..
            }
        );
        let diagnosis = if kind.is_timeout() || is_unresponsive {
            lifetime.diagnose().await
        } else {
            None
        };
        let error = self.error(kind);
        Err(error.with_evidence("the machine", &diagnosis.unwrap_or_default()))
    }

    /// Adds what a script prints in the guest, or why that is incomplete.
    pub(crate) async fn with_output(&self, error: Error, what: &str, script: &str) -> Error {
        // Conditions apply to the test's own steps only.
        let text = match self.unchecked().probe(script, LIMIT).await {
            Ok(Some(output)) if output.exit.is_timeout() => {
                let text = output.text();
                format!("{text}\n(cut short: the guest took longer than {LIMIT:?})")
            }
            Ok(Some(output)) => output.text(),
            Ok(None) => format!("({BUSY})"),
            // Such as the process's exit, which the error says already.
            Err(failure) if discriminant(failure.kind()) == discriminant(error.kind()) => {
                return error;
            }
            Err(failure) => format!("({})", failure.summary_line()),
        };
        error.with_evidence(what, &text)
    }
}
