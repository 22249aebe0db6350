use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};
use vm_tests::{
    boots_everything, driver, failure, infrastructure, named, scaled, start_script, templates,
};

/// How long a script may take, and on the slowest of hosts: less than a test.
const LIMIT: Duration = Duration::from_secs(500);
const LONGEST: Duration = Duration::from_mins(45);

/// A run of the driver: its directories, and the start scripts of its machines.
pub(crate) struct Run {
    dir: TempDir,
    pub(super) start_scripts: Vec<PathBuf>,
    /// Its machines go on from templates of theirs.
    is_warm: bool,
}

impl Run {
    /// Machines by name, each of an image, that have booted before.
    pub(crate) fn new(machines: &[(&str, &str)]) -> Self {
        let start_scripts = machines.iter().map(|(name, image)| named(name, image));
        let mut run = Self::booting(&[]);
        run.start_scripts = start_scripts.collect();
        run.is_warm = !boots_everything();
        run
    }

    /// The same, but they boot, as they do for who asks for nothing else.
    pub(crate) fn booting(machines: &[(&str, &str)]) -> Self {
        failure::keep_evidence();
        let dir = tempfile::tempdir().unwrap();
        let start_scripts = machines.iter().map(|(name, image)| {
            let link = dir.path().join(format!("run-{name}-vm"));
            symlink(start_script(image), &link).unwrap();
            link
        });
        let start_scripts = start_scripts.collect();
        Self {
            dir,
            start_scripts,
            is_warm: false,
        }
    }

    /// Where files from machines go.
    pub(crate) fn out(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn script(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("script.py");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The driver, with nothing left to add but options and a script. What machines
    /// keep, they keep in this run's directory.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(driver());
        command
            .arg("--start-scripts")
            .args(&self.start_scripts)
            .arg("-o")
            .arg(self.out())
            // What hangs tells where.
            .args(["--global-timeout", &seconds(LIMIT, LONGEST)])
            .env("TMPDIR", self.dir.path())
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(Stdio::null());
        if self.is_warm {
            command.arg("--templates").arg(templates());
        }
        command
    }

    /// Runs a script to its end.
    pub(crate) fn run(&self, text: &str) -> Ended {
        // Elsewhere than the output directory, whose contents some tests compare.
        let report = NamedTempFile::new().unwrap();
        let mut command = self.command();
        command.arg("--junit-xml").arg(report.path());
        let mut ended = Ended::of(command.arg(self.script(text)));
        ended.report = Some(report);
        ended
    }
}

/// A limit on this host, as the driver has it.
pub(super) fn seconds(limit: Duration, longest: Duration) -> String {
    scaled(limit).min(longest).as_secs().to_string()
}

impl Drop for Run {
    /// What it leaves tells why a test fails.
    fn drop(&mut self) {
        let _ = failure::keep_files(self.out());
    }
}

/// A driver that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(super) status: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// The JUnit report of the run, if one was asked for.
    pub(super) report: Option<NamedTempFile>,
}

impl Ended {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        Self {
            status: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
            report: None,
        }
    }

    /// The standard output of a script that passed.
    pub(crate) fn passed(self) -> String {
        if self.status != Some(0)
            && let Some(report) = &self.report
        {
            infrastructure::read_driver_report(report.path());
        }
        assert_eq!(self.status, Some(0), "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// What is said of a script that failed.
    pub(crate) fn failed(self, status: i32) -> String {
        assert_eq!(
            self.status,
            Some(status),
            "{}\n{}",
            self.stdout,
            self.stderr
        );
        self.stderr
    }
}
