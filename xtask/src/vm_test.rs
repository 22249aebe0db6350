//! `cargo xtask vm-test`: the tests on real virtual machines.

mod archive;
mod archive_check;
mod failures;
mod from_archive;
mod ignored;
mod partition;
// A link to the tests' file: how many of them may have machines at the same time.
mod permits;
mod runner;

use std::io;
use std::num::NonZero;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use machine::report::Terminal;
use tracing_subscriber::layer::SubscriberExt as _;

use self::from_archive::Archive;
use self::runner::{Tests, profile, scale_timeouts};
use crate::flags::{Image, VmTestFlags};
use crate::image;
use crate::util::{cargo, run_visibly, vm_dir};
use crate::{host, junit};

/// Installs and builds what the tests need, and runs those that the flags select, or archives
/// them.
pub(crate) fn run(flags: &VmTestFlags) -> Result<()> {
    check_for_nextest(flags)?;
    if let Some(file) = &flags.archive {
        return make_archive(file, flags);
    }
    if let Some(file) = &flags.from_archive {
        return run_archived(file, flags);
    }
    host::ensure(&host::all(), flags.yes)?;
    let tests = tests(flags)?;
    image::ensure(&images(&tests, flags)?, flags.yes)?;
    // Before the last run's failures are removed: the build may fail.
    build()?;
    // Probed once here, not by each test.
    let accelerator = accelerator()?;
    make_templates(&tests, flags, accelerator)?;
    run_rounds(&tests, flags, accelerator, None)
}

fn make_archive(file: &Path, flags: &VmTestFlags) -> Result<()> {
    // Before all that takes long.
    archive::check_for_changes()?;
    host::ensure(&[&host::all()[..], &host::ARCHIVE].concat(), flags.yes)?;
    let images = images(&Tests::All, flags)?;
    image::ensure(&images, flags.yes)?;
    build()?;
    let accelerator = accelerator()?;
    make_templates(&Tests::All, flags, accelerator)?;
    archive::make(file, &images, &archive::templates("")?, accelerator)
}

fn run_archived(file: &Path, flags: &VmTestFlags) -> Result<()> {
    let archive = Archive::open(file, &archive::commit()?)?;
    host::ensure(&[&host::all()[..], &host::ARCHIVE].concat(), flags.yes)?;
    let archived_tests = archive.unpack()?;
    // Those that are not in the archive are made from others.
    image::ensure(&archive.images()?, flags.yes)?;
    let accelerator = accelerator()?;
    archive.compare_host(accelerator)?;
    run_rounds(&tests(flags)?, flags, accelerator, Some(&archived_tests))
}

/// The images that these tests need.
fn images(tests: &Tests<'_>, flags: &VmTestFlags) -> Result<Vec<Image>> {
    let mut images = Image::USUAL.to_vec();
    if flags.all_guests {
        images.extend(ignored::images(tests)?);
    }
    Ok(images)
}

/// The tests that the flags select.
fn tests(flags: &VmTestFlags) -> Result<Tests<'_>> {
    Ok(match (&flags.filter, flags.rerun_failed) {
        (_, true) => Tests::These(failures::names()?),
        (Some(filter), false) => Tests::Like(filter),
        (None, false) => Tests::All,
    })
}

/// Runs the tests, or those in the archive `archived`, as often as the flags ask for, or until
/// one fails.
fn run_rounds(
    tests: &Tests<'_>,
    flags: &VmTestFlags,
    accelerator: &str,
    archived: Option<&Path>,
) -> Result<()> {
    let schema = junit::schema();
    if let Err(error) = &schema {
        eprintln!("JUnit reports are not checked, because there is no schema: {error:#}");
    }
    let schema = schema.as_deref().ok();
    let excluded = ignored::excluded(tests, schema.is_some(), flags.all_guests)?;
    let mut rounds = junit::Rounds::of(flags.repeat);
    failures::remove_flaky()?;
    for round in 1..=flags.repeat.get() {
        if flags.repeat.get() > 1 {
            eprintln!("round {round} of {}", flags.repeat);
        }
        failures::remove()?;
        junit::remove(profile(flags))?;
        let mut runner = runner::command(tests, &excluded, flags, archived)?;
        runner
            .env("VM_IMAGES", vm_dir())
            .env("VM_FAILURES", failures::dir())
            // Not the user's own.
            .env("XDG_CACHE_HOME", vm_dir().join("cache"))
            .env("VM_ACCEL", accelerator);
        if let Some(schema) = schema {
            runner.env("VM_JUNIT_SCHEMA", schema);
        }
        let outcome = run_visibly(&mut runner);
        let reported = match &flags.junit_xml {
            Some(path) => rounds.take_report(profile(flags), path, schema),
            None => Ok(()),
        };
        let flaky = junit::flaky(profile(flags));
        let kept = flaky.and_then(|tests| failures::keep_flaky(&tests, round));
        let results = [outcome, reported, kept];
        let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
        if errors.is_empty() {
            continue;
        }
        for error in errors {
            eprintln!("error: {error:#}");
        }
        failures::print()?;
        return Err(AlreadyPrinted.into());
    }
    Ok(())
}

