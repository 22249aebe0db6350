//! A log in the XML format of the NixOS test driver.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::subscriber::{Report, ReportLayer};
use super::truncated::escaped;
use crate::trace::{CONSOLE, FAILED, OK};

/// Writes a live log in the XML format of the NixOS test driver: a step is a `nest` with a
/// `head`, a message or console line is a `line`.
///
/// Steps of several threads that overlap are nested, too, though neither is within the other.
#[derive(Clone)]
pub struct XmlLog {
    log: ReportLayer<Log>,
}

struct Log {
    /// `None` once the log is closed or could not be written.
    writer: Option<Writer<BufWriter<File>>>,
    /// Why the log could not be written.
    failure: Option<io::Error>,
    /// The open elements, from the outermost.
    open: Vec<Nest>,
}

struct Nest {
    step: u64,
    machine: String,
    what: String,
    start: Instant,
    has_ended: bool,
}

impl XmlLog {
    /// Starts a log in a new file.
    ///
    /// # Errors
    /// The operating system's.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let mut writer = Writer::new(BufWriter::new(File::create(path)?));
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
        writer.write_event(Event::Start(BytesStart::new("logfile")))?;
        let open = Vec::new();
        let log = ReportLayer::new(Log {
            writer: Some(writer),
            failure: None,
            open,
        });
        Ok(Self { log })
    }

    /// The layer that writes the log.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.log.layer(Level::DEBUG)
    }

    /// Ends all open elements. Later steps and events are not logged.
    ///
    /// # Errors
    /// The operating system's, if the log is incomplete.
    pub fn close(&self) -> io::Result<()> {
        self.log.with(|log| {
            while let Some(nest) = log.open.pop() {
                if !nest.has_ended {
                    log.line(&nest.machine, None, &nest.end_line("cancelled"));
                }
                log.write(|writer| end(writer, "nest"));
            }
            log.write(|writer| end(writer, "logfile"));
            match (log.writer.take(), log.failure.take()) {
                (Some(writer), None) => writer.into_inner().flush(),
                (_, Some(failure)) => Err(failure),
                (None, None) => Ok(()),
            }
        })
    }
}

impl fmt::Debug for XmlLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XmlLog").finish_non_exhaustive()
    }
}

impl Nest {
    fn end_line(&self, outcome: &str) -> String {
        let seconds = self.start.elapsed().as_secs_f64();
        format!("({outcome}: {}, in {seconds:.2} seconds)", self.what)
    }
}

impl Log {
    /// Writes until the first error, which is returned when the log is closed: it does not
    /// fail the test.
    fn write(&mut self, write: impl FnOnce(&mut Writer<BufWriter<File>>) -> io::Result<()>) {
        if let Some(Err(error)) = self.writer.as_mut().map(write) {
            self.writer = None;
            // It cannot be logged here: `tracing` is emitting an event.
            self.failure = Some(error);
        }
    }

    fn line(&mut self, machine: &str, kind: Option<&str>, text: &str) {
        self.write(|writer| {
            element(writer, "line", machine, kind, text)?;
            writer.get_mut().flush()
        });
    }
}

impl Report for Log {
    fn start_step(&mut self, step: u64, _: Option<u64>, fields: Fields) {
        self.write(|writer| {
            writer.write_event(Event::Start(BytesStart::new("nest")))?;
            element(writer, "head", &fields.machine, None, &fields.what)
        });
        self.open.push(Nest {
            step,
            machine: fields.machine,
            what: fields.what,
            start: Instant::now(),
            has_ended: false,
        });
    }

    fn end_step(&mut self, step: u64, fields: Fields) {
        let Some(nest) = self.open.iter_mut().find(|nest| nest.step == step) else {
            return;
        };
        nest.has_ended = true;
        let machine = nest.machine.clone();
        let line = nest.end_line(match fields.outcome.as_str() {
            OK => "finished",
            FAILED => "failed",
            _ => "cancelled",
        });
        self.line(&machine, None, &line);
        // An element is closed after those within it.
        while self.open.pop_if(|nest| nest.has_ended).is_some() {
            self.write(|writer| end(writer, "nest"));
        }
    }

    fn event(&mut self, _: Option<u64>, metadata: &Metadata<'_>, fields: Fields) {
        if !fields.message.is_empty() {
            let kind = (metadata.target() == CONSOLE).then_some("serial");
            self.line(&fields.machine, kind, &fields.message);
        }
    }
}

fn element<W: io::Write>(
    writer: &mut Writer<W>,
    name: &str,
    machine: &str,
    kind: Option<&str>,
    text: &str,
) -> io::Result<()> {
    let mut start = BytesStart::new(name);
    if !machine.is_empty() {
        start.push_attribute(("machine", xml_text(machine).as_str()));
    }
    if let Some(kind) = kind {
        start.push_attribute(("type", kind));
    }
    writer.write_event(Event::Start(start))?;
    writer.write_event(Event::Text(BytesText::new(&xml_text(text))))?;
    end(writer, name)
}

/// Escapes or replaces the characters that XML does not allow.
fn xml_text(text: &str) -> String {
    escaped(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

fn end<W: io::Write>(writer: &mut Writer<W>, name: &str) -> io::Result<()> {
    writer.write_event(Event::End(BytesEnd::new(name)))
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::report::tests::{failing_steps, step};

    fn log(work: impl FnOnce()) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = XmlLog::create(file.path()).unwrap();
        let subscriber = tracing_subscriber::registry().with(log.layer());
        tracing::subscriber::with_default(subscriber, work);
        log.close().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        // Fails if tags do not match.
        let mut reader = Reader::from_str(&text);
        while !matches!(reader.read_event().unwrap(), Event::Eof) {}
        text
    }

    #[test]
    fn steps_are_nested() {
        let text = log(failing_steps);
        for part in [
            "<logfile><nest><head>subtest: one</head><line>a word</line>",
            "<nest><head machine=\"server\">must succeed: false</head>",
            "<line machine=\"server\" type=\"serial\">a line</line>",
            "<line machine=\"server\">(failed: must succeed: false, in 0.",
            "</nest></logfile>",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert_eq!(
            text.matches("<nest>").count(),
            text.matches("</nest>").count()
        );
    }

    #[test]
    fn overlapping_steps_are_nested() {
        let text = log(|| {
            let (one, other) = (step(Some("a"), "one"), step(Some("b"), "other"));
            one.record(crate::trace::field::OUTCOME, OK);
            tracing::info!("between");
            drop(other);
        });
        let order = [
            "one<",
            "other<",
            "(finished: one",
            "between",
            "(cancelled: other",
            "</nest></nest>",
        ];
        let positions: Vec<usize> = order.iter().map(|part| text.find(part).unwrap()).collect();
        assert!(positions.is_sorted(), "{text}");
    }

    #[test]
    fn running_steps_end_with_the_log() {
        let mut running = None;
        let text = log(|| running = Some(step(None, "endless")));
        assert!(text.contains("(cancelled: endless, in "), "{text}");
    }

    #[test]
    fn characters_that_xml_does_not_allow() {
        let text = log(|| tracing::info!("{}", "<a> & \u{1b}[1m \u{ffff}"));
        assert!(
            text.contains("<line>&lt;a&gt; &amp; \\x1b[1m \u{fffd}</line>"),
            "{text}"
        );
    }
}
