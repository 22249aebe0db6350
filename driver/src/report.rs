//! The reports of a run: the terminal's log, the trace page, the XML log, JUnit XML.

use std::env;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use machine::report::{Failure, Outcome, Recorder, Terminal, XmlLog};
use machine::serial_log::printable;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::junit::{self, Case};
use crate::run::Run;

/// The name of the trace page in the output directory.
const PAGE: &str = "trace.html";

/// The environment variable with the path of the XML log, as for the reference driver.
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
    /// Subscribes the reports to all spans and events from now on. The log has colours if
    /// standard error is a terminal and `NO_COLOR` is not set.
    pub(crate) fn begin(run: &Run) -> Result<Self, String> {
        let path = env::var_os(LOGFILE).filter(|path| !path.is_empty());
        let xml_log = path.map(|path| {
            let path = PathBuf::from(path);
            XmlLog::create(&path).map_err(|error| format!("{}: {error}", path.display()))
        });
        if let Some(path) = &run.junit_xml {
            remove_old(path)?;
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

    /// The time since the start of the run.
    pub(crate) fn elapsed(&self) -> Duration {
        self.recorder.elapsed()
    }

    /// The log between two times of [`elapsed`](Self::elapsed).
    pub(crate) fn log(&self, from: Duration, to: Duration) -> String {
        self.recorder.log(from, to)
    }

    /// Writes JUnit XML for a run that failed before any of its parts ended, if requested.
    pub(crate) fn write_junit(&self, failure: &Failure) -> Result<(), String> {
        let Some(path) = &self.junit_xml else {
            return Ok(());
        };
        let time = self.elapsed();
        let whole = Case {
            name: junit::MAIN.to_owned(),
            time,
            failure: Some(failure.clone()),
            output: self.log(Duration::ZERO, time),
        };
        let log = whole.output.clone();
        junit::write(path, &self.name, vec![whole], &log)
    }

    /// Writes the trace page and closes the XML log, then prints the summary with a note,
    /// and the path of the page.
    pub(crate) fn end(&self, outcome: Outcome, failure: Option<Failure>, note: Option<&str>) {
        let written = self.write(outcome, failure);
        print(&self.recorder.summary().to_string());
        if let Some(note) = note {
            print(&format!("  {}", printable(note)));
        }
        match written {
            Ok(()) => print(&format!("trace: {}", self.page.display())),
            Err(error) => print(&format!("no trace: {}: {error}", self.page.display())),
        }
    }

    /// Writes the trace page and closes the XML log.
    pub(crate) fn write(&self, outcome: Outcome, failure: Option<Failure>) -> io::Result<()> {
        self.recorder.conclude(outcome, failure);
        if let Some(Err(error)) = self.xml_log.as_ref().map(XmlLog::close) {
            print(&format!("the XML log is incomplete: {error}"));
        }
        self.recorder.write_page(&self.page)
    }
}

/// Prints to standard error, which may be closed.
fn print(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Removes the report of an earlier run, which could be mistaken for this run's if this one
/// writes none. If the file can't be removed, it is emptied.
fn remove_old(path: &Path) -> Result<(), String> {
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if !is_file || fs::remove_file(path).is_ok() {
        return Ok(());
    }
    let emptied = fs::write(path, "");
    emptied.map_err(|error| format!("{}: {error}", path.display()))
}
