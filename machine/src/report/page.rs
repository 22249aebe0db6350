//! The page of a run.

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
use super::outcome::Outcome;
use super::record::{Machine, Record, Step};
use super::timestamp::Moment;

const STYLE: &str = include_str!("page/page.css");

/// The page's program: functions that need each other, in one scope.
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

/// The page. Nothing of a guest's is in it but in `data`.
#[derive(Template)]
#[template(path = "page.html", escape = "html")]
struct Page<'a> {
    title: &'a str,
    style: &'static str,
    script: &'static str,
    /// The only script that a browser is to run on the page.
    script_hash: String,
    data: String,
}

/// What the page's program gets.
#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    version: &'static str,
    outcome: Outcome,
    message: &'a str,
    /// Milliseconds since 1970.
    date: u128,
    took: Moment,
    /// The number of the step that failed.
    root_cause: Option<usize>,
    left_out: usize,
    /// The directory beside the page, of the files that it names.
    files: String,
    machines: &'a [Machine],
    steps: &'a [Step],
    pictures: Vec<Option<String>>,
}

/// Writes the page in one go, and the files beside it.
pub(super) fn write(record: &mut Record, path: &Path) -> io::Result<()> {
    record.restore_last_failures();
    let consoles = record.machines.iter_mut();
    console::fit(
        consoles.map(|machine| &mut machine.console),
        &mut record.files,
    );
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let files = format!("{stem}-files");
    record.files.place(&path.with_file_name(&files))?;

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
    // Whoever looks at an earlier page never sees half of a new one.
    file.persist(path)
        .map(|_: File| ())
        .map_err(io::Error::from)
}

fn data(record: &Record, files: String) -> io::Result<String> {
    let data = Data {
        title: &record.title,
        version: env!("CARGO_PKG_VERSION"),
        outcome: record.outcome(),
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
    // In JSON a `<` can only be in a string. Without one, no text ends the element that
    // this is in.
    Ok(serde_json::to_string(&data)?.replace('<', "\\u003c"))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt as _;

    use crate::report::tests::{FAILURE, fail, failing_steps, step};
    use crate::report::{Failure, Outcome, Recorder};

    /// The page that comes of something, and what its program gets.
    fn page(work: impl FnOnce(), message: &str) -> (String, Value) {
        let recorder = Recorder::new("<title>");
        let subscriber = tracing_subscriber::registry().with(recorder.layer());
        tracing::subscriber::with_default(subscriber, work);
        let failure = Failure::new(message, Some(FAILURE), false);
        recorder.conclude(Outcome::Failed, Some(failure));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.html");
        recorder.write_page(&path).unwrap();
        // A second time over the first.
        recorder.write_page(&path).unwrap();
        let page = std::fs::read_to_string(path).unwrap();
        let (_, data) = page.split_once("type=\"application/json\">").unwrap();
        let (data, _) = data.split_once("</script>").unwrap();
        let data = serde_json::from_str(data).unwrap();
        (page, data)
    }

    #[test]
    fn a_page_has_the_whole_story() {
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
    fn nothing_of_a_guest_is_markup() {
        let evil = "</script><script>alert(1)</script><!--";
        let (page, data) = page(|| tracing::info!("{evil}"), evil);
        assert_eq!(
            page.matches("</script>").count(),
            2,
            "those of the page itself"
        );
        assert!(!page.contains("alert(1)</"), "{page}");
        assert_eq!(data["steps"][0]["what"], evil);
        assert_eq!(data["message"], evil);
    }

    #[test]
    fn looks_that_see_the_same_are_counted() {
        let looks = || {
            let wait = step(Some("a"), "waiting");
            wait.in_scope(|| {
                for status in [1, 1, 1, 0] {
                    tracing::debug!(target: "machine::output", machine = "a", command = "x", status);
                }
            });
        };
        let (_, data) = page(looks, "");
        let entries = data["steps"][0]["entries"].as_array().unwrap();
        let times: Vec<&Value> = entries
            .iter()
            .map(|entry| &entry["command"]["times"])
            .collect();
        assert_eq!(times, [3, 1]);
    }

    #[test]
    fn long_looks_that_see_the_same_are_counted() {
        let looks = || {
            for end in ["x", "x", "y"] {
                let (command, output) = ("x", "x".repeat(100_000) + end + &"x".repeat(100_000));
                tracing::debug!(target: "machine::output", machine = "a", command, output);
            }
        };
        let (_, data) = page(|| step(Some("a"), "waiting").in_scope(looks), "");
        let entries = data["steps"][0]["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 2, "they differ where they are cut");
        assert_eq!(entries[0]["command"]["times"], 2);
    }

    #[test]
    fn however_much_is_told_a_page_is_small() {
        let long = "long ".repeat(12_000);
        let much = || {
            for number in 0..300 {
                let step = step(Some("a"), &format!("{number} {long}"));
                step.in_scope(|| {
                    let (command, output) = (&*long, format!("{number} {long}"));
                    tracing::debug!(target: "machine::output", machine = "a", command, output);
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
    fn however_much_was_told_the_failing_step_is_found() {
        let long = "long ".repeat(1_000);
        let inner = format!("command failed: {long}, and more");
        let outer = format!("Traceback: {long}\nException: {inner}");
        let much = || {
            step(Some("a"), "much").in_scope(|| {
                for number in 0..600 {
                    let output = number.to_string() + &"x".repeat(60_000);
                    tracing::debug!(target: "machine::output", machine = "a", output);
                }
            });
            let group = step(None, "group");
            group.in_scope(|| {
                fail(&step(Some("a"), "in it"), &inner, Some(FAILURE));
                step(Some("a"), "afterwards").record("outcome", "ok");
            });
            fail(&group, &outer, Some(FAILURE));
        };
        let (_, data) = page(much, &outer);
        let failing = usize::try_from(data["root_cause"].as_u64().unwrap()).unwrap();
        let failing = &data["steps"][failing];
        assert_eq!(failing["what"], "in it");
        assert_eq!(failing["error"], *inner, "its whole story");
    }

    #[test]
    fn what_grows_on_a_page_counts_as_it_is_there() {
        let much = || {
            step(Some("a"), "much").in_scope(|| {
                for number in 0..400 {
                    let output = number.to_string() + &"<".repeat(60_000);
                    tracing::debug!(target: "machine::output", machine = "a", output);
                }
            });
            for number in 0..8 {
                let (machine, line) = (format!("m{number}"), "<".repeat(1_000));
                (0..1_500).for_each(|_| {
                    tracing::debug!(target: "machine::console", machine, "{line}");
                });
            }
        };
        let (page, data) = page(much, "");
        assert!(page.len() < 40 << 20, "{}", page.len());
        assert!(data["machines"][7]["console"]["file"].is_string());
    }

    #[test]
    fn more_steps_than_there_is_place_for_are_counted() {
        let many = || (0..50_100).for_each(|_| drop(step(None, "s")));
        let (_, data) = page(many, "");
        assert_eq!(data["steps"].as_array().unwrap().len(), 50_000);
        assert_eq!(data["left_out"], 100);
    }

    #[test]
    fn however_many_steps_there_were_the_failing_one_is_found() {
        let many = || {
            for _ in 0..60_000 {
                tracing::info!("a note");
                step(Some("a"), "passes").record("outcome", "ok");
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
    fn a_page_of_nothing_is_a_page() {
        let (_, data) = page(|| (), "error: no such file");
        assert_eq!(data["root_cause"], Value::Null);
        assert_eq!(data["message"], "error: no such file");
    }
}
