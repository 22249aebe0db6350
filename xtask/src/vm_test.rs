//! `cargo xtask vm-test`: the tests on real virtual machines.

mod failures;
mod partition;
// The tests', of which no more have machines at once.
#[path = "../../tests/src/permits.rs"]
mod permits;

use std::io;
use std::num::NonZero;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use machine::report::Terminal;
use tracing_subscriber::layer::SubscriberExt as _;

use self::permits::permits;
use crate::flags::VmTestFlags;
use crate::image::{self, Image};
use crate::util::{cargo, run_loudly, vm_dir};
use crate::{host, junit};

/// Runs the tests on virtual machines that are asked for, with all that they need
/// installed and built before. What is left of those that fail is told of last.
pub(crate) fn run(flags: &VmTestFlags) -> Result<()> {
    check_for_nextest(flags)?;
    host::ensure(&host::all(), flags.yes)?;
    image::ensure(Image::value_variants(), flags.yes)?;
    // Build first: a build error must not cost the last failures' files.
    build()?;
    let tests = match (&flags.filter, flags.rerun_failed) {
        (_, true) => Tests::These(failures::names()?),
        (Some(filter), false) => Tests::Like(filter),
        (None, false) => Tests::All,
    };
    // Probed once here, not by each test.
    let accelerator = accelerator()?;
    make_templates(&tests, flags, accelerator)?;
    let schema = junit::schema();
    if let Err(error) = &schema {
        eprintln!("no report will be checked, because there is no schema: {error:#}");
    }
    let mut rounds = junit::Rounds::of(flags.repeat);
    for round in 1..=flags.repeat.get() {
        if flags.repeat.get() > 1 {
            eprintln!("round {round} of {}", flags.repeat);
        }
        failures::forget()?;
        junit::forget(profile(flags))?;
        let mut runner = runner(&tests, flags);
        runner
            .env("VM_IMAGES", vm_dir())
            .env("VM_FAILURES", failures::dir())
            .env("VM_ACCEL", accelerator);
        if let Ok(schema) = &schema {
            runner.env("VM_JUNIT_SCHEMA", schema);
        }
        let outcome = run_loudly(&mut runner);
        let reported = match &flags.junit_xml {
            Some(path) => rounds.take_report(profile(flags), path, schema.as_deref().ok()),
            None => Ok(()),
        };
        let error = match (outcome, reported) {
            (Ok(()), Ok(())) => continue,
            (Ok(()), Err(error)) | (Err(error), Ok(())) => error,
            (Err(error), Err(unreported)) => {
                eprintln!("no report: {unreported:#}");
                error
            }
        };
        eprintln!("error: {error:#}");
        failures::tell()?;
        return Err(Told.into());
    }
    Ok(())
}

/// Some flags ask for what only nextest can do.
fn check_for_nextest(flags: &VmTestFlags) -> Result<()> {
    let flag = match flags {
        VmTestFlags {
            partition: Some(_), ..
        } => "--partition",
        VmTestFlags {
            junit_xml: Some(_), ..
        } => "--junit-xml",
        _ => return Ok(()),
    };
    ensure!(
        host::find("cargo-nextest").is_some(),
        "{flag} takes cargo-nextest: `cargo install --locked cargo-nextest`"
    );
    Ok(())
}

/// The tests, and the driver that some of them run.
pub(crate) fn build() -> Result<()> {
    run_loudly(cargo().args(["build", "--package", "driver"]))?;
    run_loudly(cargo().args(["test", "--package", "vm-tests", "--no-run"]))
}

/// Makes the templates that all tests together need, where the user sees how far it is. What
/// some of the tests need is not known before they run: they make it themselves.
fn make_templates(tests: &Tests<'_>, flags: &VmTestFlags, accelerator: &str) -> Result<()> {
    let no_templates = std::env::var_os("VM_TEMPLATES").is_some_and(|value| value == "off");
    if no_templates || !matches!(tests, Tests::All) {
        return Ok(());
    }
    // A process of its own: the library reads this environment.
    let mut task = Command::new(std::env::current_exe()?);
    task.args(["template", "--all"])
        .env("VM_ACCEL", accelerator);
    scale_timeouts(&mut task, flags);
    if let Err(error) = run_loudly(&mut task) {
        eprintln!("the tests will have to make them themselves: {error:#}");
    }
    Ok(())
}

