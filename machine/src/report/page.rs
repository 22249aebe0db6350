//! The HTML page of a run.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::console;
use super::record::{Machine, Record};
use super::step::Step;
use super::timestamp::Timestamp;

const STYLE: &str = include_str!("page/page.css");

/// The page's script. All files share one scope.
const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("page/run.js"),
    include_str!("page/escapes.js"),
    include_str!("page/list.js"),
    include_str!("page/tree.js"),
    include_str!("page/details.js"),
    include_str!("page/pictures.js"),
    include_str!("page/failure.js"),
    include_str!("page/console.js"),
    include_str!("page/timeline.js"),
    include_str!("page/page.js"),
);

/// The page. Only `data` and `title` contain text from outside.
#[derive(Template)]
#[template(path = "page.html", escape = "html")]
struct Page<'a> {
    title: &'a str,
    style: &'static str,
    script: &'static str,
    /// Browsers run only the script with this hash.
    script_hash: String,
    data: String,
}

/// The input of the page's script.
#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    version: &'static str,
    outcome: &'static str,
    message: &'a str,
    /// Milliseconds since 1970.
    date: u128,
    took: Timestamp,
    /// The number of the step that failed.
    root_cause: Option<usize>,
    left_out: usize,
    /// The directory with the files that the page links to.
    files: String,
    machines: &'a [Machine],
    steps: &'a [Step],
    pictures: Vec<Option<String>>,
}

