//! Which step it is that a run failed in.

use super::record::{Outcome, Record, Step};

impl Record {
    /// How the run ended: as was said, or as its last step did.
    pub(super) fn outcome(&self) -> Outcome {
        let last = self
            .steps
            .iter()
            .rfind(|step| step.parent.is_none() && step.outcome.is_some());
        match (&self.conclusion, last) {
            (Some((outcome, _)), _) => *outcome,
            (None, Some(step)) => step.outcome.unwrap_or(Outcome::Passed),
            (None, None) => Outcome::Passed,
        }
    }

    /// The innermost step that failed, for whose sake those around it did, too. Where a
    /// run was given up, what it was at then.
    pub(super) fn failing(&self) -> Option<usize> {
        if self.outcome() == Outcome::Passed {
            return None;
        }
        let story = self.conclusion.as_ref().map_or("", |(_, story)| story);
        let mut failing = self
            .last(|step| step.is_failed() && step.is_part_of(story))
            .or_else(|| self.last(Step::is_failed))
            .or_else(|| self.last(Step::is_cancelled))?;
        loop {
            let inner = self.steps[failing].cause.or_else(|| {
                let last = self.last_in(failing, |inner| inner.outcome.is_some())?;
                self.steps[last].is_cancelled().then_some(last)
            });
            match inner {
                Some(inner) => failing = inner,
                None => return Some(failing),
            }
        }
    }

    /// The last step that is in no other and as `wanted`.
    fn last(&self, wanted: impl Fn(&Step) -> bool) -> Option<usize> {
        let mut steps = self.steps.iter().enumerate();
        let found = steps.rfind(|(_, step)| step.parent.is_none() && wanted(step));
        found.map(|(number, _)| number)
    }

    /// A step, and those that it is in, from the outermost.
    pub(super) fn chain(&self, step: usize) -> Vec<&Step> {
        let outwards = std::iter::successors(Some(step), |&step| self.steps[step].parent);
        let mut chain: Vec<&Step> = outwards.map(|step| &self.steps[step]).collect();
        chain.reverse();
        chain
    }
}

impl Step {
    fn is_failed(&self) -> bool {
        self.outcome == Some(Outcome::Failed)
    }

    fn is_cancelled(&self) -> bool {
        self.outcome == Some(Outcome::Cancelled)
    }

    /// Whether its failure is a part of `story`: else somebody got over it.
    pub(super) fn is_part_of(&self, story: &str) -> bool {
        !self.gist.is_empty() && story.contains(&self.gist)
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use crate::report::tests::{fail, failing_steps, step};
    use crate::report::{Outcome, Recorder};

    fn recorded(work: impl FnOnce()) -> Recorder {
        let recorder = Recorder::new("test");
        let subscriber = tracing_subscriber::registry().with(recorder.layer());
        tracing::subscriber::with_default(subscriber, work);
        recorder
    }

    fn summary(recorder: &Recorder) -> String {
        let summary = recorder.summary().to_string();
        let (_, steps) = summary.split_once(" seconds: ").unwrap();
        steps.to_owned()
    }

    #[test]
    fn the_innermost_step_is_the_one() {
        let recorder = recorded(failing_steps);
        // The last step went well.
        assert_eq!(summary(&recorder), "1 machine (server), 3 steps");
        recorder.conclude(
            Outcome::Failed,
            "Traceback\nException: command `false` failed",
        );
        assert_eq!(
            summary(&recorder),
            "1 machine (server), 3 steps\n  subtest: one\n    server: must succeed: false"
        );
    }

    #[test]
    fn a_failure_that_somebody_got_over_is_not_the_one() {
        let recorder = recorded(|| {
            let group = step(None, "group");
            group.in_scope(|| fail(&step(Some("a"), "tried"), "command `x` failed"));
            fail(&group, "AssertionError: 1 != 2");
        });
        recorder.conclude(Outcome::Failed, "AssertionError: 1 != 2");
        assert_eq!(summary(&recorder), "1 machine (a), 2 steps\n  group");
    }

    #[test]
    fn a_run_that_was_given_up_was_at_something() {
        let recorder = recorded(|| {
            let group = step(None, "group");
            group.in_scope(|| drop(step(Some("a"), "waiting for Godot")));
            fail(&group, "GlobalTimeout");
        });
        recorder.conclude(Outcome::TimedOut, "GlobalTimeout");
        assert!(summary(&recorder).ends_with("  group\n    a: waiting for Godot"));
        let summary = recorder.summary().to_string();
        assert!(summary.starts_with("test ran out of time in "), "{summary}");
    }
}
