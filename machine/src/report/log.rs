//! A part of a run as lines of a log.

use std::time::Duration;

use super::log_entry::{Entry, Said};
use super::outcome::Outcome;
use super::record::{Record, Step};
use super::timestamp::Moment;
use super::truncated::Kept;

/// The longest log, in bytes.
const LIMIT: usize = 256 * 1024;

/// What was done and said from one time to another.
pub(super) fn between(record: &Record, from: Duration, to: Duration) -> String {
    let mut lines: Vec<(Moment, String)> = Vec::new();
    for step in &record.steps {
        let name = step.machine.map(|machine| &*record.machines[machine].name);
        step.tell(|at, text| {
            lines.push((
                at,
                name.map_or(text.clone(), |name| format!("{name}: {text}")),
            ));
        });
    }
    for machine in &record.machines {
        let console = machine.console.lines();
        lines.extend(console.map(|line| (line.at, format!("{} # {}", machine.name, line.text))));
    }
    lines.retain(|(at, _)| (from..=to).contains(&at.0));
    // What is of one moment stays in its order.
    lines.sort_by_key(|(at, _)| *at);
    let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    Kept::of(&lines.join("\n"), LIMIT).into_text()
}

impl Step {
    /// Tells its lines with their times.
    fn tell(&self, mut tell: impl FnMut(Moment, String)) {
        let what = &self.what;
        tell(self.start, what.clone());
        for Entry { at, said } in &self.entries {
            match said {
                Said::Log { text, .. } => tell(*at, text.clone()),
                Said::Command {
                    output: Some(output),
                    ..
                } => {
                    tell(*at, output.text.trim_end().to_owned());
                }
                Said::Picture { path, .. } => tell(*at, format!("picture: {path}")),
                Said::Command { .. } => {}
            }
        }
        let (Some(end), Some(outcome)) = (self.end, self.outcome) else {
            return;
        };
        let outcome = match outcome {
            Outcome::Passed => "finished",
            Outcome::Failed | Outcome::TimedOut => "failed",
            Outcome::Cancelled => "cancelled",
        };
        let seconds = end.after(self.start).as_secs_f64();
        tell(end, format!("({outcome}: {what}, in {seconds:.2} seconds)"));
    }
}
