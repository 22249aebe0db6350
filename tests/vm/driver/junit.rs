use std::path::Path;
use std::process::Command;

use machine::INFRASTRUCTURE;

use super::{Ended, Run};

const SUBTESTS: &str = "\
with subtest('that passes'):
    log.info('no character: \\uffff')
with subtest('that fails'):
    t.assertEqual('<a>', 'b')
";

const SUBTEST_THAT_EXITS: &str = "import sys\nwith subtest('odd: \\udcff'):\n    sys.exit()\n";

const SYNTAX_ERROR: &str = "if True\n    pass\n";

#[test]
fn subtests_are_reported() {
    let run = Run::new(&[]);
    let (script, report) = (run.script(SUBTESTS), run.out().join("junit.xml"));
    Ended::of(run.command().arg("--junit-xml").arg(&report).arg(script)).failed(1);
    let report = std::fs::read_to_string(report).unwrap();
    for part in [
        r#"<testsuite name="script" tests="2" skipped="0" errors="0" failures="1">"#,
        r#"<testcase name="that passes" classname="script""#,
        r#"message="RequestedAssertionFailed: "#,
        "<system-out>subtest: that passes\nno character: \u{fffd}\n(finished: subtest: that passes, in ",
        "&lt;a&gt;",
    ] {
        assert!(report.contains(part), "no {part} in {report}");
    }
}

/// The report and the log of a script that ends with `status`.
fn report_of(script: &str, status: i32) -> (String, String) {
    let run = Run::new(&[]);
    let (script, report) = (run.script(script), run.out().join("junit.xml"));
    let ended = Ended::of(run.command().arg("--junit-xml").arg(&report).arg(script));
    let log = ended.stderr.clone();
    assert_eq!(ended.status, Some(status), "{log}");
    (std::fs::read_to_string(report).unwrap(), log)
}