/// Fails if flags need nextest, and it is not installed.
fn check_for_nextest(flags: &VmTestFlags) -> Result<()> {
    let flag = match flags {
        VmTestFlags {
            partition: Some(_), ..
        } => "--partition",
        VmTestFlags {
            junit_xml: Some(_), ..
        } => "--junit-xml",
        VmTestFlags {
            archive: Some(_), ..
        } => "--archive",
        VmTestFlags {
            from_archive: Some(_),
            ..
        } => "--from-archive",
        _ => return Ok(()),
    };
    ensure!(
        host::find("cargo-nextest").is_some(),
        "{flag} needs cargo-nextest: `cargo install --locked cargo-nextest`"
    );
    Ok(())
}

/// Cargo's selection of the tests and the programs that they run. It would build the crates that
/// both need twice, with other features, if they were built one after the other. With the package
/// for text recognition, whose tests need more features, it shares what `cargo test` has compiled.
const PACKAGES: [&str; 8] = [
    "--package",
    "vm-tests",
    "--package",
    "vmwright",
    "--package",
    "vmwright-driver",
    "--package",
    "vmwright-ocr",
];

/// Of the tests in these packages, those with images, as an expression of nextest's.
const VM_TESTS: &str = "package(vm-tests)";

/// Builds the tests, and the programs that some of them run.
pub(crate) fn build() -> Result<()> {
    run_visibly(
        cargo()
            .arg("build")
            .args(PACKAGES)
            .args(["--bins", "--tests"]),
    )
}

/// Makes the templates of the images before all tests are run, with visible progress. Which
/// templates a selection of tests needs is unknown: they make them themselves.
fn make_templates(tests: &Tests<'_>, flags: &VmTestFlags, accelerator: &str) -> Result<()> {
    if !uses_templates() || !matches!(tests, Tests::All) {
        return Ok(());
    }
    // In another process, because the library reads the environment set here.
    let mut task = Command::new(std::env::current_exe()?);
    task.args(["template", "--all"])
        .env("VM_ACCEL", accelerator);
    scale_timeouts(&mut task, flags);
    if let Err(error) = run_visibly(&mut task) {
        eprintln!("the tests make the templates themselves: {error:#}");
    }
    Ok(())
}

/// Whether the tests clone templates.
pub(crate) fn uses_templates() -> bool {
    std::env::var_os("VM_TEMPLATES").is_none_or(|value| value != "off")
}

/// A failure whose cause has been printed.
#[derive(Debug, thiserror::Error)]
#[error("tests failed")]
pub(crate) struct AlreadyPrinted;

/// Runs all tests. Before, checks that CI machines can share them.
pub(crate) fn run_all(yes: bool) -> Result<()> {
    if host::find("cargo-nextest").is_some() {
        partition::check()?;
        archive_check::check(accelerator()?, yes)?;
    } else {
        eprintln!(
            "partitions and archives of tests are not checked: that needs cargo-nextest, `cargo \
             install --locked cargo-nextest`"
        );
    }
    run(&VmTestFlags {
        filter: None,
        yes,
        repeat: NonZero::<u32>::MIN,
        rerun_failed: false,
        all_guests: false,
        timeout_scale: None,
        pause_on_failure: false,
        partition: None,
        junit_xml: None,
        archive: None,
        from_archive: None,
    })
}

/// Removes the templates that no machine uses.
pub(crate) fn clean() -> Result<()> {
    let templates = vm_dir().join("templates");
    machine::Template::clear(&templates)
        .with_context(|| format!("can't clear {}", templates.display()))
}

/// The name of the accelerator to run machines with, after probing for KVM.
pub(crate) fn accelerator() -> Result<&'static str> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // The log shows why KVM, or the value of `VM_ACCEL`, can't be used.
    let log = tracing_subscriber::registry().with(Terminal::new(io::stderr).layer());
    let accelerator =
        tracing::subscriber::with_default(log, || runtime.block_on(machine::accelerator()));
    eprintln!("accelerator: {}", accelerator.name());
    Ok(accelerator.name())
}
