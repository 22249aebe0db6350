//! The summary of a run.

use std::fmt;
use std::time::Duration;

use super::outcome::Outcome;
use super::record::Record;

/// The last line of the summary of a run that the infrastructure failed.
pub(super) const INFRASTRUCTURE: &str =
    "the host, QEMU or the image caused this failure, not what is tested";

/// A summary of a run. Its `Display` form is meant for the end of a log.
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
    duration: Duration,
    machines: Vec<String>,
    steps: usize,
    /// The step that failed, after those around it.
    failed_steps: Vec<String>,
    is_infrastructure: bool,
}

impl Summary {
    pub(super) fn of(record: &Record) -> Self {
        let root_cause = record.root_cause();
        let chain = root_cause.map(|step| record.chain(step));
        let failed_steps = chain.into_iter().flatten().map(|step| {
            let what = step.what.lines().next().unwrap_or_default();
            match step.machine {
                Some(machine) => format!("{}: {what}", record.machines[machine].name),
                None => what.to_owned(),
            }
        });
        let machines = record.machines.iter().map(|machine| machine.name.clone());
        let is_infrastructure = match &record.conclusion {
            Some((_, failure)) => failure.as_ref().is_some_and(|it| it.infrastructure),
            None => root_cause.is_some_and(|step| record.steps[step].infrastructure),
        };
        let ended = record.steps.iter().filter(|step| step.outcome.is_some());
        Self {
            title: record.title.clone(),
            outcome: record.outcome(),
            duration: record.now().0,
            machines: machines.collect(),
            steps: ended.count(),
            failed_steps: failed_steps.collect(),
            is_infrastructure,
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
        let seconds = self.duration.as_secs_f64();
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
        for (what, depth) in self.failed_steps.iter().zip(1..) {
            write!(f, "\n{:1$}{what}", "", 2 * depth)?;
        }
        if self.is_infrastructure {
            write!(f, "\n  {INFRASTRUCTURE}")?;
        }
        Ok(())
    }
}
