//! The log on the terminal, in the NixOS test driver's form: `machine: what it does`, and
//! `machine # a line of its console`.

use std::fmt;
use std::io::IsTerminal as _;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Under which the lines of consoles come.
const CONSOLE: &str = "machine::console";

/// Shows the log on standard error; in colours if that is a terminal, and `NO_COLOR` is
/// not set.
pub(crate) fn show_log() {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter("info,machine::console=debug")
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !no_color)
        .event_format(Format)
        .init();
}

struct Format;

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let is_console = event.metadata().target() == CONSOLE;
        #[cfg(feature = "python")]
        if is_console && !crate::python::shows_serial() {
            return Ok(());
        }
        let mut said = Said::default();
        event.record(&mut said);
        let (on, off) = match (*event.metadata().level(), is_console) {
            _ if !writer.has_ansi_escapes() => ("", ""),
            (_, true) => ("\x1b[2m", "\x1b[0m"),
            (Level::ERROR, _) => ("\x1b[31m", "\x1b[0m"),
            (Level::WARN, _) => ("\x1b[33m", "\x1b[0m"),
            _ => ("", ""),
        };
        let Said { machine, message } = said;
        match (machine.as_str(), is_console) {
            ("", _) => writeln!(writer, "{on}{message}{off}"),
            (machine, true) => writeln!(writer, "{machine} # {on}{message}{off}"),
            (machine, false) => writeln!(writer, "{machine}: {on}{message}{off}"),
        }
    }
}

/// The fields of an event that are shown.
#[derive(Default)]
struct Said {
    machine: String,
    message: String,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "machine" => value.clone_into(&mut self.machine),
            "message" => value.clone_into(&mut self.message),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "machine" => self.machine = format!("{value:?}"),
            "message" => self.message = format!("{value:?}"),
            _ => {}
        }
    }
}
