//! A run in a few lines.

use std::fmt;
use std::time::Duration;

use super::record::{Outcome, Record};
use crate::INFRASTRUCTURE;

/// A run in a few lines: its `Display` form is for the end of a log.
///
/// ```text
/// web failed in 31.2 seconds: 2 machines (client, server), 48 steps
///   subtest: the client reaches it
///     client: must succeed: curl --fail http://server/
/// ```
#[derive(Clone, Debug)]
pub struct Summary {
    title: String,
    outcome: Outcome,
    took: Duration,
    machines: Vec<String>,
    steps: usize,
    /// The step that failed, in those that it is in.
    failing: Vec<String>,
    /// Whether what is under test has nothing to do with it.
    is_infrastructure: bool,
}

impl Summary {
    pub(super) fn of(record: &Record) -> Self {
        let failing_step = record.failing();
        let chain = failing_step.map(|step| record.chain(step));
        let failing = chain.into_iter().flatten().map(|step| {
            let what = step.what.lines().next().unwrap_or_default();
            match step.machine {
                Some(machine) => format!("{}: {what}", record.machines[machine].name),
                None => what.to_owned(),
            }
        });
        let machines = record.machines.iter().map(|machine| machine.name.clone());
        let story = record.conclusion.as_ref().map(|(_, story)| story);
        let story = story.or_else(|| Some(&record.steps[failing_step?].error));
        let done = record.steps.iter().filter(|step| step.outcome.is_some());
        Self {
            title: record.title.clone(),
            outcome: record.outcome(),
            took: record.now().0,
            machines: machines.collect(),
            steps: done.count(),
            failing: failing.collect(),
            is_infrastructure: record.outcome() != Outcome::Passed
                && story.is_some_and(|story| story.contains(INFRASTRUCTURE)),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "was interrupted",
            Outcome::TimedOut => "ran out of time",
        };
        let seconds = self.took.as_secs_f64();
        write!(f, "{} {outcome} in {seconds:.1} seconds: ", self.title)?;
        match self.machines.as_slice() {
            [] => f.write_str("no machine")?,
            [name] => write!(f, "1 machine ({name})")?,
            names => write!(f, "{} machines ({})", names.len(), names.join(", "))?,
        }
        match self.steps {
            1 => f.write_str(", 1 step")?,
            steps => write!(f, ", {steps} steps")?,
        }
        for (what, depth) in self.failing.iter().zip(1..) {
            write!(f, "\n{:1$}{what}", "", 2 * depth)?;
        }
        if self.is_infrastructure {
            write!(f, "\n  {INFRASTRUCTURE}")?;
        }
        Ok(())
    }
}
