//! A recorded run: its steps with their events, consoles and pictures.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tracing::{Level, Metadata};

use super::console::Console;
use super::fields::Fields;
use super::files::Files;
use super::log_entry::{Content, LogEntry};
use super::outcome::{Failure, Outcome};
use super::pictures::Pictures;
use super::step::Step;
use super::subscriber::Report;
use super::timestamp::Timestamp;
use super::truncated::{escaped, json_len};
use crate::trace::{CONSOLE, FAILED, OK, OUTPUT};

/// The maximum number of steps.
const MAX_STEPS: usize = 50_000;

/// Above this number of steps, events outside of steps are dropped and passed steps
/// evicted, so failures still fit.
const EVICTION_THRESHOLD: usize = 40_000;

/// The maximum number of events within steps.
const MAX_ENTRIES: usize = 200_000;

/// The maximum length of a step's description or a log message, in bytes.
const MAX_TEXT: usize = 8 * 1024;

/// The maximum length of the message of a failure, in bytes.
pub(super) const MAX_MESSAGE: usize = 64 * 1024;

/// The maximum length of the words on a picture with their positions, in bytes.
const MAX_WORDS: usize = 512 * 1024;

/// A recorded run.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) title: String,
    pub(super) start: Instant,
    pub(super) date: SystemTime,
    pub(super) conclusion: Option<(Outcome, Option<Failure>)>,
    pub(super) machines: Vec<Machine>,
    pub(super) steps: Vec<Step>,
    pub(super) pictures: Pictures,
    pub(super) files: Files,
    /// The running steps by their spans.
    running: HashMap<u64, usize>,
    /// The number of events within steps.
    entries: usize,
    /// The number of dropped steps and events.
    pub(super) left_out: usize,
    /// The outcome of the last step at the top level.
    pub(super) last_outcome: Outcome,
    /// The steps that failed last, with their messages.
    pub(super) last_failures: VecDeque<(usize, String)>,
}

#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) console: Console,
}

impl Record {
    pub(super) fn new(title: &str) -> Self {
        Self {
            title: escaped(title),
            start: Instant::now(),
            date: SystemTime::now(),
            conclusion: None,
            machines: Vec::new(),
            steps: Vec::new(),
            pictures: Pictures::default(),
            files: Files::default(),
            running: HashMap::new(),
            entries: 0,
            left_out: 0,
            last_outcome: Outcome::Passed,
            last_failures: VecDeque::new(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now(self.start)
    }

    /// The number of the machine with that name.
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

    /// Adds a step, unless there are `max` steps.
    fn add_step(&mut self, step: Step, max: usize) -> Option<usize> {
        if self.steps.len() >= max {
            self.left_out += 1;
            return None;
        }
        self.files.add_to_page(json_len(&step.what));
        self.steps.push(step);
        Some(self.steps.len() - 1)
    }

    /// Removes a passed step above the threshold if it is the last one.
    fn evict(&mut self, step: usize) {
        if step < EVICTION_THRESHOLD || step + 1 < self.steps.len() {
            return;
        }
        if let Some(evicted) = self.steps.pop() {
            self.entries -= evicted.entries.len();
            self.files.remove_from_page(evicted.json_len());
            self.left_out += 1;
        }
    }

    /// Adds an event to its step. An event outside of its machine's steps becomes a step
    /// itself, which gives it its position among them.
    fn add_event(
        &mut self,
        parent: Option<usize>,
        machine: Option<usize>,
        seconds: f64,
        content: Content,
    ) {
        let at = self.now();
        let owner = parent.filter(|&step| self.steps[step].machine.is_some());
        if let Some(step) = owner {
            self.add_entry(step, LogEntry { at, content });
            return;
        }
        let (what, kind) = match &content {
            Content::Log { text, .. } => (text.clone(), "note"),
            Content::Command { command, .. } => (command.clone(), "command"),
            Content::Picture { .. } => ("the screen".to_owned(), "picture"),
        };
        let took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let start = Timestamp(at.0.saturating_sub(took));
        let step = Step {
            end: Some(at),
            ..Step::new(parent, machine, kind.to_owned(), what, start)
        };
        let step = self.add_step(step, EVICTION_THRESHOLD);
        let is_only_text =
            matches!(&content, Content::Log { command_line, .. } if command_line.is_empty());
        if let Some(step) = step.filter(|_| !is_only_text) {
            self.add_entry(step, LogEntry { at, content });
        }
    }

    fn add_entry(&mut self, step: usize, entry: LogEntry) {
        let entries = &mut self.steps[step].entries;
        if let Some(last) = entries.last_mut()
            && last.content.merge(&entry.content)
        {
            last.at = entry.at;
            return;
        }
        if self.entries >= MAX_ENTRIES {
            self.left_out += 1;
            return;
        }
        self.entries += 1;
        self.files.add_to_page(entry.content.json_len());
        entries.push(entry);
    }

    /// The content of an event, with its texts truncated.
    fn content(&mut self, metadata: &Metadata<'_>, fields: Fields) -> Content {
        let files = &self.files;
        if metadata.target() == OUTPUT {
            return Content::Command {
                command: files.shorten(fields.command, MAX_TEXT),
                status: fields.status,
                output: fields.output,
                error: files.shorten(fields.error, MAX_MESSAGE),
                times: 1,
            };
        }
        if fields.png.is_empty() {
            return Content::Log {
                level: level(*metadata.level()),
                text: files.shorten(fields.message, MAX_TEXT),
                command_line: files.shorten(fields.command_line, MAX_TEXT),
            };
        }
        Content::Picture {
            picture: self.pictures.add(fields.png),
            path: escaped(&fields.path),
            text: files.shorten(fields.text, MAX_MESSAGE),
            words: files.whole_or_nothing(fields.words, MAX_WORDS),
        }
    }
}

impl Report for Record {
    fn files(&mut self) -> Option<&mut Files> {
        Some(&mut self.files)
    }

    fn start_step(&mut self, id: u64, parent: Option<u64>, fields: Fields) {
        let machine = self.machine(&fields.machine);
        let parent = parent.and_then(|id| self.running.get(&id).copied());
        let what = self.files.shorten(fields.what, MAX_TEXT);
        let step = Step::new(parent, machine, fields.kind, what, self.now());
        if let Some(step) = self.add_step(step, MAX_STEPS) {
            self.running.insert(id, step);
        }
    }

    fn end_step(&mut self, id: u64, fields: Fields) {
        let now = self.now();
        let Some(step) = self.running.remove(&id) else {
            return;
        };
        let outcome = match fields.outcome.as_str() {
            OK => Outcome::Passed,
            FAILED => Outcome::Failed,
            _ => Outcome::Cancelled,
        };
        self.steps[step].end = Some(now);
        self.steps[step].outcome = Some(outcome);
        if self.steps[step].parent.is_none() {
            self.last_outcome = outcome;
        }
        match outcome {
            Outcome::Passed => self.evict(step),
            _ => self.record_failure(step, fields),
        }
    }

    fn event(&mut self, step: Option<u64>, metadata: &Metadata<'_>, fields: Fields) {
        let machine = self.machine(&fields.machine);
        if metadata.target() == CONSOLE {
            let now = self.now();
            if let Some(machine) = machine {
                let console = &mut self.machines[machine].console;
                console.push(now, &fields.message, &mut self.files);
            }
            return;
        }
        let parent = step.and_then(|id| self.running.get(&id).copied());
        let seconds = fields.seconds.unwrap_or_default();
        let content = self.content(metadata, fields);
        self.add_event(parent, machine, seconds, content);
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        _ => "info",
    }
}
