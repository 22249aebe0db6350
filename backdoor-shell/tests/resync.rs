//! A command gets its own answer, whatever arrived before it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use backdoor_shell::{Command, Error, Exit, GREETING, Shell};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

/// The output of a command: plain text, or bytes that are sent as base64.
fn output() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ -~\\n]{0,40}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..60),
    ]
}

/// Output of other processes between two writes of the agent. It is never valid base64 as a
/// whole, which could not be distinguished from the base64 around it.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => Just(Vec::new()),
        1 => Just(b"\n[   12.345678] a kernel message\n".to_vec()),
        1 => Just(b"\n@e 0123456789abcdef 0 0\n@t 0123456789abcdef other".to_vec()),
        1 => Just(b"\n@b 0123456789abcdef AA=A\n@r 0123456789abcdef\n@e 01".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(|more| [b"[", &more[..]].concat()),
        1 => (4000usize..9000).prop_map(|length| vec![b' '; length]),
    ]
}

/// A command's answer, and what disturbs it.
#[derive(Clone, Debug)]
struct Scenario {
    output: Vec<u8>,
    status: u8,
    /// Before each write.
    noise: Vec<Vec<u8>>,
    /// The answer is cut here. The rest is written before the next answer.
    cut: Option<prop::sample::Index>,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let noise = prop::collection::vec(noise(), 4);
    let cut = prop::option::weighted(0.4, any::<prop::sample::Index>());
    (output(), any::<u8>(), noise, cut).prop_map(|(output, status, noise, cut)| Scenario {
        output,
        status,
        noise,
        cut,
    })
}

/// The agent's writes for an answer.
fn writes(scenario: &Scenario, nonce: &str) -> Vec<Vec<u8>> {
    let Scenario { output, status, .. } = scenario;
    let mut writes = Vec::new();
    match std::str::from_utf8(output) {
        Ok("") => {}
        Ok(text) if text.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')) => {
            let text = text.replace('\\', "\\\\").replace('\n', "\\n");
            writes.push(format!("\n@t {nonce} {text}\n").into_bytes());
        }
        _ => {
            let encoded = STANDARD.encode(output);
            let (begin, end) = encoded.split_at(encoded.len() / 2);
            writes.push(format!("\n@b {nonce} {begin}").into_bytes());
            writes.push(end.to_owned().into_bytes());
        }
    }
    writes.push(format!("\n@e {nonce} {status} 0\n").into_bytes());
    writes
}

/// An agent on a line with other writers. Returns when the line is closed.
async fn agent(line: DuplexStream, scenarios: &[Scenario]) -> Option<()> {
    let (requests, mut answers) = tokio::io::split(line);
    let mut requests = BufReader::new(requests).lines();
    answers
        .write_all(format!("{GREETING}\n").as_bytes())
        .await
        .ok()?;
    let mut scenarios = scenarios.iter();
    let mut late = Vec::new();
    loop {
        let request = requests.next_line().await.ok()??;
        let words: Vec<&str> = request.split([' ', '=', ';']).collect();
        match *words.as_slice() {
            ["__vm_hello", session, ..] => {
                answers
                    .write_all(format!("\n@r {session}\n").as_bytes())
                    .await
                    .ok()?;
            }
            // After a time-out: which processes hold the output?
            [_, "__vm_run", nonce, ..] if request.contains("__vm_holders") => {
                answers.write_all(&std::mem::take(&mut late)).await.ok()?;
                let end = format!("\n@e {nonce} 0 0\n");
                answers.write_all(end.as_bytes()).await.ok()?;
            }
            [_, "__vm_run", nonce, ..] => {
                let scenario = scenarios.next()?;
                answers.write_all(&std::mem::take(&mut late)).await.ok()?;
                let mut bytes = Vec::new();
                for (noise, write) in scenario.noise.iter().zip(writes(scenario, nonce)) {
                    bytes.extend_from_slice(noise);
                    bytes.extend(write);
                }
                if let Some(cut) = scenario.cut {
                    late = bytes.split_off(cut.index(bytes.len()));
                }
                answers.write_all(&bytes).await.ok()?;
            }
            [_, "__vm_stop", nonce, "KILL"] => {
                answers.write_all(&std::mem::take(&mut late)).await.ok()?;
                answers
                    .write_all(format!("\n@e {nonce} 137 0\n").as_bytes())
                    .await
                    .ok()?;
            }
            _ => {}
        }
    }
}

/// Whether `result` is correct: complete, or a beginning with a time-out, or reported as
/// damaged.
fn is_correct(result: &Result<backdoor_shell::Output, Error>, scenario: &Scenario) -> bool {
    match result {
        Ok(output) => match output.exit {
            Exit::Status(status) => {
                status == i32::from(scenario.status) && output.stdout == scenario.output
            }
            Exit::TimedOut => scenario.cut.is_some() && scenario.output.starts_with(&output.stdout),
            _ => false,
        },
        Err(Error::Damaged { .. }) => scenario.noise.iter().any(|noise| !noise.is_empty()),
        Err(_) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_answer_is_the_commands_own(disturbed in prop::collection::vec(scenario(), 0..6), plain in output()) {
        let undisturbed = Scenario { output: plain, status: 3, noise: vec![Vec::new(); 4], cut: None };
        let scenarios = [disturbed, vec![undisturbed]].concat();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let results = runtime.block_on(async {
            let (line, guest) = tokio::io::duplex(1 << 16);
            let host = async {
                let mut shell = Shell::new(line);
                shell.connect(|_| ()).await.unwrap();
                let mut results = Vec::new();
                for _ in &scenarios {
                    let command = Command::new("true").timeout(Duration::from_secs(1));
                    results.push(shell.run(command).await);
                }
                results
            };
            tokio::join!(host, agent(guest, &scenarios)).0
        });
        for (result, scenario) in results.iter().zip(&scenarios) {
            prop_assert!(is_correct(result, scenario), "{result:?} of {scenario:?}");
        }
        let last = results.last().unwrap().as_ref().unwrap();
        prop_assert_eq!(&last.exit, &Exit::Status(3));
    }
}
