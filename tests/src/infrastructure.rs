//! Decides whether the host, QEMU or an image made a test fail. A panic has only a message, so
//! the errors of recorded steps and the driver's report decide.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

thread_local! {
    /// The message of the last infrastructure error of a step.
    static LAST_ERROR: RefCell<Option<String>> = const { RefCell::new(None) };
    /// A driver that this test needs to pass failed because of the infrastructure.
    static DRIVER_FAILED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic with this message is an infrastructure failure: `unwrap` or `expect` of
/// such an error, after which the error's message ends the panic's.
pub(crate) fn is_cause_of(message: &str) -> bool {
    DRIVER_FAILED.get()
        || LAST_ERROR.with_borrow(|error| {
            error.as_ref().is_some_and(|error| {
                message
                    .strip_suffix(error.as_str())
                    .is_some_and(|rest| rest.ends_with(": "))
            })
        })
}

/// Reads the JUnit report of a driver that failed although the test needs it to pass.
/// Infrastructure failures are its `error` elements; text in it is escaped.
pub fn read_driver_report(report: &Path) {
    let report = fs::read_to_string(report).unwrap_or_default();
    if report.contains("<error ") {
        DRIVER_FAILED.set(true);
    }
}

/// Remembers the last infrastructure error on this thread.
pub(crate) struct ErrorLayer;

impl<S: Subscriber> Layer<S> for ErrorLayer {
    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut step = Step::default();
        values.record(&mut step);
        if step.is_infrastructure {
            LAST_ERROR.set(Some(step.error));
        }
    }
}

/// The fields that a step records when it fails.
#[derive(Default)]
struct Step {
    error: String,
    is_infrastructure: bool,
}

impl Visit for Step {
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "infrastructure" {
            self.is_infrastructure = value;
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "error" {
            self.error = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use machine::INFRASTRUCTURE;
    use tracing::info_span;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::registry;
    use tracing_subscriber::util::SubscriberInitExt as _;

    use super::*;

    fn fail(error: &str, infrastructure: bool) {
        let _guard = registry().with(ErrorLayer).set_default();
        let empty = tracing::field::Empty;
        let span = info_span!("step", error = empty, infrastructure = empty);
        let error = tracing::field::display(error);
        tracing::record_all!(span, error = error, infrastructure = infrastructure);
    }

    #[test]
    fn the_field_decides_and_not_the_message() {
        fail(INFRASTRUCTURE, false);
        assert!(!is_cause_of(&format!("a machine: {INFRASTRUCTURE}")));
        fail("vm: no QEMU", true);
        assert!(is_cause_of("a machine: vm: no QEMU"));
        assert!(!is_cause_of("assertion failed"));
    }

    #[test]
    fn only_error_elements_are_infrastructure_failures() {
        let dir = tempfile::tempdir().expect("a directory");
        let report = dir.path().join("junit.xml");
        for (element, is_error) in [("failure", false), ("error", true)] {
            let text = format!("<{element} message=\"m\">&lt;error </{element}>");
            fs::write(&report, text).expect("a report");
            read_driver_report(&report);
            assert_eq!(is_cause_of("a driver failed"), is_error);
        }
    }
}
