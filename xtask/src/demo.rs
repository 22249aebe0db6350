//! `cargo xtask demo`: from a clone to a passing test with two machines and its trace page.

mod two_machines;

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use machine::report::{Outcome, Recorder, Terminal};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::flags::{DemoFlags, Image};
use crate::util::{run_visibly, vm_dir};
use crate::{host, image};

/// Runs the demo, and opens its page if the user wants that.
pub(crate) fn run(flags: &DemoFlags) -> Result<()> {
    let page = check(flags.yes)?;
    open(&page)
}

/// Installs QEMU, makes a guest image, runs the test, and returns the address of its page.
pub(crate) fn check(yes: bool) -> Result<String> {
    let start = Instant::now();
    let packages = [&host::RUN[..], &host::KERNEL, &host::VLAN].concat();
    eprintln!("1/3: QEMU, by apt: about a minute, unless it is installed");
    host::ensure(&packages, yes)?;
    eprintln!("2/3: a guest image of Debian's kernel and busybox: about 20 seconds, once");
    image::ensure(&[Image::Minimal], yes)?;
    eprintln!("3/3: a test with two machines: about 20 seconds");
    let page = test()?;
    eprintln!(
        "passed, after {} seconds in all. The test is xtask/src/demo/two_machines.rs; \
         its trace page is\n{page}",
        start.elapsed().as_secs()
    );
    Ok(page)
}

/// Runs the test, and returns the address of its trace page.
fn test() -> Result<String> {
    let dir = vm_dir().join("demo");
    fs::create_dir_all(&dir).with_context(|| format!("can't create {}", dir.display()))?;
    let recorder = Recorder::new("two machines");
    let log = Terminal::new(io::stderr)
        .colours(io::stderr().is_terminal())
        .consoles(|| false);
    let subscriber = tracing_subscriber::registry()
        .with(log.layer())
        .with(recorder.layer());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let image = Image::Minimal.dir();
    let test = two_machines::run(&image, &dir);
    let passed = tracing::subscriber::with_default(subscriber, || runtime.block_on(test));
    if passed.is_ok() {
        recorder.conclude(Outcome::Passed, None);
    }
    let page = dir.join("trace.html");
    let written = recorder.write_page(&page);
    passed.with_context(|| format!("the test failed: see {}", page.display()))?;
    written.with_context(|| format!("can't write {}", page.display()))?;
    Ok(address(&page))
}

fn address(page: &Path) -> String {
    format!("file://{}", page.display().to_string().replace(' ', "%20"))
}

/// Opens the page in a browser, if the user wants that.
fn open(page: &str) -> Result<()> {
    let has_user = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !has_user || host::find("xdg-open").is_none() {
        return Ok(());
    }
    eprint!("open it in a browser? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => run_visibly(Command::new("xdg-open").arg(page)),
        _ => Ok(()),
    }
}