fn scale_timeouts(command: &mut Command, flags: &VmTestFlags) {
    if let Some(scale) = flags.timeout_scale {
        command.env("VM_TIMEOUT_SCALE", scale.to_string());
    }
}

/// A failure that the user has been told of, in more than a line.
#[derive(Debug, thiserror::Error)]
#[error("tests failed")]
pub(crate) struct Told;

/// Runs them all, and sees to it that CI machines which share the work miss none.
pub(crate) fn run_all(yes: bool) -> Result<()> {
    if host::find("cargo-nextest").is_some() {
        partition::check()?;
    }
    run(&VmTestFlags {
        filter: None,
        yes,
        repeat: NonZero::<u32>::MIN,
        rerun_failed: false,
        timeout_scale: None,
        pause_on_failure: false,
        partition: None,
        junit_xml: None,
    })
}

/// Removes the templates, but for those that machines use.
pub(crate) fn clean() -> Result<()> {
    let templates = vm_dir().join("templates");
    machine::Template::clear(&templates)
        .with_context(|| format!("can't clear {}", templates.display()))
}

/// Which tests are to run.
enum Tests<'a> {
    All,
    /// Those whose names contain this.
    Like(&'a str),
    These(Vec<String>),
}

/// What runs tests: nextest where it is installed, else cargo's own.
fn runner(tests: &Tests<'_>, flags: &VmTestFlags) -> Command {
    let mut runner = cargo();
    scale_timeouts(&mut runner, flags);
    if flags.pause_on_failure {
        runner.env("VM_PAUSE_ON_FAILURE", "1");
    }
    // nextest does not let a test read what is typed.
    if host::find("cargo-nextest").is_some() && !flags.pause_on_failure {
        nextest(&mut runner, tests, flags);
    } else {
        cargo_test(&mut runner, tests, flags);
    }
    runner
}

fn nextest(runner: &mut Command, tests: &Tests<'_>, flags: &VmTestFlags) {
    runner.args(["nextest", "run", "--package", "vm-tests"]);
    runner.args(["--profile", profile(flags)]);
    runner.args(["--test-threads", &permits().to_string()]);
    if let Some(part) = &flags.partition {
        runner.args(["--partition", part]);
    }
    match tests {
        Tests::All => {}
        Tests::Like(filter) => {
            runner.arg(filter);
        }
        Tests::These(names) => {
            let these: Vec<String> = names.iter().map(|name| format!("test(={name})")).collect();
            runner.args(["-E", &these.join(" | ")]);
        }
    }
}

/// Of `.config/nextest.toml`.
fn profile(flags: &VmTestFlags) -> &'static str {
    if flags.timeout_scale.is_some() {
        "slow"
    } else {
        "default"
    }
}

fn cargo_test(runner: &mut Command, tests: &Tests<'_>, flags: &VmTestFlags) {
    runner.args(["test", "--package", "vm-tests", "--"]);
    let threads = if flags.pause_on_failure { 1 } else { permits() };
    runner.env("RUST_TEST_THREADS", threads.to_string());
    if flags.pause_on_failure {
        runner.arg("--nocapture");
    }
    match tests {
        Tests::All => {}
        Tests::Like(filter) => {
            runner.arg(filter);
        }
        Tests::These(names) => {
            runner.arg("--exact").args(names);
        }
    }
}

/// What machines are to run with, probed once.
pub(crate) fn accelerator() -> Result<&'static str> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Whatever is wrong with KVM, or with `VM_ACCEL`, is said.
    let log = tracing_subscriber::registry().with(Terminal::new(io::stderr).layer());
    let accelerator =
        tracing::subscriber::with_default(log, || runtime.block_on(machine::accelerator()));
    eprintln!("accelerator: {}", accelerator.name());
    Ok(accelerator.name())
}
