//! A log for a terminal, in the format of the NixOS test driver.

use std::collections::HashMap;
use std::fmt;
use std::io::Write as _;
use std::time::Instant;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::subscriber::{Report, ReportLayer};
use super::truncated::escaped;
use crate::trace::{CONSOLE, FAILED, OK};

/// The colours of machines' names. Red and yellow mark errors and warnings.
const COLOURS: [u8; 8] = [36, 32, 35, 34, 96, 92, 95, 94];

/// Writes a live log: steps with their durations, messages, and the lines of consoles.
///
/// ```text
/// server: must succeed: systemctl start nginx
/// server # [    3.141592] systemd[1]: Starting nginx.service
/// server: (finished: must succeed: systemctl start nginx, in 0.14 seconds)
/// ```
pub struct Terminal<W> {
    writer: W,
    has_colours: bool,
    shows_consoles: Box<dyn Fn() -> bool + Send>,
    running: HashMap<u64, RunningStep>,
}

struct RunningStep {
    parent: Option<u64>,
    machine: String,
    what: String,
    start: Instant,
    /// The failure of an inner step, whose message is in the log already.
    logged_failure: Option<u64>,
}

impl<W> Terminal<W>
where
    W: for<'a> MakeWriter<'a> + Send + 'static,
{
    /// Writes to `writer`, such as `std::io::stderr`.
    pub fn new(writer: W) -> Self {
        Self {
            writer,
            has_colours: false,
            shows_consoles: Box::new(|| true),
            running: HashMap::new(),
        }
    }

    /// Whether names and outcomes are coloured. The default is `false`.
    #[must_use]
    pub fn colours(mut self, has_colours: bool) -> Self {
        self.has_colours = has_colours;
        self
    }

    /// Shows the lines of consoles only while `shows_consoles` returns `true`.
    #[must_use]
    pub fn consoles(mut self, shows_consoles: impl Fn() -> bool + Send + 'static) -> Self {
        self.shows_consoles = Box::new(shows_consoles);
        self
    }

    /// The layer that writes the log.
    pub fn layer<S>(self) -> impl Layer<S> + Send + Sync + use<S, W>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        ReportLayer::new(self).layer(Level::DEBUG)
    }

    /// Writes a line, escaped: it may contain a guest's output.
    fn write(&self, machine: &str, separator: &str, style: &str, text: &str) {
        let text = self.styled(style, &escaped(text));
        let line = if machine.is_empty() {
            format!("{text}\n")
        } else {
            let name = self.styled(&colour(machine).to_string(), &escaped(machine));
            format!("{name}{separator}{text}\n")
        };
        // There is nowhere to report that the log cannot be written.
        let _ = self.writer.make_writer().write_all(line.as_bytes());
    }

    fn styled(&self, style: &str, text: &str) -> String {
        if self.has_colours && !style.is_empty() {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

impl<W> Report for Terminal<W>
where
    W: for<'a> MakeWriter<'a> + Send + 'static,
{
    fn start_step(&mut self, step: u64, parent: Option<u64>, fields: Fields) {
        self.write(&fields.machine, ": ", "1", &fields.what);
        let running = RunningStep {
            parent,
            machine: fields.machine,
            what: fields.what,
            start: Instant::now(),
            logged_failure: None,
        };
        self.running.insert(step, running);
    }

    fn end_step(&mut self, step: u64, fields: Fields) {
        let Some(ended) = self.running.remove(&step) else {
            return;
        };
        let (outcome, style) = match fields.outcome.as_str() {
            OK => ("finished", "2"),
            FAILED => ("failed", "31"),
            _ => ("cancelled", "33"),
        };
        let seconds = ended.start.elapsed().as_secs_f64();
        let mut line = format!("({outcome}: {}, in {seconds:.2} seconds)", ended.what);
        // The caller gets the whole message. The log has one line of it, at the innermost step.
        if fields.error_id.is_none() || fields.error_id != ended.logged_failure {
            line = format!("{line} {}", fields.summary());
        }
        self.write(&ended.machine, ": ", style, line.trim_end());
        if let Some(parent) = ended.parent.and_then(|id| self.running.get_mut(&id)) {
            parent.logged_failure = fields.error_id.or(parent.logged_failure);
        }
    }

    fn event(&mut self, _: Option<u64>, metadata: &Metadata<'_>, fields: Fields) {
        let is_console = metadata.target() == CONSOLE;
        if is_console && !(self.shows_consoles)() || fields.message.is_empty() {
            return;
        }
        let (separator, style) = match *metadata.level() {
            _ if is_console => (" # ", "2"),
            Level::ERROR => (": ", "31"),
            Level::WARN => (": ", "33"),
            _ => (": ", ""),
        };
        self.write(&fields.machine, separator, style, &fields.message);
    }
}

/// The colour of a machine's name, which depends on the name only.
fn colour(name: &str) -> u8 {
    let hash = name.bytes().fold(5381_usize, |hash, byte| {
        hash.wrapping_mul(33) ^ usize::from(byte)
    });
    COLOURS[hash % COLOURS.len()]
}

impl<W> fmt::Debug for Terminal<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::report::tests::{Sink, failing_steps, step};

    fn log(colours: bool) -> String {
        let sink = Sink::default();
        let terminal = Terminal::new(sink.clone()).colours(colours);
        let subscriber = tracing_subscriber::registry().with(terminal.layer());
        tracing::subscriber::with_default(subscriber, failing_steps);
        let log = sink.text();
        let seconds = regex::Regex::new(r"in \d+\.\d\d seconds").unwrap();
        seconds.replace_all(&log, "in S seconds").into_owned()
    }

    #[test]
    fn the_format_of_the_reference() {
        assert_eq!(
            log(false),
            "subtest: one\n\
             a word\n\
             server: must succeed: false\n\
             server # a line\n\
             server: (failed: must succeed: false, in S seconds) command `false` failed\n\
             (failed: subtest: one, in S seconds)\n\
             server: waiting\n\
             server: (finished: waiting, in S seconds)\n"
        );
    }

    #[test]
    fn with_colours() {
        let log = log(true);
        let name = format!("\x1b[{}mserver\x1b[0m: ", colour("server"));
        assert_eq!(log.matches(&name).count(), 4, "{log:?}");
        assert!(log.contains("\x1b[31m(failed: must succeed"), "{log:?}");
    }

    #[test]
    fn a_failure_is_logged_by_its_summary() {
        let sink = Sink::default();
        let subscriber = tracing_subscriber::registry().with(Terminal::new(sink.clone()).layer());
        tracing::subscriber::with_default(subscriber, || {
            let (error, summary) = ("Traceback:\n  line 7\nException: it broke", "it broke");
            let (outcome, script) = (FAILED, step(None, "script"));
            tracing::record_all!(script, outcome = outcome, error = error, summary = summary);
        });
        assert!(
            sink.text().ends_with(" seconds) it broke\n"),
            "{}",
            sink.text()
        );
    }

    #[test]
    fn control_characters_are_escaped() {
        let sink = Sink::default();
        let subscriber = tracing_subscriber::registry().with(Terminal::new(sink.clone()).layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(machine = "server", "a guest said \x1b[2J\nand \u{202e}more");
        });
        assert_eq!(
            sink.text(),
            "server: a guest said \\x1b[2J\nand \\u{202e}more\n"
        );
    }

    #[test]
    fn consoles_can_be_hidden() {
        let sink = Sink::default();
        let terminal = Terminal::new(sink.clone()).consoles(|| false);
        let subscriber = tracing_subscriber::registry().with(terminal.layer());
        tracing::subscriber::with_default(subscriber, failing_steps);
        assert!(!sink.text().contains("a line"), "{}", sink.text());
    }
}
