//! Finds the step that a run failed in.

use super::fields::Fields;
use super::outcome::{Failure, Outcome};
use super::record::{MAX_MESSAGE, Record};
use super::step::Step;
use super::truncated::{json_len, shortened};

/// How many failures have their whole messages on the page. They are the last ones.
const WHOLE_MESSAGES: usize = 16;

impl Record {
    /// How the run ended: as it was concluded, or as the last outermost step did.
    pub(super) fn outcome(&self) -> Outcome {
        let conclusion = self.conclusion.as_ref();
        conclusion.map_or(self.last_outcome, |(outcome, _)| *outcome)
    }

    /// The failure that the run was concluded with.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.conclusion.as_ref()?.1.as_ref()
    }

    /// The innermost step with the failure that ended the run. If the run was interrupted or
    /// timed out, the innermost step that was running.
    pub(super) fn root_cause(&self) -> Option<usize> {
        if self.outcome() == Outcome::Passed {
            return None;
        }
        let error_id = self.failure().and_then(|failure| failure.error_id);
        let outermost = self
            .last(None, |step| step.failed_with(error_id))
            .or_else(|| self.last(None, Step::is_failed))
            .or_else(|| self.last(None, Step::is_cancelled));
        std::iter::successors(outermost, |&step| self.cause(step)).last()
    }

    /// The step directly within `step` that made it fail, if one did.
    fn cause(&self, step: usize) -> Option<usize> {
        let error_id = self.steps[step].error_id;
        let failed = self.last(Some(step), |inner| inner.failed_with(error_id));
        failed.or_else(|| {
            let last = self.last(Some(step), |inner| inner.outcome.is_some())?;
            self.steps[last].is_cancelled().then_some(last)
        })
    }

    /// The last step directly within `parent`, or at the top level, that matches.
    fn last(&self, parent: Option<usize>, matches: impl Fn(&Step) -> bool) -> Option<usize> {
        // A step has a lower number than all steps within it.
        let first = parent.map_or(0, |parent| parent + 1);
        let mut steps = self.steps.iter().enumerate().skip(first);
        let found = steps.rfind(|(_, step)| step.parent == parent && matches(step));
        found.map(|(number, _)| number)
    }

    /// Records why a step did not pass.
    pub(super) fn record_failure(&mut self, number: usize, fields: Fields) {
        let message = shortened(fields.error, MAX_MESSAGE);
        let error = self.files.shorten(message.clone(), MAX_MESSAGE);
        self.files.add_to_page(json_len(&error));
        let step = &mut self.steps[number];
        step.error = error;
        step.error_id = fields.error_id;
        step.infrastructure = fields.infrastructure;
        if self.last_failures.len() == WHOLE_MESSAGES {
            self.last_failures.pop_front();
        }
        self.last_failures.push_back((number, message));
    }

    /// Gives the last failures their whole messages, even if the page's text limit is
    /// reached.
    pub(super) fn restore_last_failures(&mut self) {
        for (step, message) in &self.last_failures {
            self.steps[*step].error.clone_from(message);
        }
    }

    /// The steps around a step, from the outermost, and the step itself.
    pub(super) fn chain(&self, step: usize) -> Vec<&Step> {
        let outwards = std::iter::successors(Some(step), |&step| self.steps[step].parent);
        let mut chain: Vec<&Step> = outwards.map(|step| &self.steps[step]).collect();
        chain.reverse();
        chain
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use crate::report::summary::INFRASTRUCTURE;
    use crate::report::tests::{FAILURE, fail, failing_steps, step};
    use crate::report::{Failure, Outcome, Recorder};

    fn recorded(work: impl FnOnce()) -> Recorder {
        let recorder = Recorder::new("test");
        let subscriber = tracing_subscriber::registry().with(recorder.layer());
        tracing::subscriber::with_default(subscriber, work);
        recorder
    }

    fn conclude(recorder: &Recorder, outcome: Outcome, error_id: Option<u64>) {
        recorder.conclude(outcome, Some(Failure::new("it failed", error_id, false)));
    }

    fn summary(recorder: &Recorder) -> String {
        let summary = recorder.summary().to_string();
        let (_, steps) = summary.split_once(" seconds: ").unwrap();
        steps.to_owned()
    }

    #[test]
    fn the_innermost_step_with_the_failure_is_the_root_cause() {
        let recorder = recorded(failing_steps);
        // The last step passed.
        assert_eq!(summary(&recorder), "1 machine (server), 3 steps");
        conclude(&recorder, Outcome::Failed, Some(FAILURE));
        assert_eq!(
            summary(&recorder),
            "1 machine (server), 3 steps\n  subtest: one\n    server: must succeed: false"
        );
    }

    #[test]
    fn the_conclusion_selects_the_outermost_step() {
        let recorder = recorded(|| {
            fail(&step(None, "first"), "no luck", Some(1));
            fail(&step(None, "second"), "no luck", Some(2));
        });
        conclude(&recorder, Outcome::Failed, Some(1));
        assert_eq!(summary(&recorder), "no machine, 2 steps\n  first");
        conclude(&recorder, Outcome::Failed, None);
        assert_eq!(summary(&recorder), "no machine, 2 steps\n  second");
    }

    #[test]
    fn a_failure_of_the_infrastructure_is_named_in_the_summary() {
        let recorder = recorded(|| drop(step(Some("a"), "starting vm")));
        let failure = Failure::new("no QEMU", None, true);
        recorder.conclude(Outcome::Failed, Some(failure));
        assert!(summary(&recorder).ends_with(INFRASTRUCTURE));
    }

    #[test]
    fn a_message_does_not_make_a_failure_one_of_the_infrastructure() {
        let recorder = recorded(|| fail(&step(Some("a"), "printing"), INFRASTRUCTURE, None));
        assert!(!summary(&recorder).contains(INFRASTRUCTURE));
        let failure = Failure::new(INFRASTRUCTURE, None, false);
        recorder.conclude(Outcome::Failed, Some(failure));
        assert!(!summary(&recorder).contains(INFRASTRUCTURE));
    }

    #[test]
    fn a_failure_that_was_caught_is_not_the_root_cause() {
        for (inner, outer) in [(Some(1), Some(2)), (Some(1), None), (None, None)] {
            let recorder = recorded(|| {
                let group = step(None, "group");
                // Equal texts do not make failures equal.
                group.in_scope(|| fail(&step(Some("a"), "tried"), "1 != 2", inner));
                fail(&group, "AssertionError: 1 != 2", outer);
            });
            conclude(&recorder, Outcome::Failed, outer);
            assert_eq!(summary(&recorder), "1 machine (a), 2 steps\n  group");
        }
    }

    #[test]
    fn a_cancelled_run_has_the_running_step_as_root_cause() {
        let recorder = recorded(|| {
            let group = step(None, "group");
            group.in_scope(|| drop(step(Some("a"), "waiting for Godot")));
            fail(&group, "GlobalTimeout", None);
        });
        conclude(&recorder, Outcome::TimedOut, None);
        assert!(summary(&recorder).ends_with("  group\n    a: waiting for Godot"));
        let summary = recorder.summary().to_string();
        assert!(summary.starts_with("test ran out of time in "), "{summary}");
    }
}
