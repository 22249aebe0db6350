//! What the guest tells of a failure after it has happened.

use std::mem::discriminant;
use std::time::Duration;

use backdoor_shell::Exit;

use crate::error::Error;
use crate::guest::commands::BUSY;
use crate::machine::Machine;

/// How long it may take it to: it may be slow, or busy with what has failed.
const PATIENCE: Duration = Duration::from_secs(20);

impl Machine {
    /// Adds what a script prints in the guest, or why that is not all.
    pub(crate) async fn with_output(&self, error: Error, what: &str, script: &str) -> Error {
        // It is no step of the test's that conditions could forbid.
        let told = match self.unchecked().look(script, PATIENCE).await {
            Ok(Some(output)) if output.exit == Exit::TimedOut => {
                let text = output.text();
                format!("{text}\n(cut short: the guest took longer than {PATIENCE:?})")
            }
            Ok(Some(output)) => output.text(),
            Ok(None) => format!("({BUSY})"),
            // QEMU has ended, say: it is known already.
            Err(failure) if discriminant(failure.kind()) == discriminant(error.kind()) => {
                return error;
            }
            Err(failure) => format!("({})", failure.gist()),
        };
        error.with_evidence(what, &told)
    }
}
