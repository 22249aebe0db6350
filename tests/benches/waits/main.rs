//! How soon a wait ends after its event, and the guest's processor time that it takes, compared
//! with the NixOS test driver's way in the same run: `cargo xtask bench waits`; with an argument,
//! of the kinds that have it in their names.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints its figures, and panics on errors"
)]

mod figures;
mod kinds;
mod ours;
#[path = "../reference.rs"]
mod reference;
mod script;
mod theirs;

use std::time::{Duration, Instant};

use machine::ocr::{Image, Reader};
use machine::{Machine, StartScript};
use vm_tests::start_script;

use self::figures::Figures;
use self::kinds::{IN_SCRIPT, Kind, ON_DESKTOP, ON_SYSTEMD, Probe};
use self::reference::{Reference, idle};

/// How often each kind is measured; odd, for the median.
const ROUNDS: usize = 9;

/// How long a screen must be still.
const STILL: Duration = Duration::from_secs(1);

/// How long the guest's processor time is measured.
const WAITING: Duration = Duration::from_secs(8);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // `cargo test --benches` only checks that it builds.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    // Cargo adds `--bench`.
    let part = std::env::args().skip(1).find(|arg| arg != "--bench");
    let part = part.unwrap_or_default();
    println!("median and longest of {ROUNDS}, in ms after the event, and the part of the guest's");
    println!("processor that the wait takes");
    let selected = |kinds: &'static [Kind]| -> Vec<&'static Kind> {
        kinds
            .iter()
            .filter(|kind| kind.name.contains(&part))
            .collect()
    };
    let kinds = selected(IN_SCRIPT);
    if !kinds.is_empty() {
        let ours = script::measure("systemd", &kinds).await;
        compare("systemd", &kinds, ours).await;
    }
    for (image, kinds) in [("systemd", ON_SYSTEMD), ("desktop", ON_DESKTOP)] {
        let kinds = selected(kinds);
        if !kinds.is_empty() {
            let ours = measure(image, &kinds).await;
            compare(image, &kinds, ours).await;
        }
    }
}

/// Measures the waits of the library.
async fn measure(image: &str, kinds: &[&Kind]) -> Vec<Figures> {
    // For the last screens of waits that time out.
    let out_dir = tempfile::tempdir().unwrap();
    let start = StartScript::new(start_script(image));
    let builder = Machine::builder(start).out_dir(out_dir.path());
    let vm = builder.build().unwrap();
    vm.execute(idle()).await.unwrap();
    let mut ours = Vec::new();
    for kind in kinds {
        let figures = ours::measure(&vm, kind).await;
        println!("{:34} vmwright {figures}", kind.name);
        if let Probe::Text(_) = kind.probe {
            let reading = reading_time(&vm).await.as_millis();
            println!("{:34} reading the screen takes {reading} ms", "");
        }
        ours.push(figures);
    }
    ours
}

/// Measures the reference's waits, and prints both.
async fn compare(image: &str, kinds: &[&Kind], ours: Vec<Figures>) {
    let mut vm = Reference::start(image).await;
    for (kind, ours) in kinds.iter().zip(ours) {
        let theirs = theirs::measure(&mut vm, kind).await.to_string();
        println!(
            "{:34} NixOS driver's way {theirs:24} vmwright {ours}",
            kind.name
        );
    }
    vm.stop().await;
}

/// How long the best interpretation of the screen takes, by a new reader.
async fn reading_time(vm: &Machine) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("screen.png");
    vm.screenshot(path.to_str().unwrap()).await.unwrap();
    let image = Image::open(path).unwrap();
    let reader = Reader::new();
    // Starts the engine.
    let blank = Image::from_rgb(1, 1, vec![[0; 3]]).unwrap();
    reader.read(&blank).text().unwrap();
    let start = Instant::now();
    reader.read(&image).text().unwrap();
    start.elapsed()
}

/// The event of a round, as a command that leaves it in the background.
fn event(kind: &Kind, round: usize) -> (String, String) {
    let marker = format!("event {} {round}", kind.name.replace([',', ' '], "-"));
    let pause = format!("1.{:02}", 11 * round);
    let command = format!(
        "n={round} pause={pause} event={} console=/dev/ttyS0 DISPLAY=:0; export DISPLAY; \
         {}
         ( {} ) >&2 </dev/null &",
        machine::quote(&marker).unwrap(),
        kind.setup,
        kind.event
    );
    (command, marker)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the passing of time is measured, and the reference pauses"
)]
async fn passed(time: Duration) {
    tokio::time::sleep(time).await;
}
