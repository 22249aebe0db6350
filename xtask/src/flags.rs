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
    /// Shows what this is: installs QEMU, makes a guest image, and runs a test with two machines
    Demo(DemoFlags),
    /// Builds guest images, and prints their directories
    Image(ImageFlags),
    /// Boots images and saves them as templates for the tests to clone; tests make missing
    /// templates themselves
    Template(ImageFlags),
    /// Runs the tests on real virtual machines
    VmTest(VmTestFlags),
    /// Checks and tests everything: `tidy`, the tests and packages of all crates, `vm-test`
    Test(TestFlags),
    /// Removes all templates; the tests make them again
    CleanVm,
    /// Runs a benchmark and prints its results
    Bench(BenchFlags),
    /// Builds the book in `docs` and the documentation of the crates
    Docs(TestFlags),
    /// Fuzzes the parsers of guest output; `cargo test` replays the corpora
    Fuzz(FuzzFlags),
    /// Clones machines and runs commands many times; fails if they leave processes, files,
    /// descriptors or memory behind
    Soak(SoakFlags),
    /// Checks dependencies, imports, codecs, tables of the documentation, formatting, lints
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
    /// Debian 12 with cloud-init on a disk with a boot loader, like published cloud images
    Cloud,
    /// Debian's kernel with its modules, to be booted directly
    Linux,
    /// The system of `systemd` as a directory, for containers; made as root, or in a user namespace
    Container,
    /// As `cloud`, of Debian 11
    CloudBullseye,
    /// As `cloud`, of Debian 13
    CloudTrixie,
    /// As `cloud`, of Debian unstable
    CloudSid,
    /// Archives of Debian 12 with sysvinit, openrc and runit, and with an initrd made by dracut
    OtherInit,
    /// Debian's installer, with a text console and with a graphical screen
    Installer,
}

#[derive(Debug, Args)]
pub(crate) struct DemoFlags {
    /// Installs missing host packages without asking, as with `CI` in the environment
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImageFlags {
    /// The image
    #[arg(value_enum, required_unless_present = "all")]
    pub(crate) name: Option<Image>,
    /// All images, but for those of `vm-test --all-guests`
    #[arg(long, conflicts_with = "name")]
    pub(crate) all: bool,
    /// Installs missing host packages without asking, as with `CI` in the environment
    #[arg(long)]
    pub(crate) yes: bool,
}

impl ImageFlags {
    /// The selected images.
    pub(crate) fn images(&self) -> Vec<Image> {
        match self.name {
            Some(image) => vec![image],
            None => Image::USUAL.to_vec(),
        }
    }
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct VmTestFlags {
    /// Runs only tests whose name contains this
    pub(crate) filter: Option<String>,
    /// Installs missing host packages without asking, as with `CI` in the environment
    #[arg(long)]
    pub(crate) yes: bool,
    /// Runs the tests N times, or until one fails
    #[arg(long, value_name = "N", default_value_t = NonZero::<u32>::MIN)]
    pub(crate) repeat: NonZero<u32>,
    /// Runs only the tests that failed in the last run
    #[arg(long, conflicts_with = "filter")]
    pub(crate) rerun_failed: bool,
    /// Runs also the tests on other versions of Debian, other init systems and Debian's
    /// installer; all their images take 10 minutes to build
    #[arg(long)]
    pub(crate) all_guests: bool,
    /// Multiplies the time limits of all waits and commands, for a slow host
    #[arg(long, value_name = "F", value_parser = time_scale)]
    pub(crate) timeout_scale: Option<f64>,
    /// Runs one test at a time, and opens a prompt with the machines of a failed test
    #[arg(long)]
    pub(crate) pause_on_failure: bool,
    /// Runs only this part of the tests, such as `count:1/2`, to split them among CI
    /// machines; needs cargo-nextest
    #[arg(long, value_name = "PART", conflicts_with_all = ["rerun_failed", "pause_on_failure"])]
    pub(crate) partition: Option<String>,
    /// Writes a JUnit XML report for CI systems; needs cargo-nextest
    #[arg(long, value_name = "FILE", conflicts_with = "pause_on_failure")]
    pub(crate) junit_xml: Option<PathBuf>,
    /// Runs no tests, but writes all that other machines need to run them into an archive: the
    /// compiled tests, the guest images, their templates; needs cargo-nextest
    #[arg(long, value_name = "FILE", conflicts_with_all = ["filter", "rerun_failed", "repeat",
        "pause_on_failure", "partition", "junit_xml", "from_archive", "all_guests"])]
    pub(crate) archive: Option<PathBuf>,
    /// Runs the tests in such an archive, and compiles nothing; needs cargo-nextest
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all_guests", "pause_on_failure"])]
    pub(crate) from_archive: Option<PathBuf>,
}

fn time_scale(text: &str) -> Result<f64, String> {
    let scale = text.parse::<f64>().map_err(|error| error.to_string())?;
    let is_scale = scale.is_finite() && scale >= 1.0;
    is_scale
        .then_some(scale)
        .ok_or("must be 1 or more".to_owned())
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
    /// The time of a clone and of a boot, and the cost of sixteen clones
    Clone,
    /// The time of a command, and of the reference driver's way to run one
    Commands,
    /// The time to the first command in a container and in a machine, the cost of a command, and
    /// the memory of ten containers; needs root
    Containers,
    /// The time until a fault is detected
    Faults,
    /// The time to the first command in a guest with the host's root, beside virtme-ng
    Guests,
    /// Accuracy and speed of reading screens, compared with `convert` and `tesseract`
    Ocr,
    /// The throughput of the console log
    SerialLog,
    /// The time of all VM tests: with a boot for each machine, with clones while making the
    /// templates, and with clones of existing templates; takes two hours
    Suite,
    /// The size of a long run's trace page, and the time in which a browser shows it
    Trace,
    /// How soon waits end after their events, and what they cost the guest, beside the
    /// reference driver's way
    Waits,
}

#[derive(Debug, Args)]
pub(crate) struct BenchFlags {
    /// What to measure
    #[arg(value_enum)]
    pub(crate) name: Bench,
    /// Only what has this in its name: of `ocr` a screen, of `waits` a kind of wait
    pub(crate) part: Option<String>,
    /// Installs missing host packages without asking, as with `CI` in the environment
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FuzzFlags {
    /// The target (default: all, one after the other)
    pub(crate) target: Option<String>,
    /// The time for each target
    #[arg(long, default_value_t = 600)]
    pub(crate) seconds: u32,
}

#[derive(Debug, Args)]
pub(crate) struct SoakFlags {
    /// The number of machines to clone, use and release
    #[arg(long, default_value_t = 500)]
    pub(crate) clones: u32,
    /// The number of commands to run on one machine
    #[arg(long, default_value_t = 10_000)]
    pub(crate) commands: u32,
    /// Installs missing host packages without asking, as with `CI` in the environment
    #[arg(long)]
    pub(crate) yes: bool,
}
