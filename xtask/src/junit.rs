//! JUnit XML reports as CI systems read them, and the schema to check them against.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZero;
use std::ops::Add;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use quick_junit::{Report, TestCaseStatus};
use sha2::{Digest as _, Sha256};

use crate::util::{hex, run, vm_dir, workspace};

/// The source of pytest, which contains the schema of Jenkins' xUnit plugin, the de-facto
/// standard.
const PUBLISHED: &str = "https://files.pythonhosted.org/packages/79/42/\
    bb4641652e58dedeac2ec51abc1f8cae4fee4ec63899a0999016229a0f2a/pytest-9.2.0.tar.gz";
const SHA256: &str = "97c4f3b1f3c7414aa36465e09b8220f1d03627993bd51b1282e193753c80557b";
const MEMBER: &str = "pytest-9.2.0/testing/example_scripts/junit-10.xsd";

/// The file that nextest writes its report to.
fn nextest_report(profile: &str) -> PathBuf {
    let nextest = workspace().join("target/nextest");
    nextest.join(profile).join("junit.xml")
}

/// Removes the report of an earlier run, lest it be read if the next run writes none.
pub(crate) fn remove(profile: &str) -> Result<()> {
    let written = nextest_report(profile);
    match fs::remove_file(&written) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", written.display()))
        }
        _ => Ok(()),
    }
}

/// The tests that passed in nextest's last run with `profile` only when they were repeated:
/// none if nextest did not run.
pub(crate) fn flaky(profile: &str) -> Result<Vec<String>> {
    if !nextest_report(profile).exists() {
        return Ok(Vec::new());
    }
    Ok(flaky_in(&read(profile)?))
}

fn flaky_in(report: &Report) -> Vec<String> {
    let cases = report.test_suites.iter().flat_map(|it| &it.test_cases);
    cases
        .filter(|case| {
            matches!(&case.status, TestCaseStatus::Success { flaky_runs } if !flaky_runs.is_empty())
        })
        .map(|case| case.name.as_str().to_owned())
        .collect()
}

/// Reads nextest's report of its last run with `profile`.
fn read(profile: &str) -> Result<Report> {
    let written = nextest_report(profile);
    let text = fs::read_to_string(&written)
        .with_context(|| format!("can't read {}", written.display()))?;
    Report::deserialize_from_str(&text)
        .with_context(|| format!("can't parse {}", written.display()))
}

/// Combines the reports of several rounds into one.
pub(crate) struct Rounds {
    /// The number of rounds to come in all.
    of: NonZero<u32>,
    /// The number of rounds until now.
    number: u32,
    /// The report of the rounds until now.
    report: Option<Report>,
}

impl Rounds {
    pub(crate) fn of(count: NonZero<u32>) -> Self {
        let (number, report) = (0, None);
        Self {
            of: count,
            number,
            report,
        }
    }

    /// Adds the report of nextest's last run with `profile`, writes the report of all rounds
    /// to `path`, and checks it against the schema.
    pub(crate) fn take_report(
        &mut self,
        profile: &str,
        path: &Path,
        schema: Option<&Path>,
    ) -> Result<()> {
        let report = for_ci(self.add(read(profile)?))?;
        fs::write(path, report).with_context(|| format!("can't write {}", path.display()))?;
        if let Some(schema) = schema {
            let mut xmllint = Command::new("xmllint");
            xmllint.args(["--noout", "--nonet", "--schema"]).arg(schema);
            run(xmllint.arg(path))?;
        }
        Ok(())
    }

    /// Adds a round, and returns the report of all rounds.
    fn add(&mut self, mut round: Report) -> Report {
        self.number += 1;
        if self.of.get() > 1 {
            for suite in &mut round.test_suites {
                let name = suite.name.as_str();
                suite.name = format!("round {}: {name}", self.number).into();
            }
        }
        let report = match self.report.take() {
            None => round,
            Some(mut report) => {
                report.time = [report.time, round.time]
                    .into_iter()
                    .flatten()
                    .reduce(Add::add);
                report.add_test_suites(round.test_suites);
                report
            }
        };
        self.report.insert(report).clone()
    }
}

/// The XML, without nextest's additions to the schema.
fn for_ci(mut report: Report) -> Result<String> {
    report.uuid = None;
    report.timestamp = None;
    for suite in &mut report.test_suites {
        for case in &mut suite.test_cases {
            case.timestamp = None;
            let earlier = match &mut case.status {
                TestCaseStatus::Success { flaky_runs } => flaky_runs,
                TestCaseStatus::NonSuccess { reruns, .. } => &mut reruns.runs,
                TestCaseStatus::Skipped { .. } => continue,
            };
            for run in earlier {
                (run.timestamp, run.time) = (None, None);
            }
        }
    }
    // The attribute of the root element, which comes first; that of suites is in the schema.
    let skipped = format!(" skipped=\"{}\"", report.skipped);
    let text = report.to_string()?.replacen(&skipped, "", 1);
    // A guest may have printed characters that XML can't represent.
    Ok(text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}"))
}

