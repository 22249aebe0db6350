//! The outcome of a run as JUnit XML, for CI systems.

use std::fs;
use std::path::Path;
use std::time::Duration;

use machine::report::Failure;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// The name of the case of a run without subtests.
pub(crate) const MAIN: &str = "main";

/// A part of a test, after its end.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) time: Duration,
    pub(crate) failure: Option<Failure>,
    /// Its part of the log.
    pub(crate) output: String,
}

/// Writes the outcomes of the parts of the test `name`, and its whole log.
pub(crate) fn write(path: &Path, name: &str, cases: Vec<Case>, log: &str) -> Result<(), String> {
    let cases = cases.into_iter().map(|case| {
        let status = match &case.failure {
            None => TestCaseStatus::success(),
            Some(failure) => non_success(failure),
        };
        let mut reported = TestCase::new(for_xml(&case.name), status);
        reported.set_classname(name).set_time(case.time);
        reported.set_system_out(for_xml(&case.output));
        reported
    });
    let mut suite = TestSuite::new(name);
    suite.add_test_cases(cases);
    suite.set_system_out(for_xml(log));
    let mut report = Report::new("vmwright");
    report.add_test_suite(suite);
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    // The de facto standard, the schema of Jenkins, has this attribute on suites only.
    let text = report.to_string().map_err(|error| failed(&error))?;
    let text = text.replacen(" skipped=\"0\"", "", 1);
    fs::write(path, text).map_err(|error| failed(&error))
}

fn non_success(failure: &Failure) -> TestCaseStatus {
    let kind = if failure.infrastructure {
        NonSuccessKind::Error
    } else {
        NonSuccessKind::Failure
    };
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_message(for_xml(&failure.summary))
        .set_description(for_xml(&failure.message));
    status
}

/// Replaces what `quick_junit` doesn't: two characters that XML can't represent, and tabs,
/// which it would remove.
fn for_xml(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
        .replace('\t', "    ")
}

#[cfg(test)]
mod tests {
    use machine::INFRASTRUCTURE;
    use quick_junit::Report;

    use super::*;

    fn written(cases: Vec<Case>) -> (String, Report) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("junit.xml");
        write(&path, "test", cases, "the whole log").unwrap();
        let text = fs::read_to_string(path).unwrap();
        let report = Report::deserialize_from_str(&text).unwrap();
        (text, report)
    }

    fn case(name: &str, failure: Option<Failure>) -> Case {
        Case {
            name: name.to_owned(),
            time: Duration::from_millis(1500),
            failure,
            output: "server # <b>\x1b[1m a\tb \u{ffff}".to_owned(),
        }
    }

    #[test]
    fn written_reports_can_be_parsed() {
        let message = "Traceback (most recent call last):\n  File \"x\"\nException: <&\u{1b}[1m\n  its output:";
        let failure = Failure::new(message, None, false).with_summary("Exception: <&\u{1b}[1m");
        let (text, report) = written(vec![case("part", None), case("test", Some(failure))]);
        assert_eq!((report.tests, report.failures), (2, 1));
        assert!(text.contains("<system-out>server # &lt;b&gt;"), "{text}");
        assert!(text.contains(" a    b \u{fffd}</system-out>"), "{text}");
        let suite = "</testcase>\n        <system-out>the whole log</system-out>";
        assert!(text.contains(suite), "{text}");
        assert!(text.contains("message=\"Exception: &lt;&amp;\""), "{text}");
    }

    #[test]
    fn only_infrastructure_failures_are_errors() {
        let counts = |infrastructure| {
            let failure = Failure::new(INFRASTRUCTURE, None, infrastructure);
            let (_, report) = written(vec![case("test", Some(failure))]);
            (report.failures, report.errors)
        };
        assert_eq!(counts(true), (0, 1));
        assert_eq!(counts(false), (1, 0));
    }
}
