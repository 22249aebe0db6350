//! JUnit's XML as CI systems read it, and their schema, to check ours against.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZero;
use std::ops::Add;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use quick_junit::Report;
use sha2::{Digest as _, Sha256};

use crate::util::{hex, run, vm_dir, workspace};

/// The schema of Jenkins' xUnit plugin, which others follow, is published with pytest,
/// which tests its own reports by it.
const PUBLISHED: &str = "https://files.pythonhosted.org/packages/79/42/\
    bb4641652e58dedeac2ec51abc1f8cae4fee4ec63899a0999016229a0f2a/pytest-9.2.0.tar.gz";
const SHA256: &str = "97c4f3b1f3c7414aa36465e09b8220f1d03627993bd51b1282e193753c80557b";
const MEMBER: &str = "pytest-9.2.0/testing/example_scripts/junit-10.xsd";

/// Where nextest writes its report.
fn written(profile: &str) -> PathBuf {
    let nextest = workspace().join("target/nextest");
    nextest.join(profile).join("junit.xml")
}

/// Removes the report of an earlier run, which would be taken for that of a run that comes
/// to none.
pub(crate) fn remove(profile: &str) -> Result<()> {
    let written = written(profile);
    match fs::remove_file(&written) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", written.display()))
        }
        _ => Ok(()),
    }
}

/// The tests' reports: of one run, or of several in one.
pub(crate) struct Rounds {
    /// How many there are to be.
    of: NonZero<u32>,
    /// How many there were.
    number: u32,
    /// Of all that there were.
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

    /// Adds the report of nextest's last run, with a profile, to `path`, where those of
    /// earlier rounds stay, and checks it against the schema, if there is one.
    pub(crate) fn take_report(
        &mut self,
        profile: &str,
        path: &Path,
        schema: Option<&Path>,
    ) -> Result<()> {
        let written = written(profile);
        let text = fs::read_to_string(&written)
            .with_context(|| format!("can't read {}", written.display()))?;
        let report = Report::deserialize_from_str(&text)
            .with_context(|| format!("can't understand {}", written.display()))?;
        let report = for_ci(self.add(report))?;
        fs::write(path, report).with_context(|| format!("can't write {}", path.display()))?;
        if let Some(schema) = schema {
            let mut xmllint = Command::new("xmllint");
            xmllint.args(["--noout", "--nonet", "--schema"]).arg(schema);
            run(xmllint.arg(path))?;
        }
        Ok(())
    }

    /// Adds a round, and gives the report of all until now.
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

/// Without what nextest adds to the schema.
fn for_ci(mut report: Report) -> Result<String> {
    report.uuid = None;
    report.timestamp = None;
    for suite in &mut report.test_suites {
        for case in &mut suite.test_cases {
            case.timestamp = None;
        }
    }
    // Of the whole report, whose tag comes first; the suites' are known.
    let skipped = format!(" skipped=\"{}\"", report.skipped);
    let text = report.to_string()?.replacen(&skipped, "", 1);
    // A guest may have printed what XML has no way to write.
    Ok(text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}"))
}

/// The schema's file, fetched once.
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
    ensure!(sum == SHA256, "{PUBLISHED} is not what it was: {sum}");
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

    /// As nextest writes it.
    const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="2" skipped="1" failures="1" errors="0" uuid="2135eaf9-c6c4-4fc4-8cfa-36202faee952" timestamp="2026-11-24T19:45:18.497+00:00" time="1.5">
    <testsuite name="vm-tests::vm" tests="2" skipped="1" errors="0" failures="1">
        <testcase name="one" classname="vm-tests::vm" timestamp="2026-11-24T19:45:18.498+00:00" time="0.3"/>
        <testcase name="two" classname="vm-tests::vm" timestamp="2026-11-24T19:45:18.498+00:00" time="0.3">
            <failure message="m" type="test failure">story</failure>
        </testcase>
    </testsuite>
</testsuites>
"#;

    /// The last report of so many rounds.
    fn of_rounds(count: u32) -> String {
        let count = NonZero::new(count).unwrap();
        let mut rounds = Rounds::of(count);
        let add = |_| rounds.add(Report::deserialize_from_str(REPORT).unwrap());
        for_ci((0..count.get()).map(add).last().unwrap()).unwrap()
    }

    #[test]
    fn a_report_has_what_the_schema_knows() {
        let text = of_rounds(1);
        let root =
            r#"<testsuites name="nextest-run" tests="2" failures="1" errors="0" time="1.500">"#;
        assert!(text.contains(root), "{text}");
        assert!(!text.contains("timestamp"), "{text}");
        let suite = r#"<testsuite name="vm-tests::vm" tests="2" skipped="1""#;
        assert!(text.contains(suite), "{text}");
        let again = Report::deserialize_from_str(&text).unwrap();
        assert_eq!(again.test_suites[0].test_cases.len(), 2);
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
