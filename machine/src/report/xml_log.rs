//! The log in the NixOS test driver's XML.

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
use super::subscriber::{Listener, Listening};
use super::truncated::safe;
use crate::trace::CONSOLE;

/// Writes the log in the NixOS test driver's XML, as it happens: what is done is nested as
/// `nest` with its `head`, and what is said is a `line`.
///
/// Steps of several threads that are not within each other are nested all the same, as far
/// as they overlap.
#[derive(Clone)]
pub struct XmlLog {
    log: Listening<Log>,
}

struct Log {
    /// Nothing, once it is closed or could not be written.
    writer: Option<Writer<BufWriter<File>>>,
    /// Why it could not be written.
    failure: Option<io::Error>,
    /// The elements that are open, from the outermost.
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
    /// Begins a log in a new file.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let mut writer = Writer::new(BufWriter::new(File::create(path)?));
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
        writer.write_event(Event::Start(BytesStart::new("logfile")))?;
        let open = Vec::new();
        let log = Listening::new(Log {
            writer: Some(writer),
            failure: None,
            open,
        });
        Ok(Self { log })
    }

    /// The layer for a subscriber that has this written.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.log.layer(Level::DEBUG)
    }

    /// Ends all that is open. What is told from now on is not in the log.
    ///
    /// # Errors
    /// The operating system's, if not all of the log could be written.
    pub fn close(&self) -> io::Result<()> {
        self.log.with(|log| {
            while let Some(nest) = log.open.pop() {
                if !nest.has_ended {
                    log.line(&nest.machine, None, &nest.ended("cancelled"));
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
    fn ended(&self, outcome: &str) -> String {
        let seconds = self.start.elapsed().as_secs_f64();
        format!("({outcome}: {}, in {seconds:.2} seconds)", self.what)
    }
}

impl Log {
    /// Writes as long as that is possible. What was written before a failure is all there
    /// is: the test is not to fail for its log's sake.
    fn write(&mut self, write: impl FnOnce(&mut Writer<BufWriter<File>>) -> io::Result<()>) {
        if let Some(Err(error)) = self.writer.as_mut().map(write) {
            self.writer = None;
            // Not told by `tracing`, which waits for this.
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

impl Listener for Log {
    fn begins(&mut self, step: u64, _: Option<u64>, fields: Fields) {
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

    fn ends(&mut self, step: u64, fields: Fields) {
        let Some(nest) = self.open.iter_mut().find(|nest| nest.step == step) else {
            return;
        };
        nest.has_ended = true;
        let machine = nest.machine.clone();
        let line = nest.ended(match fields.outcome.as_str() {
            "ok" => "finished",
            "failed" => "failed",
            _ => "cancelled",
        });
        self.line(&machine, None, &line);
        // One that another is in stays open until that has ended.
        while self.open.pop_if(|nest| nest.has_ended).is_some() {
            self.write(|writer| end(writer, "nest"));
        }
    }

    fn says(&mut self, _: Option<u64>, about: &Metadata<'_>, fields: Fields) {
        if !fields.message.is_empty() {
            let kind = (about.target() == CONSOLE).then_some("serial");
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
        start.push_attribute(("machine", writable(machine).as_str()));
    }
    if let Some(kind) = kind {
        start.push_attribute(("type", kind));
    }
    writer.write_event(Event::Start(start))?;
    writer.write_event(Event::Text(BytesText::new(&writable(text))))?;
    end(writer, name)
}

/// Without what XML has no way to write.
fn writable(text: &str) -> String {
    safe(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
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
        // Fails where an element is not ended as it was begun.
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
    fn steps_that_overlap_are_elements_all_the_same() {
        let text = log(|| {
            let (one, other) = (step(Some("a"), "one"), step(Some("b"), "other"));
            one.record("outcome", "ok");
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
        let places: Vec<usize> = order.iter().map(|part| text.find(part).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn what_is_under_way_is_ended_with_the_log() {
        let mut kept = None;
        let text = log(|| kept = Some(step(None, "endless")));
        assert!(text.contains("(cancelled: endless, in "), "{text}");
    }

    #[test]
    fn what_xml_has_no_way_to_write_is_written_out() {
        let text = log(|| tracing::info!("{}", "<a> & \u{1b}[1m \u{ffff}"));
        assert!(
            text.contains("<line>&lt;a&gt; &amp; \\x1b[1m \u{fffd}</line>"),
            "{text}"
        );
    }
}
