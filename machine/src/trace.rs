//! The contract of the spans and events that machines emit through [`tracing`].
//!
//! # Targets and fields
//!
//! | target | span or event | fields |
//! |---|---|---|
//! | [`STEP`] | span, INFO: an operation | `machine`, `kind`, `what`; recorded when it ends: `outcome`, `error`, `summary`, `error_id`, `infrastructure` |
//! | [`CONSOLE`] | event, DEBUG: a line of the serial console | `machine`, `message` |
//! | [`OUTPUT`] | event, DEBUG: the result of a guest command or a monitor command | `machine`, `command`, `status`, `output`, `seconds`, `error` |
//! | [`SCREEN`] | event, TRACE: a screenshot | `machine`, `png`, `path`, `text`, `words` |
//!
//! Every field is optional. Other events have a target below `machine`, a `message`, and a
//! `machine` if they concern one. That of a QEMU that has started also has its `command_line`.
//!
//! Fields are text except for:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `error_id` | `u64` | identifies the failure, see [`next_error_id`] |
//! | `infrastructure` | `bool` | the failure is caused by the host, QEMU or the image |
//! | `status` | `i64` | the command's exit status |
//! | `seconds` | `f64` | how long the command took |
//! | `png` | bytes | the screenshot as a PNG file |
//!
//! # Steps
//!
//! `outcome` is [`OK`], [`FAILED`] or [`CANCELLED`]; a step that is closed without one counts as
//! cancelled. `error` is the message of the failure, and `summary` the line of it for a log, by
//! default the first one. If a step and the step around it record
//! the same `error_id`, the inner step's failure caused that of the outer one.
//!
//! Record these fields together (`tracing::record_all!`): a report ends a step when it sees
//! the outcome.
//!
//! `kind` is empty for operations of machines; it names groups of steps, such as subtests.
//!
//! Spans with these fields may come from any crate: [`step`] creates one.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tracing::Span;
use tracing::field::Empty;

/// What the targets of all spans and events of machines begin with.
pub const PREFIX: &str = "machine::";

/// The target of spans: an operation, with its outcome.
pub const STEP: &str = "machine::step";

/// The target of events: a line of a serial console.
pub const CONSOLE: &str = "machine::console";

/// The target of events: the result of a guest command or a monitor command.
pub const OUTPUT: &str = "machine::output";

/// The target of events: a screenshot and the text recognized in it.
pub const SCREEN: &str = "machine::screen";

/// The `outcome` of a step that succeeded.
pub const OK: &str = "ok";

/// The `outcome` of a step that failed.
pub const FAILED: &str = "failed";

/// The `outcome` of a step that was interrupted, or that was running when the step around it
/// ended.
pub const CANCELLED: &str = "cancelled";

/// The names of the fields, as in the tables [above](self).
pub mod field {
    /// The machine's name.
    pub const MACHINE: &str = "machine";
    /// What a step is, if it is no operation of a machine.
    pub const KIND: &str = "kind";
    /// The operation of a step.
    pub const WHAT: &str = "what";
    /// How a step ended.
    pub const OUTCOME: &str = "outcome";
    /// The message of a failure.
    pub const ERROR: &str = "error";
    /// The line of the message for a log.
    pub const SUMMARY: &str = "summary";
    /// The number that identifies a failure.
    pub const ERROR_ID: &str = "error_id";
    /// Whether the host, QEMU or the image caused a failure.
    pub const INFRASTRUCTURE: &str = "infrastructure";
    /// The text of an event.
    pub const MESSAGE: &str = "message";
    /// A command of the guest or of the monitor.
    pub const COMMAND: &str = "command";
    /// The command line of a QEMU that has started.
    pub const COMMAND_LINE: &str = "command_line";
    /// A command's exit status.
    pub const STATUS: &str = "status";
    /// What a command printed.
    pub const OUTPUT: &str = "output";
    /// How long a command took.
    pub const SECONDS: &str = "seconds";
    /// A screenshot as a PNG file.
    pub const PNG: &str = "png";
    /// The file of a screenshot.
    pub const PATH: &str = "path";
    /// The text in a screenshot.
    pub const TEXT: &str = "text";
    /// The words in a screenshot, with their positions.
    pub const WORDS: &str = "words";
}

/// Returns a new identifier of a failure, unique within the process; the first is 1.
///
/// An error has the same id in every step that it makes fail, even if a step changes the
/// message.
pub fn next_error_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Creates the span of a step, whose outcome is still to be recorded.
pub fn step(machine: Option<&str>, kind: Option<&str>, what: &str) -> Span {
    tracing::info_span!(
        target: STEP,
        "step",
        machine,
        kind,
        what,
        outcome = Empty,
        error = Empty,
        summary = Empty,
        error_id = Empty,
        infrastructure = Empty,
    )
}

/// Records the outcome of a step: `cancelled` if it is dropped. All of its fields are
/// recorded at once, since reports end a step when they see its outcome.
pub(crate) struct StepOutcome {
    span: Span,
    is_recorded: bool,
}

impl StepOutcome {
    pub(crate) fn of(span: Span) -> Self {
        Self {
            span,
            is_recorded: false,
        }
    }

    /// Records that the step succeeded.
    pub(crate) fn ok(mut self) {
        self.is_recorded = true;
        self.span.record(field::OUTCOME, OK);
    }

    /// Records that the step failed, and why.
    pub(crate) fn failed(
        mut self,
        error: &dyn Display,
        error_id: Option<u64>,
        infrastructure: bool,
    ) {
        self.is_recorded = true;
        let error = tracing::field::display(error);
        tracing::record_all!(
            self.span,
            outcome = FAILED,
            error = error,
            error_id = error_id,
            infrastructure = infrastructure,
        );
    }
}

impl Drop for StepOutcome {
    fn drop(&mut self) {
        if !self.is_recorded {
            self.span.record(field::OUTCOME, CANCELLED);
        }
    }
}

/// Emits the result of a guest command that was begun at `start`: its exit status and
/// output, or why there are none.
pub(crate) fn ran(
    machine: &str,
    command: &str,
    start: Instant,
    result: Result<(i32, &[u8]), &dyn Display>,
) {
    let seconds = start.elapsed().as_secs_f64();
    match result {
        Ok((status, output)) => tracing::debug!(
            target: OUTPUT,
            machine,
            command,
            status,
            output = &*String::from_utf8_lossy(output),
            seconds,
        ),
        Err(error) => tracing::debug!(target: OUTPUT, machine, command, seconds, %error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_the_fields_of_the_contract() {
        let subscriber = tracing_subscriber::registry();
        tracing::subscriber::with_default(subscriber, || {
            let step = step(None, None, "");
            let fields = step.metadata().unwrap().fields();
            let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
            assert_eq!(
                names,
                [
                    field::MACHINE,
                    field::KIND,
                    field::WHAT,
                    field::OUTCOME,
                    field::ERROR,
                    field::SUMMARY,
                    field::ERROR_ID,
                    field::INFRASTRUCTURE
                ]
            );
        });
    }

    #[test]
    fn error_ids_are_unique() {
        let (first, second) = (next_error_id(), next_error_id());
        assert!(0 < first && first < second, "{first}, {second}");
    }
}
