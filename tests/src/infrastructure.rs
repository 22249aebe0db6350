//! Decides whether the host, QEMU or an image made a test fail. A panic has only a message, so
//! the outcome of the last recorded step and the driver's report decide.

use std::cell::Cell;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use machine::trace;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

thread_local! {
    /// Whether the last outermost step that ended was failed by the infrastructure.
    static STEP_FAILED: Cell<bool> = const { Cell::new(false) };
    /// A driver that this test needs to pass failed because of the infrastructure.
    static DRIVER_FAILED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread is an infrastructure failure: the last step ended with one,
/// or a driver did.
pub(crate) fn is_cause() -> bool {
    STEP_FAILED.get() || DRIVER_FAILED.get()
}

/// Reads the JUnit report of a driver that failed although the test needs it to pass.
/// Infrastructure failures are its `error` elements; text in it is escaped.
pub fn read_driver_report(report: &Path) {
    let report = fs::read_to_string(report).unwrap_or_default();
    if report.contains("<error ") {
        DRIVER_FAILED.set(true);
    }
}

/// Remembers how the last step on this thread ended.
pub(crate) struct ErrorLayer;

impl<S: Subscriber> Layer<S> for ErrorLayer {
    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut ended = Ended::default();
        values.record(&mut ended);
        // A failure cancels other steps, as in `try_join!`, after it was recorded.
        if ended.outcome == trace::OK || ended.outcome == trace::FAILED {
            STEP_FAILED.set(ended.is_infrastructure);
        }
    }
}

/// The fields that a step records when it ends. A step ends after those within it.
#[derive(Default)]
struct Ended {
    outcome: String,
    is_infrastructure: bool,
}

impl Visit for Ended {
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == trace::field::INFRASTRUCTURE {
            self.is_infrastructure = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == trace::field::OUTCOME {
            value.clone_into(&mut self.outcome);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

#[cfg(test)]
mod tests {
    use machine::INFRASTRUCTURE;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::registry;
    use tracing_subscriber::util::SubscriberInitExt as _;

    use super::*;

    fn end(outcome: &str, error: &str, infrastructure: bool) {
        let _guard = registry().with(ErrorLayer).set_default();
        let step = trace::step(None, None, "a step");
        tracing::record_all!(
            step,
            outcome = outcome,
            error = error,
            infrastructure = infrastructure
        );
    }

    #[test]
    fn the_last_step_decides_and_not_its_message() {
        end(trace::FAILED, INFRASTRUCTURE, false);
        assert!(!is_cause());
        end(trace::FAILED, "no QEMU", true);
        assert!(is_cause());
        end(trace::CANCELLED, "", false);
        assert!(is_cause());
        end(trace::OK, "", false);
        assert!(!is_cause());
    }

    #[test]
    fn only_error_elements_are_infrastructure_failures() {
        let dir = tempfile::tempdir().expect("a directory");
        let report = dir.path().join("junit.xml");
        for (element, is_error) in [("failure", false), ("error", true)] {
            let text = format!("<{element} message=\"m\">&lt;error </{element}>");
            fs::write(&report, text).expect("a report");
            read_driver_report(&report);
            assert_eq!(is_cause(), is_error);
        }
    }
}
