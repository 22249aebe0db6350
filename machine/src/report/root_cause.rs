//! Which step it is that a run failed in.

use super::record::{LONGEST_STORY, Outcome, Record, Step};
use super::truncated::{room, shortened};

/// How much of a failure's first line tells it from others, in bytes.
const LONGEST_GIST: usize = 512;

/// Of how many failures, the last ones, the story is kept whole.
const WHOLE_STORIES: usize = 16;

impl Record {
    /// How the run ended: as was said, or as its last step did.
    pub(super) fn outcome(&self) -> Outcome {
        let conclusion = self.conclusion.as_ref();
        conclusion.map_or(self.last_outcome, |(outcome, _)| *outcome)
    }

    /// The innermost step that failed, for whose sake those around it did, too. Where a
    /// run was given up, what it was at then.
    pub(super) fn failing(&self) -> Option<usize> {
        if self.outcome() == Outcome::Passed {
            return None;
        }
        let story = self.conclusion.as_ref().map_or("", |(_, story)| story);
        let mut failing = self
            .last(None, |step| step.is_failed() && step.is_part_of(story))
            .or_else(|| self.last(None, Step::is_failed))
            .or_else(|| self.last(None, Step::is_cancelled))?;
        loop {
            let inner = self.steps[failing].cause.or_else(|| {
                let last = self.last(Some(failing), |inner| inner.outcome.is_some())?;
                self.steps[last].is_cancelled().then_some(last)
            });
            match inner {
                Some(inner) => failing = inner,
                None => return Some(failing),
            }
        }
    }

    /// The last step that is directly in another, or in none, and as `wanted`.
    fn last(&self, parent: Option<usize>, wanted: impl Fn(&Step) -> bool) -> Option<usize> {
        // A step comes before all that are in it.
        let first = parent.map_or(0, |parent| parent + 1);
        let mut steps = self.steps.iter().enumerate().skip(first);
        let found = steps.rfind(|(_, step)| step.parent == parent && wanted(step));
        found.map(|(number, _)| number)
    }

    /// Keeps why a step did not pass, and what made it. That is found now that its story is
    /// whole.
    pub(super) fn fails(&mut self, number: usize, story: String) {
        let story = shortened(story, LONGEST_STORY);
        let cause = self.last(Some(number), |inner| {
            inner.is_failed() && inner.is_part_of(&story)
        });
        let error = self.files.shorten(story.clone(), LONGEST_STORY);
        self.files.add(room(&error));
        let gist = story.lines().next().unwrap_or_default();
        let gist = &gist[..gist.floor_char_boundary(LONGEST_GIST)];
        let step = &mut self.steps[number];
        (step.gist, step.cause, step.error) = (gist.to_owned(), cause, error);
        if self.last_failures.len() == WHOLE_STORIES {
            self.last_failures.pop_front();
        }
        self.last_failures.push_back((number, story));
    }

    /// Makes the stories of the last failures whole, however much text there is.
    pub(super) fn restore_last_failures(&mut self) {
        for (step, story) in &self.last_failures {
            self.steps[*step].error.clone_from(story);
        }
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
    fn is_part_of(&self, story: &str) -> bool {
        !self.gist.is_empty() && story.contains(&self.gist)
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use crate::INFRASTRUCTURE;
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
    fn a_failure_of_the_host_is_called_one() {
        let recorder = recorded(|| drop(step(Some("a"), "starting vm")));
        recorder.conclude(Outcome::Failed, &format!("no QEMU\n  {INFRASTRUCTURE}"));
        assert!(summary(&recorder).ends_with(INFRASTRUCTURE));
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
