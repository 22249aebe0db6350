//! What machines tell of themselves, through `tracing`: the targets that it comes under.

use std::fmt::Display;
use std::time::Instant;

use backdoor_shell::Output;
use tracing::Span;

use crate::error::Result;

/// Spans: what is being done, with `machine`, `what`, and at their end `outcome` and `error`.
pub(crate) const STEP: &str = "machine::step";

/// Lines of serial consoles.
pub(crate) const CONSOLE: &str = "machine::console";

/// A command's result, or a monitor's reply.
pub(crate) const OUTPUT: &str = "machine::output";

/// A picture of the screen, and what was read on it.
#[cfg(feature = "ocr")]
pub(crate) const SCREEN: &str = "machine::screen";

/// Tells how a step ends; that it was given up, if nothing else was told before.
pub(crate) struct Ending {
    span: Span,
    is_told: bool,
}

impl Ending {
    pub(crate) fn of(span: Span) -> Self {
        Self {
            span,
            is_told: false,
        }
    }

    pub(crate) fn tell<T, E: Display>(mut self, result: &Result<T, E>) {
        self.is_told = true;
        match result {
            Ok(_) => {
                self.span.record("outcome", "ok");
            }
            Err(error) => {
                let error = tracing::field::display(error);
                tracing::record_all!(self.span, outcome = "failed", error = error);
            }
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.is_told {
            self.span.record("outcome", "cancelled");
        }
    }
}

/// Tells what a command came to that was begun at `start`.
pub(crate) fn ran(machine: &str, command: &str, start: Instant, result: &Result<Output>) {
    match result {
        Ok(output) => tracing::debug!(
            target: OUTPUT,
            machine,
            command,
            status = output.status(),
            output = &*String::from_utf8_lossy(&output.stdout),
            seconds = start.elapsed().as_secs_f64(),
        ),
        Err(error) => tracing::debug!(
            target: OUTPUT,
            machine,
            command,
            seconds = start.elapsed().as_secs_f64(),
            error = %error,
        ),
    }
}
