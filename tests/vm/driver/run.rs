use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};
use vm_tests::{
    boots_everything, driver, failure, infrastructure, named, scaled, start_script, templates,
};

/// The global timeout of scripts, and its maximum when scaled: shorter than a test's.
const LIMIT: Duration = Duration::from_secs(500);
const LONGEST: Duration = Duration::from_mins(45);

/// The directory and the start scripts of runs of the driver.
pub(crate) struct Run {
    dir: TempDir,
    pub(super) start_scripts: Vec<PathBuf>,
    /// Whether machines continue from templates.
    uses_templates: bool,
}

impl Run {
    /// Machines, each a name and an image, that continue from templates.
    pub(crate) fn new(machines: &[(&str, &str)]) -> Self {
        let start_scripts = machines.iter().map(|(name, image)| named(name, image));
        let mut run = Self::booting(&[]);
        run.start_scripts = start_scripts.collect();
        run.uses_templates = !boots_everything();
        run
    }

    /// Machines that boot, which is the driver's default.
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
            uses_templates: false,
        }
    }

    /// The output directory.
    pub(crate) fn out(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a script and returns its path.
    pub(crate) fn script(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("script.py");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The driver's command, without a script. State directories are in the output directory.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(driver());
        command
            .arg("--start-scripts")
            .args(&self.start_scripts)
            .arg("-o")
            .arg(self.out())
            // The error of a timeout contains the position in the script.
            .args(["--global-timeout", &seconds(LIMIT, LONGEST)])
            .env("TMPDIR", self.dir.path())
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(Stdio::null());
        if self.uses_templates {
            command.arg("--templates").arg(templates());
        }
        command
    }

    /// Runs a script.
    pub(crate) fn run(&self, text: &str) -> Ended {
        // Not in the output directory, because some tests compare its contents.
        let report = NamedTempFile::new().unwrap();
        let mut command = self.command();
        command.arg("--junit-xml").arg(report.path());
        let mut ended = Ended::of(command.arg(self.script(text)));
        ended.report = Some(report);
        ended
    }
}

/// A scaled time limit as an argument of the driver.
pub(super) fn seconds(limit: Duration, longest: Duration) -> String {
    scaled(limit).min(longest).as_secs().to_string()
}

impl Drop for Run {
    /// The output is evidence if the test fails.
    fn drop(&mut self) {
        let _ = failure::keep_files(self.out());
    }
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(super) status: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// The JUnit report, if requested.
    pub(super) report: Option<NamedTempFile>,
}

impl Ended {
    /// Runs a command.
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

    /// Asserts that the script passed, and returns its standard output.
    pub(crate) fn passed(self) -> String {
        if self.status != Some(0)
            && let Some(report) = &self.report
        {
            infrastructure::read_driver_report(report.path());
        }
        assert_eq!(self.status, Some(0), "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Asserts the exit status of a failed script, and returns its standard error.
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
