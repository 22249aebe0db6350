//! What a run was: its steps, what was said in them, consoles, pictures.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tracing::{Level, Metadata};

use super::console::Console;
use super::fields::Fields;
use super::files::Files;
use super::log_entry::{Entry, Said};
use super::outcome::{Failure, Outcome};
use super::pictures::Pictures;
use super::subscriber::Listener;
use super::timestamp::Moment;
use super::truncated::{room, safe};
use crate::trace::{CONSOLE, OUTPUT};

/// The most steps that are kept.
const MOST_STEPS: usize = 50_000;

/// From how many on there is no place for what is only said, and a step that passes gives
/// its place back if nothing came after it: so that there is one for a step that fails.
const FEW_STEPS: usize = 40_000;

/// The most things said in steps that are kept.
const MOST_ENTRIES: usize = 200_000;

/// The longest text of a step or of what is said, in bytes.
const LONGEST: usize = 8 * 1024;

/// The longest message of a failure, in bytes.
pub(super) const LONGEST_MESSAGE: usize = 64 * 1024;

/// The most that is kept of the words on a picture, in bytes.
const LONGEST_WORDS: usize = 512 * 1024;

/// Everything that is known of a run.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) title: String,
    pub(super) began: Instant,
    pub(super) date: SystemTime,
    pub(super) conclusion: Option<(Outcome, Option<Failure>)>,
    pub(super) machines: Vec<Machine>,
    pub(super) steps: Vec<Step>,
    pub(super) pictures: Pictures,
    pub(super) files: Files,
    /// The steps that go on.
    open: HashMap<u64, usize>,
    entries: usize,
    /// What there was no place for.
    pub(super) left_out: usize,
    /// What the last step came to that was in no other.
    pub(super) last_outcome: Outcome,
    /// Steps that failed last, with their messages.
    pub(super) last_failures: VecDeque<(usize, String)>,
}

/// A machine that was heard of.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) console: Console,
}

/// Something that was done, or said where nothing was done.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) machine: Option<usize>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) kind: String,
    pub(super) what: String,
    pub(super) start: Moment,
    /// None as long as it goes on.
    pub(super) end: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) error: String,
    #[serde(skip)]
    pub(super) error_id: Option<u64>,
    #[serde(skip)]
    pub(super) infrastructure: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entries: Vec<Entry>,
}

impl Step {
    fn new(
        parent: Option<usize>,
        machine: Option<usize>,
        kind: String,
        what: String,
        start: Moment,
    ) -> Self {
        Self {
            parent,
            machine,
            kind,
            what,
            start,
            end: None,
            outcome: None,
            error: String::new(),
            error_id: None,
            infrastructure: false,
            entries: Vec::new(),
        }
    }

    /// How many bytes its texts take on a page.
    fn room(&self) -> usize {
        let entries = self.entries.iter().map(|entry| entry.said.room());
        room(&self.what) + room(&self.error) + entries.sum::<usize>()
    }
}

impl Record {
    pub(super) fn new(title: &str) -> Self {
        Self {
            title: safe(title),
            began: Instant::now(),
            date: SystemTime::now(),
            conclusion: None,
            machines: Vec::new(),
            steps: Vec::new(),
            pictures: Pictures::default(),
            files: Files::default(),
            open: HashMap::new(),
            entries: 0,
            left_out: 0,
            last_outcome: Outcome::Passed,
            last_failures: VecDeque::new(),
        }
    }

    pub(super) fn now(&self) -> Moment {
        Moment::since(self.began)
    }

    fn machine(&mut self, name: &str) -> Option<usize> {
        if name.is_empty() {
            return None;
        }
        let known = self.machines.iter().position(|known| known.name == name);
        Some(known.unwrap_or_else(|| {
            self.machines.push(Machine {
                name: name.to_owned(),
                console: Console::default(),
            });
            self.machines.len() - 1
        }))
    }

    /// Keeps a step, if there are not as many as `most`.
    fn push(&mut self, step: Step, most: usize) -> Option<usize> {
        if self.steps.len() >= most {
            self.left_out += 1;
            return None;
        }
        self.files.add(room(&step.what));
        self.steps.push(step);
        Some(self.steps.len() - 1)
    }