/// Writes the page atomically, and the files beside it.
pub(super) fn write(record: &mut Record, path: &Path) -> io::Result<()> {
    record.restore_last_failures();
    let consoles = record.machines.iter_mut();
    console::fit_on_page(
        consoles.map(|machine| &mut machine.console),
        &mut record.files,
    );
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let files = format!("{stem}-files");
    record.files.copy_to(&path.with_file_name(&files))?;

    let page = Page {
        title: &record.title,
        style: STYLE,
        script: SCRIPT,
        script_hash: BASE64_STANDARD.encode(Sha256::digest(SCRIPT)),
        data: data(record, files)?,
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let mut file = tempfile::Builder::new();
    file.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let file = file.tempfile_in(dir.unwrap_or(Path::new(".")))?;
    let mut writer = BufWriter::new(file.as_file());
    page.write_into(&mut writer)?;
    writer.flush()?;
    drop(writer);
    // Readers of an earlier page never see a partial new one.
    file.persist(path)
        .map(|_: File| ())
        .map_err(io::Error::from)
}

fn data(record: &Record, files: String) -> io::Result<String> {
    let data = Data {
        title: &record.title,
        version: env!("CARGO_PKG_VERSION"),
        outcome: record.outcome().name(),
        message: record.failure().map_or("", |failure| &failure.message),
        date: record
            .date
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis(),
        took: record.now(),
        root_cause: record.root_cause(),
        left_out: record.left_out,
        files,
        machines: &record.machines,
        steps: &record.steps,
        pictures: record.pictures.urls(),
    };
    // JSON has `<` only in strings. Without it, no text can end the script element.
    Ok(serde_json::to_string(&data)?.replace('<', "\\u003c"))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt as _;

    use crate::report::tests::{FAILURE, fail, failing_steps, step};
    use crate::report::{Failure, Outcome, Recorder};
    use crate::trace;

    /// The page of a recorded run, and its data.
    fn page(work: impl FnOnce(), message: &str) -> (String, Value) {
        let recorder = Recorder::new("<title>");
        let subscriber = tracing_subscriber::registry().with(recorder.layer());
        tracing::subscriber::with_default(subscriber, work);
        let failure = Failure::new(message, Some(FAILURE), false);
        recorder.conclude(Outcome::Failed, Some(failure));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.html");
        recorder.write_page(&path).unwrap();
        // The second page replaces the first.
        recorder.write_page(&path).unwrap();
        let page = std::fs::read_to_string(path).unwrap();
        let (_, data) = page.split_once("type=\"application/json\">").unwrap();
        let (data, _) = data.split_once("</script>").unwrap();
        let data = serde_json::from_str(data).unwrap();
        (page, data)
    }

    #[test]
    fn a_page_has_the_whole_run() {
        let (page, data) = page(failing_steps, "Exception: command `false` failed");
        assert!(page.contains("<title>&#60;title&#62;</title>"), "{page}");
        assert_eq!(data["outcome"], "failed");
        assert_eq!(data["root_cause"], 2);
        let step = &data["steps"][2];
        assert_eq!(step["parent"], 0);
        assert_eq!(step["what"], "must succeed: false");
        let command = &step["entries"][0]["command"];
        assert_eq!(command["status"], 1);
        assert_eq!(command["output"]["text"], "<\\x1b>");
        assert_eq!(data["steps"][1]["kind"], "note");
        let console = &data["machines"][0]["console"];
        assert_eq!(console["lines"][0], "a line");
    }

    #[test]
    fn text_is_never_markup() {
        let evil = "</script><script>alert(1)</script><!--";
        let (page, data) = page(|| tracing::info!("{evil}"), evil);
        assert_eq!(page.matches("</script>").count(), 2, "only the page's own");
        assert!(!page.contains("alert(1)</"), "{page}");
        assert_eq!(data["steps"][0]["what"], evil);
        assert_eq!(data["message"], evil);
    }

    #[test]
    fn equal_results_are_counted() {
        let attempts = || {
            let wait = step(Some("a"), "waiting");
            wait.in_scope(|| {
                for status in [1, 1, 1, 0] {
                    tracing::debug!(target: trace::OUTPUT, machine = "a", command = "x", status);
                }
            });
        };
        let (_, data) = page(attempts, "");
        let entries = data["steps"][0]["entries"].as_array().unwrap();
        let times: Vec<&Value> = entries
            .iter()
            .map(|entry| &entry["command"]["times"])
            .collect();
        assert_eq!(times, [3, 1]);
    }

    #[test]
    fn equal_long_results_are_counted() {
        let attempts = || {
            for end in ["x", "x", "y"] {
                let (command, output) = ("x", "x".repeat(100_000) + end + &"x".repeat(100_000));
                tracing::debug!(target: trace::OUTPUT, machine = "a", command, output);
            }
        };
        let (_, data) = page(|| step(Some("a"), "waiting").in_scope(attempts), "");
        let entries = data["steps"][0]["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 2, "they differ in the part left out");
        assert_eq!(entries[0]["command"]["times"], 2);
    }

    #[test]
    fn the_size_of_a_page_is_limited() {
        let long = "long ".repeat(12_000);
        let much = || {
            for number in 0..300 {
                let step = step(Some("a"), &format!("{number} {long}"));
                step.in_scope(|| {
                    let (command, output) = (&*long, format!("{number} {long}"));
                    tracing::debug!(target: trace::OUTPUT, machine = "a", command, output);
                });
                fail(&step, &format!("{number} {long}"), None);
            }
        };
        let (page, data) = page(much, &long.repeat(100));
        assert!(page.len() < 20 << 20, "{}", page.len());
        let step = &data["steps"][250];
        assert_eq!(step["what"].as_str().unwrap().len(), 2051);
        assert_eq!(step["error"].as_str().unwrap().len(), 2051);
        let cut = &step["entries"][0]["command"]["output"]["cut"];
        assert!(cut["file"].is_string(), "{cut}");
        let last = &data["steps"][299];
        assert_eq!(last["error"].as_str().unwrap().len(), long.len() + 4);
    }

    #[test]
    fn the_root_cause_has_its_whole_message_on_a_long_page() {
        let long = "long ".repeat(1_000);
        let inner = format!("command failed: {long}, and more");
        let outer = format!("Traceback: {long}\nException: {inner}");
        let much = || {
            step(Some("a"), "much").in_scope(|| {
                for number in 0..600 {
                    let output = number.to_string() + &"x".repeat(60_000);
                    tracing::debug!(target: trace::OUTPUT, machine = "a", output);
                }
            });
            let group = step(None, "group");
            group.in_scope(|| {
                fail(&step(Some("a"), "in it"), &inner, Some(FAILURE));
                step(Some("a"), "afterwards").record(trace::field::OUTCOME, trace::OK);
            });
            fail(&group, &outer, Some(FAILURE));
        };
        let (_, data) = page(much, &outer);
        let failing = usize::try_from(data["root_cause"].as_u64().unwrap()).unwrap();
        let failing = &data["steps"][failing];
        assert_eq!(failing["what"], "in it");
        assert_eq!(failing["error"], *inner, "the whole message");
    }

    #[test]
    fn escaped_text_counts_with_its_escaped_length() {
        let much = || {
            step(Some("a"), "much").in_scope(|| {
                for number in 0..400 {
                    let output = number.to_string() + &"<".repeat(60_000);
                    tracing::debug!(target: trace::OUTPUT, machine = "a", output);
                }
            });
            for number in 0..8 {
                let (machine, line) = (format!("m{number}"), "<".repeat(1_000));
                (0..1_500).for_each(|_| {
                    tracing::debug!(target: trace::CONSOLE, machine, "{line}");
                });
            }
        };
        let (page, data) = page(much, "");
        assert!(page.len() < 40 << 20, "{}", page.len());
        assert!(data["machines"][7]["console"]["file"].is_string());
    }

    #[test]
    fn steps_above_the_limit_are_counted() {
        let many = || (0..50_100).for_each(|_| drop(step(None, "s")));
        let (_, data) = page(many, "");
        assert_eq!(data["steps"].as_array().unwrap().len(), 50_000);
        assert_eq!(data["left_out"], 100);
    }

    #[test]
    fn the_root_cause_is_found_above_the_limit_of_steps() {
        let many = || {
            for _ in 0..60_000 {
                tracing::info!("a note");
                step(Some("a"), "passes").record(trace::field::OUTCOME, trace::OK);
            }
            let group = step(None, "group");
            group.in_scope(|| fail(&step(Some("a"), "in it"), "no luck", Some(FAILURE)));
            fail(&group, "Exception: no luck", Some(FAILURE));
        };
        let (_, data) = page(many, "Exception: no luck");
        assert_eq!(data["left_out"], 80_000);
        assert_eq!(data["root_cause"], 40_001);
        assert_eq!(data["steps"][40_001]["what"], "in it");
    }

    #[test]
    fn a_page_without_steps() {
        let (_, data) = page(|| (), "error: no such file");
        assert_eq!(data["root_cause"], Value::Null);
        assert_eq!(data["message"], "error: no such file");
    }
}