/// Fetches the schema once, and returns its path.
pub(crate) fn schema() -> Result<PathBuf> {
    let cache = vm_dir().join("cache");
    let schema = cache.join("junit-10.xsd");
    if schema.exists() {
        return Ok(schema);
    }
    fs::create_dir_all(&cache)?;
    let dir = tempfile::tempdir_in(&cache)?;
    let archive = dir.path().join("archive");
    let mut fetch = Command::new("curl");
    fetch.args([
        "--silent",
        "--show-error",
        "--fail",
        "--location",
        "--output",
    ]);
    run(fetch.arg(&archive).arg(PUBLISHED))?;
    let sum = hex(&Sha256::digest(fs::read(&archive)?));
    ensure!(
        sum == SHA256,
        "{PUBLISHED} has the SHA-256 sum {sum}, not {SHA256}"
    );
    let extracted = run(Command::new("tar")
        .args(["--extract", "--gzip", "--to-stdout", "--file"])
        .arg(&archive)
        .arg(MEMBER))?;
    let new = dir.path().join("schema");
    fs::write(&new, extracted.stdout)?;
    fs::rename(new, &schema)?;
    Ok(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report as nextest writes it.
    const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="2" skipped="1" failures="1" errors="0" uuid="2135eaf9-c6c4-4fc4-8cfa-36202faee952" timestamp="2026-11-24T19:45:18.497+00:00" time="1.5">
    <testsuite name="vm-tests::vm" tests="2" skipped="1" errors="0" failures="1">
        <testcase name="one" classname="vm-tests::vm" timestamp="2026-11-24T19:45:18.498+00:00" time="0.3">
            <flakyFailure timestamp="2026-11-24T19:45:18.498+00:00" time="0.2" message="m" type="test failure">text</flakyFailure>
        </testcase>
        <testcase name="two" classname="vm-tests::vm" timestamp="2026-11-24T19:45:18.498+00:00" time="0.3">
            <failure message="m" type="test failure">text</failure>
            <rerunFailure timestamp="2026-11-24T19:45:18.498+00:00" time="0.2" message="m" type="test failure">text</rerunFailure>
        </testcase>
    </testsuite>
</testsuites>
"#;

    /// The report of `count` equal rounds.
    fn of_rounds(count: u32) -> String {
        let count = NonZero::new(count).unwrap();
        let mut rounds = Rounds::of(count);
        let add = |_| rounds.add(Report::deserialize_from_str(REPORT).unwrap());
        for_ci((0..count.get()).map(add).last().unwrap()).unwrap()
    }

    #[test]
    fn a_report_has_only_attributes_of_the_schema() {
        let text = of_rounds(1);
        let root =
            r#"<testsuites name="nextest-run" tests="2" failures="1" errors="0" time="1.500">"#;
        assert!(text.contains(root), "{text}");
        assert!(!text.contains("timestamp"), "{text}");
        let suite = r#"<testsuite name="vm-tests::vm" tests="2" skipped="1""#;
        assert!(text.contains(suite), "{text}");
        let again = Report::deserialize_from_str(&text).unwrap();
        assert_eq!(again.test_suites[0].test_cases.len(), 2);
        for element in ["flakyFailure", "rerunFailure"] {
            let element = format!(r#"<{element} message="m" type="test failure">"#);
            assert!(text.contains(&element), "{text}");
        }
    }

    #[test]
    fn tests_that_passed_when_repeated_are_flaky() {
        let report = Report::deserialize_from_str(REPORT).unwrap();
        assert_eq!(flaky_in(&report), ["one"]);
    }

    #[test]
    fn all_rounds_are_in_one_report() {
        let text = of_rounds(3);
        let root =
            r#"<testsuites name="nextest-run" tests="6" failures="3" errors="0" time="4.500">"#;
        assert!(text.contains(root), "{text}");
        let report = Report::deserialize_from_str(&text).unwrap();
        let names: Vec<&str> = report
            .test_suites
            .iter()
            .map(|it| it.name.as_str())
            .collect();
        assert_eq!(
            names,
            [1, 2, 3].map(|round| format!("round {round}: vm-tests::vm"))
        );
    }
}