    /// A step that passed gives its place back, if places are rare.
    fn vacate(&mut self, step: usize) {
        if step < FEW_STEPS || step + 1 < self.steps.len() {
            return;
        }
        if let Some(vacated) = self.steps.pop() {
            self.entries -= vacated.entries.len();
            self.files.remove(vacated.room());
            self.left_out += 1;
        }
    }

    /// Keeps what is said in a step. What is said beside the steps of its machine is a step
    /// itself, so that it has its place among them.
    fn say(&mut self, parent: Option<usize>, machine: Option<usize>, seconds: f64, said: Said) {
        let at = self.now();
        let owner = parent.filter(|&step| self.steps[step].machine.is_some());
        if let Some(step) = owner {
            self.add_to(step, Entry { at, said });
            return;
        }
        let (what, kind) = match &said {
            Said::Log { text, .. } => (text.clone(), "note"),
            Said::Command { command, .. } => (command.clone(), "command"),
            Said::Picture { .. } => ("the screen".to_owned(), "picture"),
        };
        let took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let start = Moment(at.0.saturating_sub(took));
        let step = Step {
            end: Some(at),
            ..Step::new(parent, machine, kind.to_owned(), what, start)
        };
        let step = self.push(step, FEW_STEPS);
        let tells_more =
            !matches!(&said, Said::Log { command_line, .. } if command_line.is_empty());
        if let Some(step) = step.filter(|_| tells_more) {
            self.add_to(step, Entry { at, said });
        }
    }

    fn add_to(&mut self, step: usize, entry: Entry) {
        let entries = &mut self.steps[step].entries;
        if let Some(last) = entries.last_mut()
            && last.said.is_repeated_by(&entry.said)
        {
            last.at = entry.at;
            return;
        }
        if self.entries >= MOST_ENTRIES {
            self.left_out += 1;
            return;
        }
        self.entries += 1;
        self.files.add(entry.said.room());
        entries.push(entry);
    }
}

impl Listener for Record {
    fn files(&mut self) -> Option<&mut Files> {
        Some(&mut self.files)
    }

    fn begins(&mut self, id: u64, parent: Option<u64>, fields: Fields) {
        let machine = self.machine(&fields.machine);
        let parent = parent.and_then(|id| self.open.get(&id).copied());
        let what = self.files.shorten(fields.what, LONGEST);
        let step = Step::new(parent, machine, fields.kind, what, self.now());
        if let Some(step) = self.push(step, MOST_STEPS) {
            self.open.insert(id, step);
        }
    }

    fn ends(&mut self, id: u64, fields: Fields) {
        let now = self.now();
        let Some(step) = self.open.remove(&id) else {
            return;
        };
        let outcome = match fields.outcome.as_str() {
            "ok" => Outcome::Passed,
            "failed" => Outcome::Failed,
            _ => Outcome::Cancelled,
        };
        self.steps[step].end = Some(now);
        self.steps[step].outcome = Some(outcome);
        if self.steps[step].parent.is_none() {
            self.last_outcome = outcome;
        }
        match outcome {
            Outcome::Passed => self.vacate(step),
            _ => self.record_failure(step, fields),
        }
    }

    fn says(&mut self, step: Option<u64>, about: &Metadata<'_>, fields: Fields) {
        let machine = self.machine(&fields.machine);
        if about.target() == CONSOLE {
            let now = self.now();
            if let Some(machine) = machine {
                let console = &mut self.machines[machine].console;
                console.push(now, &fields.message, &mut self.files);
            }
            return;
        }
        let parent = step.and_then(|id| self.open.get(&id).copied());
        let seconds = fields.seconds.unwrap_or_default();
        let files = &self.files;
        let said = if about.target() == OUTPUT {
            Said::Command {
                command: files.shorten(fields.command, LONGEST),
                status: fields.status,
                output: fields.output,
                error: files.shorten(fields.error, LONGEST_MESSAGE),
                times: 1,
            }
        } else if fields.png.is_empty() {
            Said::Log {
                level: level(*about.level()),
                text: files.shorten(fields.message, LONGEST),
                command_line: files.shorten(fields.command_line, LONGEST),
            }
        } else {
            Said::Picture {
                picture: self.pictures.add(fields.png),
                path: safe(&fields.path),
                text: files.shorten(fields.text, LONGEST_MESSAGE),
                words: files.whole(fields.words, LONGEST_WORDS),
            }
        };
        self.say(parent, machine, seconds, said);
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        _ => "info",
    }
}
