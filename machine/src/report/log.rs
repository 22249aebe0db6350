//! A part of a run as the lines of a log.

use std::time::Duration;

use super::log_entry::{Content, LogEntry};
use super::outcome::Outcome;
use super::record::Record;
use super::step::Step;
use super::timestamp::Timestamp;
use super::truncated::Truncated;

/// The maximum length of a log, in bytes.
const MAX_LEN: usize = 256 * 1024;

/// The steps, events and console lines between two times.
pub(super) fn between(record: &Record, from: Duration, to: Duration) -> String {
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    for step in &record.steps {
        let prefix = step.machine.map_or(String::new(), |machine| {
            format!("{}: ", record.machines[machine].name)
        });
        step.for_each_line(|at, text| lines.push((at, format!("{prefix}{text}"))));
    }
    for machine in &record.machines {
        let console = machine.console.lines();
        lines.extend(console.map(|line| (line.at, format!("{} # {}", machine.name, line.text))));
    }
    lines.retain(|(at, _)| (from..=to).contains(&at.0));
    // The sort is stable: lines with the same time keep their order.
    lines.sort_by_key(|(at, _)| *at);
    let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    Truncated::new(&lines.join("\n"), MAX_LEN).into_text()
}

impl Step {
    fn for_each_line(&self, mut add: impl FnMut(Timestamp, String)) {
        let what = &self.what;
        add(self.start, what.clone());
        for LogEntry { at, content } in &self.entries {
            match content {
                Content::Log { text, .. } => add(*at, text.clone()),
                Content::Command {
                    output: Some(output),
                    ..
                } => add(*at, output.text.trim_end().to_owned()),
                Content::Picture { path, .. } => add(*at, format!("picture: {path}")),
                Content::Command { .. } => {}
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
        let seconds = end.duration_since(self.start).as_secs_f64();
        add(end, format!("({outcome}: {what}, in {seconds:.2} seconds)"));
    }
}
