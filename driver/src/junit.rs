//! The outcome of a run in JUnit's XML, which CI systems read.

use std::fs;
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// A part of a test that has ended.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) time: Duration,
    /// What is wrong, if it failed.
    pub(crate) wrong: Option<String>,
    /// The log of it.
    pub(crate) output: String,
}

/// Writes what has become of the parts of the test `name`.
pub(crate) fn write(path: &Path, name: &str, cases: Vec<Case>) -> Result<(), String> {
    let cases = cases.into_iter().map(|case| {
        let status = match &case.wrong {
            None => TestCaseStatus::success(),
            Some(wrong) => failure(wrong),
        };
        let mut reported = TestCase::new(for_xml(&case.name), status);
        reported.set_classname(name).set_time(case.time);
        reported.set_system_out(for_xml(&case.output));
        reported
    });
    let mut suite = TestSuite::new(name);
    suite.add_test_cases(cases);
    let mut report = Report::new("vmwright");
    report.add_test_suite(suite);
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    // The schema of Jenkins, which others follow, counts those of suites only.
    let text = report.to_string().map_err(|error| failed(&error))?;
    let text = text.replacen(" skipped=\"0\"", "", 1);
    fs::write(path, text).map_err(|error| failed(&error))
}

fn failure(story: &str) -> TestCaseStatus {
    let kind = if story.contains(machine::INFRASTRUCTURE) {
        NonSuccessKind::Error
    } else {
        NonSuccessKind::Failure
    };
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_message(for_xml(gist(story)))
        .set_description(for_xml(story));
    status
}

/// Without the two characters that XML has no way to write and the library lets pass; and
/// with tabs, which it drops.
fn for_xml(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
        .replace('\t', "    ")
}

/// The line that says what went wrong: the one behind a traceback's last frame.
fn gist(story: &str) -> &str {
    let lines: Vec<&str> = story.lines().collect();
    let last_frame = lines.iter().rposition(|line| line.starts_with("  File "));
    let behind = &lines[last_frame.map_or(0, |frame| frame + 1)..];
    let gist = behind.iter().find(|line| !line.starts_with(' '));
    gist.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use quick_junit::Report;

    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("junit.xml");
        let case = |name: &str, wrong: Option<&str>| Case {
            name: name.to_owned(),
            time: Duration::from_millis(1500),
            wrong: wrong.map(str::to_owned),
            output: "server # <b>\x1b[1m a\tb \u{ffff}".to_owned(),
        };
        let story = "Traceback (most recent call last):\n  File \"x\"\nException: <&\u{1b}[1m\n  its output:";
        write(
            &path,
            "test",
            vec![case("part", None), case("test", Some(story))],
        )
        .unwrap();
        let text = fs::read_to_string(path).unwrap();
        let report = Report::deserialize_from_str(&text).unwrap();
        assert_eq!((report.tests, report.failures), (2, 1));
        assert!(text.contains("<system-out>server # &lt;b&gt;"), "{text}");
        assert!(text.contains(" a    b \u{fffd}</system-out>"), "{text}");
        assert!(text.contains("message=\"Exception: &lt;&amp;\""), "{text}");
    }
}