#[test]
fn a_run_without_subtests_is_one_case() {
    let (report, _) = report_of("log.info('an info')\n", 0);
    assert!(
        report.contains(r#"tests="1" skipped="0" errors="0" failures="0""#),
        "{report}"
    );
    assert!(report.contains(r#"<testcase name="main""#), "{report}");
    let (report, _) = report_of("1 / 0\n", 1);
    assert!(
        report.contains(r#"tests="1" skipped="0" errors="0" failures="1""#),
        "{report}"
    );
}

/// Otherwise the report of a run that failed would have no failure.
#[test]
fn a_failure_outside_of_subtests_is_a_case_of_its_own() {
    let script = "with subtest('passes'):\n    pass\nlog.info('outside')\n1 / 0\n";
    let (report, _) = report_of(script, 1);
    let (_, after) = report.rsplit_once("</testcase>").unwrap();
    assert!(after.contains("\noutside\n"), "{report}");
    assert!(
        report.contains(r#"tests="2" skipped="0" errors="0" failures="1""#),
        "{report}"
    );
    assert!(report.contains(r#"<testcase name="main""#), "{report}");
}

#[test]
fn a_failure_of_nested_subtests_is_the_innermost_ones() {
    let script = "with subtest('outer'):\n    with subtest('inner'):\n        1 / 0\n";
    let (report, _) = report_of(script, 1);
    for part in [
        r#"tests="2" skipped="0" errors="0" failures="1">"#,
        r#"<testcase name="outer""#,
    ] {
        assert!(report.contains(part), "no {part} in {report}");
    }
    let (inner, _) = report.split_once(r#"<testcase name="outer""#).unwrap();
    assert!(inner.contains("<failure "), "{report}");
}

#[test]
fn subtests_of_one_name_are_told_apart() {
    let script = "\
for name in 'same', 'same (2)', 'same', 'same':
    with subtest(name):
        pass
";
    let (report, _) = report_of(script, 0);
    for name in ["same", "same (2)", "same (3)", "same (4)"] {
        let case = format!(r#"<testcase name="{name}""#);
        assert_eq!(report.matches(&case).count(), 1, "{name}: {report}");
    }
}

/// A failed subtest ends the script. The summary names those after it.
#[test]
fn subtests_that_did_not_run_are_named() {
    let script = "\
def later():
    with driver.subtest('the third'):
        pass

with subtest('the first'):
    pass
with subtest('the second'):
    t.assertEqual(1, 2)
later()
with subtest(f'the {3 + 1}th'):
    pass
with subtest('the fifth'):
    t.assertEqual(1, 2)
";
    let (report, log) = report_of(script, 1);
    let counts = r#"tests="2" skipped="0" errors="0" failures="1""#;
    assert!(report.contains(counts), "{report}");
    let (_, summary) = log.rsplit_once("\nscript failed in ").unwrap();
    let note = "\n  subtests that did not run: 'the third', 'the fifth'\n";
    assert!(summary.contains(note), "{summary}");
    let (_, log) = report_of("with subtest('passes'):\n    pass\n", 0);
    assert!(!log.contains("did not run"), "{log}");
}

/// Like the run itself. A relative path is relative to the output directory.
#[test]
fn a_subtest_that_exits_passes() {
    let run = Run::new(&[]);
    let script = run.script(SUBTEST_THAT_EXITS);
    Ended::of(run.command().args(["--junit-xml", "junit.xml"]).arg(script)).passed();
    let report = run.out().join("junit.xml");
    let report = std::fs::read_to_string(report).unwrap();
    for part in [
        r#"tests="1" skipped="0" errors="0" failures="0""#,
        r#"<testcase name="odd: \udcff" classname="script""#,
    ] {
        assert!(report.contains(part), "no {part} in {report}");
    }
}

/// Standard error is closed, but the report contains the failure.
#[test]
fn a_failure_is_reported_if_stderr_is_closed() {
    let run = Run::new(&[]);
    let script = "\
r, w = os.pipe()
os.close(r)
os.dup2(w, 2)
raise Exception('the reason')
";
    let (script, report) = (run.script(script), run.out().join("junit.xml"));
    Ended::of(run.command().arg("--junit-xml").arg(&report).arg(script)).failed(1);
    let report = std::fs::read_to_string(report).unwrap();
    assert!(report.contains("Exception: the reason"), "{report}");
}

/// The report replaces that of an earlier run.
#[test]
fn a_syntax_error_is_reported() {
    let run = Run::new(&[]);
    let report = run.out().join("junit.xml");
    let run_it = |script: &str| {
        let script = run.script(script);
        Ended::of(run.command().arg("--junit-xml").arg(&report).arg(script))
    };
    run_it("pass").passed();
    run_it(SYNTAX_ERROR).failed(2);
    let report = std::fs::read_to_string(report).unwrap();
    assert!(
        report.contains("tests=\"1\" skipped=\"0\" errors=\"0\" failures=\"1\""),
        "{report}"
    );
    assert!(report.contains("script.py:1: "), "{report}");
}

/// Output of a guest is not evidence against the host.
#[test]
fn a_command_that_prints_the_note_on_infrastructure_is_a_failure() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = format!("machine.succeed('echo {INFRASTRUCTURE}; false')\n");
    assert_counts_as(&run, &script, "errors=\"0\" failures=\"1\"");
}

#[test]
fn an_exception_with_the_note_on_infrastructure_is_a_failure() {
    let script = format!("raise Exception('{INFRASTRUCTURE}')\n");
    assert_counts_as(&Run::new(&[]), &script, "errors=\"0\" failures=\"1\"");
}

/// Also if the script wraps the exception.
#[test]
fn a_machine_that_can_not_start_is_an_error() {
    let script = "create_machine('/no/such/run-x-vm').start()\n";
    assert_counts_as(&Run::new(&[]), script, "errors=\"1\" failures=\"0\"");
    let script = "\
try:
    create_machine('/no/such/run-x-vm').start()
except Exception as error:
    raise ValueError('no machine') from error
";
    assert_counts_as(&Run::new(&[]), script, "errors=\"1\" failures=\"0\"");
}

/// Runs a script that fails, and compares its JUnit report and its summary.
fn assert_counts_as(run: &Run, script: &str, counts: &str) {
    let (script, report) = (run.script(script), run.out().join("junit.xml"));
    let log = Ended::of(run.command().arg("--junit-xml").arg(&report).arg(script)).failed(1);
    let report = std::fs::read_to_string(report).unwrap();
    assert!(report.contains(counts), "no {counts} in {report}");
    let (_, summary) = log.rsplit_once("\nscript failed in ").unwrap();
    let blames_host = summary.contains("\n  the host, QEMU or the image");
    assert_eq!(blames_host, counts.contains("errors=\"1\""), "{log}");
}

/// A report with passed and failed subtests, one of an interrupted subtest, and one of a
/// script with a syntax error.
#[test]
#[ignore = "needs the JUnit schema"]
fn reports_match_the_schema() {
    let run = Run::new(&[]);
    let report = run.out().join("junit.xml");
    for (script, status) in [(SUBTESTS, 1), (SUBTEST_THAT_EXITS, 0), (SYNTAX_ERROR, 2)] {
        let script = run.script(script);
        let ended = Ended::of(run.command().arg("--junit-xml").arg(&report).arg(script));
        assert_eq!(ended.status, Some(status), "{}", ended.stderr);
        assert_matches_the_schema(&report);
    }
}

/// `cargo xtask vm-test` downloads the schema, which CI systems follow.
fn assert_matches_the_schema(report: &Path) {
    let schema = std::env::var_os("VM_JUNIT_SCHEMA").expect("VM_JUNIT_SCHEMA is a path");
    let mut xmllint = Command::new("xmllint");
    xmllint.args(["--noout", "--nonet", "--schema"]).arg(schema);
    let checked = xmllint.arg(report).output().unwrap();
    let stderr = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{stderr}");
}
