//! The reference's waits: a probe, and a pause of a second.

use std::time::{Duration, Instant};

use tokio::process::Command;

use super::figures::{Figures, STATISTICS};
use super::kinds::{Kind, Probe, Wait};
use super::reference::Reference;
use super::{ROUNDS, STILL, WAITING, event, passed};

/// The reference's arguments; Debian's data has one of its three engines.
const CONVERT: &str = "-filter Catrom -density 72 -resample 300 -contrast -normalize -despeckle \
    -type grayscale -sharpen 1 -posterize 3 -negate -gamma 100 -blur 1x65535";
const TESSERACT: &str = "- -c debug_file=/dev/null --psm 11 --oem 1";

/// Some text is never read right.
const LONGEST: Duration = Duration::from_secs(30);

pub(crate) async fn measure(vm: &mut Reference, kind: &Kind) -> Figures {
    let mut latencies = Vec::new();
    for round in 1..=ROUNDS {
        let (command, marker) = event(kind, round);
        vm.execute(&command).await;
        wait(vm, kind, round).await;
        let ended = Instant::now();
        let happened = vm.shown(&marker).await;
        let latency = ended.saturating_duration_since(happened);
        latencies.push(match kind.wait {
            Wait::StillScreen => latency.saturating_sub(STILL),
            _ => latency,
        });
    }
    let idle = vm.output(STATISTICS).await;
    passed(WAITING).await;
    let before = vm.output(STATISTICS).await;
    let _ = tokio::time::timeout(WAITING, never(vm, kind)).await;
    vm.finish().await;
    let after = vm.output(STATISTICS).await;
    Figures::new(latencies, [idle, before, after])
}

async fn wait(vm: &mut Reference, kind: &Kind, n: usize) {
    match kind.probe {
        Probe::Command(probe) => vm.retry(&format!("n={n}; {probe}")).await,
        Probe::Text(text) => {
            let text = text.replace("$n", &n.to_string());
            let begin = Instant::now();
            while begin.elapsed() < LONGEST && !read(vm).await.contains(&text) {
                pause().await;
            }
        }
        Probe::StillScreen => {
            let mut last = (Vec::new(), Instant::now());
            loop {
                let picture = std::fs::read(vm.screen().await).unwrap();
                if picture != last.0 {
                    last = (picture, Instant::now());
                } else if last.1.elapsed() >= STILL {
                    return;
                }
                pause().await;
            }
        }
    }
}

/// Waits for what does not happen.
async fn never(vm: &mut Reference, kind: &Kind) {
    match kind.probe {
        Probe::StillScreen => loop {
            vm.screen().await;
            pause().await;
        },
        Probe::Command(_) if matches!(kind.wait, Wait::Fails | Wait::ClosedPort | Wait::X) => {
            vm.retry("false").await;
        }
        _ => wait(vm, kind, 99).await,
    }
}

async fn pause() {
    passed(Duration::from_secs(1)).await;
}

/// The text on the screen.
async fn read(vm: &mut Reference) -> String {
    let screen = vm.screen().await;
    let tiff = screen.with_extension("tiff");
    let mut convert = Command::new("/usr/bin/convert");
    convert.args(CONVERT.split_whitespace()).arg(&screen);
    output(convert.arg(format!("tiff:{}", tiff.display()))).await;
    let mut tesseract = Command::new("tesseract");
    output(tesseract.arg(&tiff).args(TESSERACT.split_whitespace())).await
}

async fn output(command: &mut Command) -> String {
    let output = command.kill_on_drop(true).output().await.unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
