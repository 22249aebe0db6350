use std::path::Path;
use std::process::Command;

use super::{Ended, Run};

#[test]
fn subtests_are_reported() {
    let run = Run::new(&[]);
    let script = "\
with subtest('that passes'):
    pass
with subtest('that fails'):
    t.assertEqual('<a>', 'b')
";
    let (script, report) = (run.script(script), run.out().join("junit.xml"));
    Ended::of(run.command().arg("--junit-xml").arg(&report).arg(script)).failed(1);
    is_valid_junit(&report);
    let report = std::fs::read_to_string(report).unwrap();
    for part in [
        r#"<testsuite name="script" tests="3" skipped="0" errors="0" failures="2">"#,
        r#"<testcase name="that passes" classname="script""#,
        r#"message="RequestedAssertionFailed: "#,
        "<system-out>subtest: that passes\n(finished: subtest: that passes, in ",
        "&lt;a&gt;",
    ] {
        assert!(report.contains(part), "no {part} in {report}");
    }
}

/// By the schema that CI systems go by; `cargo xtask vm-test` fetches it.
#[expect(clippy::print_stderr, reason = "whoever runs it by hand is to know")]
fn is_valid_junit(report: &Path) {
    let Some(schema) = std::env::var_os("VM_JUNIT_SCHEMA") else {
        eprintln!("not checked: VM_JUNIT_SCHEMA names no schema");
        return;
    };
    let mut xmllint = Command::new("xmllint");
    xmllint.args(["--noout", "--nonet", "--schema"]).arg(schema);
    let checked = xmllint.arg(report).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}
