//! What is told of a run: the log on the terminal, the trace page, the XML log.

use std::env;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use machine::report::{Outcome, Recorder, Terminal, XmlLog};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::junit::{self, Case};
use crate::run::Run;

/// The page's name in the output directory.
const PAGE: &str = "trace.html";

/// What the reference driver has its log's path in.
const LOGFILE: &str = "LOGFILE";

/// Whether the terminal's log has the lines of consoles.
static SHOWS_CONSOLES: AtomicBool = AtomicBool::new(true);

/// Shows the lines of consoles in the terminal's log, or hides them, from now on.
pub(crate) fn show_consoles(show: bool) {
    SHOWS_CONSOLES.store(show, Ordering::Relaxed);
}

/// The reports of a run.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    recorder: Recorder,
    xml_log: Option<XmlLog>,
    page: PathBuf,
    junit_xml: Option<PathBuf>,
    name: String,
}

impl Report {
    /// Begins them: from here on, all that is told is in them. The terminal's is in colours
    /// if it is one, and `NO_COLOR` is not set.
    pub(crate) fn begin(run: &Run) -> Result<Self, String> {
        let path = env::var_os(LOGFILE).filter(|path| !path.is_empty());
        let xml_log = path.map(|path| {
            let path = PathBuf::from(path);
            XmlLog::create(&path).map_err(|error| format!("{}: {error}", path.display()))
        });
        if let Some(path) = &run.junit_xml {
            forget(path)?;
        }
        let name = run.name();
        let report = Self {
            recorder: Recorder::new(&name),
            xml_log: xml_log.transpose()?,
            page: run.out_dir.join(PAGE),
            junit_xml: run.junit_xml.clone(),
            name,
        };
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let terminal = Terminal::new(io::stderr)
            .colours(io::stderr().is_terminal() && !no_color)
            .consoles(|| SHOWS_CONSOLES.load(Ordering::Relaxed));
        tracing_subscriber::registry()
            .with(terminal.layer())
            .with(report.recorder.layer())
            .with(report.xml_log.as_ref().map(XmlLog::layer))
            .init();
        Ok(report)
    }

    /// Seconds since the run's beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.recorder.elapsed()
    }

    /// What was told between two times.
    pub(crate) fn log(&self, from: Duration, to: Duration) -> String {
        self.recorder.log(from, to)
    }

    /// Has a run without parts in JUnit's report, if there is to be one.
    pub(crate) fn write_junit(&self, story: &str) -> Result<(), String> {
        let Some(path) = &self.junit_xml else {
            return Ok(());
        };
        let time = self.elapsed();
        let whole = Case {
            name: self.name.clone(),
            time,
            wrong: Some(story.to_owned()),
            output: self.log(Duration::ZERO, time),
        };
        junit::write(path, &self.name, vec![whole])
    }

    /// Ends them, with the story of what went wrong, if something did. The last line says
    /// where the page is.
    pub(crate) fn end(&self, outcome: Outcome, story: &str) {
        let written = self.write(outcome, story);
        say(&self.recorder.summary().to_string());
        match written {
            Ok(()) => say(&format!("trace: {}", self.page.display())),
            Err(error) => say(&format!("no trace: {}: {error}", self.page.display())),
        }
    }

    /// The same for a script in which nothing can begin, without a word.
    pub(crate) fn write(&self, outcome: Outcome, story: &str) -> io::Result<()> {
        self.recorder.conclude(outcome, story);
        if let Some(Err(error)) = self.xml_log.as_ref().map(XmlLog::close) {
            say(&format!("the XML log is not whole: {error}"));
        }
        self.recorder.write_page(&self.page)
    }
}

/// Says it on standard error, which may be closed.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Removes a report, which would be taken for this run's should that come to none; or
/// empties it, if others hold it there.
fn forget(path: &Path) -> Result<(), String> {
    if !fs::metadata(path).is_ok_and(|there| there.is_file()) || fs::remove_file(path).is_ok() {
        return Ok(());
    }
    let emptied = fs::write(path, "");
    emptied.map_err(|error| format!("{}: {error}", path.display()))
}
