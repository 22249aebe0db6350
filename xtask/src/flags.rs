//! The command line.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// vmwright's own tool: guest images, VM tests, checks.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Builds guest images, and prints their directories
    Image(ImageFlags),
    /// Boots images and saves them as the templates that tests clone; a test makes a
    /// missing one itself
    Template(ImageFlags),
    /// Runs the tests on real virtual machines
    VmTest(VmTestFlags),
    /// Checks and tests everything: `tidy`, the tests of all crates, `vm-test`
    Test(TestFlags),
    /// Removes the templates of machines, which tests make again
    CleanVm,
    /// Prints the figures of a benchmark
    Bench(BenchFlags),
    /// Fuzzes whatever reads a guest's bytes; `cargo test` replays what was found
    Fuzz(FuzzFlags),
    /// Clones machines and runs commands many times, and fails if they leave anything
    /// behind
    Soak(SoakFlags),
    /// Checks the rules that code can check: dependencies, codecs, formatting, lints
    Tidy,
}

/// A guest image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Image {
    /// Debian's kernel, busybox and bash in an initramfs: boots in seconds
    Minimal,
    /// Debian 12 with systemd
    Systemd,
    /// Debian 12 with an X server, a window manager and xterm
    Desktop,
}

#[derive(Debug, Args)]
pub(crate) struct ImageFlags {
    /// The image
    #[arg(value_enum, required_unless_present = "all")]
    pub(crate) name: Option<Image>,
    /// All images
    #[arg(long, conflicts_with = "name")]
    pub(crate) all: bool,
    /// Installs missing host packages without asking, as with `CI` in the environment
    #[arg(long)]
    pub(crate) yes: bool,
}

impl ImageFlags {
    /// Those that are asked for.
    pub(crate) fn images(&self) -> Vec<Image> {
        match self.name {
            Some(image) => vec![image],
            None => Image::value_variants().to_vec(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct VmTestFlags {
    /// Runs only tests whose name contains this
    pub(crate) filter: Option<String>,
    /// Installs missing host packages without asking, as with `CI` in the environment
    #[arg(long)]
    pub(crate) yes: bool,
    /// Runs them N times, or until one fails
    #[arg(long, value_name = "N", default_value_t = NonZero::<u32>::MIN)]
    pub(crate) repeat: NonZero<u32>,
    /// Runs only the tests that failed last time
    #[arg(long, conflicts_with = "filter")]
    pub(crate) rerun_failed: bool,
    /// Multiplies the time limits of all waits and commands: for a slow host
    #[arg(long, value_name = "F", value_parser = time_scale)]
    pub(crate) timeout_scale: Option<f64>,
    /// Runs one test at a time, and gives a prompt on the machines of one that fails
    #[arg(long)]
    pub(crate) pause_on_failure: bool,
    /// Runs only this part of them, such as `count:1/2`, so that CI machines can share them;
    /// needs cargo-nextest
    #[arg(long, value_name = "PART", conflicts_with_all = ["rerun_failed", "pause_on_failure"])]
    pub(crate) partition: Option<String>,
    /// Reports in JUnit's XML, for CI systems; needs cargo-nextest
    #[arg(long, value_name = "FILE", conflicts_with = "pause_on_failure")]
    pub(crate) junit_xml: Option<PathBuf>,
}

fn time_scale(text: &str) -> Result<f64, String> {
    let scale = text.parse::<f64>().map_err(|error| error.to_string())?;
    let is_scale = scale.is_finite() && scale >= 1.0;
    is_scale
        .then_some(scale)
        .ok_or("it must be 1 or more".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct TestFlags {
    /// Installs missing host packages without asking, as with `CI` in the environment
    #[arg(long)]
    pub(crate) yes: bool,
}

/// A benchmark.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Bench {
    /// How long a clone takes, beside a boot, and what sixteen of them cost
    Clone,
    /// How long a command takes, beside the reference's way to run it
    Commands,
    /// How long it takes until a fault is seen
    Faults,
    /// How well and how fast screens are read, beside `convert` and `tesseract`
    Ocr,
    /// How fast a console is logged
    SerialLog,
    /// How long all VM tests take, with a boot for each machine, with clones of templates
    /// that are made within that time, and with clones of those; two hours
    Suite,
    /// How large the trace page of a long run is, and how fast a browser shows it
    Trace,
}

#[derive(Debug, Args)]
pub(crate) struct BenchFlags {
    /// What to measure
    #[arg(value_enum)]
    pub(crate) name: Bench,
    /// Installs missing host packages without asking, as with `CI` in the environment
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FuzzFlags {
    /// The target; all, one after the other, if none is named
    pub(crate) target: Option<String>,
    /// How long each is fuzzed
    #[arg(long, default_value_t = 600)]
    pub(crate) seconds: u32,
}

#[derive(Debug, Args)]
pub(crate) struct SoakFlags {
    /// How many machines are cloned, asked and released
    #[arg(long, default_value_t = 500)]
    pub(crate) clones: u32,
    /// How many commands one machine runs
    #[arg(long, default_value_t = 10_000)]
    pub(crate) commands: u32,
    /// Installs missing host packages without asking, as with `CI` in the environment
    #[arg(long)]
    pub(crate) yes: bool,
}
