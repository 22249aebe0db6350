//! The waits of a Python script, which the program `driver` runs.

use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStderr, Command};
use vm_tests::{driver, start_script};

use super::figures::{Figures, STATISTICS};
use super::kinds::{Kind, Wait};
use super::reference::idle;
use super::{ROUNDS, WAITING, event};

/// Measures all kinds in one run of the driver.
pub(crate) async fn measure(image: &str, kinds: &[&Kind]) -> Vec<Figures> {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script.py");
    std::fs::write(&script, include_str!("script.py")).unwrap();
    let described: Value = kinds.iter().map(|kind| describe(kind)).collect();
    let mut driver = Command::new(driver())
        .arg("--start-scripts")
        .arg(start_script(image))
        .arg("-o")
        .arg(dir.path())
        .arg(script)
        .env("IDLE", idle())
        .env("KINDS", described.to_string())
        .env("SECONDS_OF_WAITING", WAITING.as_secs().to_string())
        .env("STATISTICS", STATISTICS)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(driver.stderr.take().unwrap()).lines();
    let console = format!("{image} # ");
    let mut figures = Vec::new();
    for kind in kinds {
        figures.push(read(&mut log, &console, kind).await);
    }
    // Without a reader, the driver could not write the log's last lines.
    while log.next_line().await.unwrap().is_some() {}
    assert!(driver.wait().await.unwrap().success());
    figures
}

fn describe(kind: &Kind) -> Value {
    let Wait::Script(wait) = kind.wait else {
        panic!("{} is not a wait of the script", kind.name)
    };
    let events = (1..=ROUNDS).map(|round| event(kind, round).0);
    json!({ "wait": wait, "events": events.collect::<Vec<_>>() })
}

/// Reads the events and the ends of a kind's waits in the log.
async fn read(log: &mut Lines<BufReader<ChildStderr>>, console: &str, kind: &Kind) -> Figures {
    let (mut happened, mut ended, mut statistics) = (Vec::new(), Vec::new(), Vec::new());
    let mut shown = String::new();
    while statistics.len() < 3 {
        let Some(line) = log.next_line().await.unwrap() else {
            panic!("the script of {} has ended:\n{shown}", kind.name)
        };
        shown.push_str(&line);
        shown.push('\n');
        let marker = event(kind, happened.len() + 1).1;
        if line.starts_with(console) && line.contains(&marker) {
            happened.push(Instant::now());
        } else if line.ends_with("the wait has ended") {
            ended.push(Instant::now());
        } else if let Some((_, numbers)) = line.split_once("statistics ") {
            statistics.push(numbers.to_owned());
        }
    }
    assert_eq!((happened.len(), ended.len()), (ROUNDS, ROUNDS));
    let latencies = happened
        .iter()
        .zip(ended)
        .map(|(&happened, ended)| ended.saturating_duration_since(happened));
    Figures::new(latencies.collect(), statistics.try_into().unwrap())
}
