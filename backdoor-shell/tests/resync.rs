//! Whatever came before on the line, a command gets its own right answer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use backdoor_shell::{Command, Error, Exit, GREETING, Shell};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

/// What a command prints: as plain text, or in base64 if it is not.
fn output() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ -~\\n]{0,40}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..60),
    ]
}

/// What gets on the line between two writes of the agent's. None of it is base64
/// through and through: in the middle of base64, nothing could tell that.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => Just(Vec::new()),
        1 => Just(b"\n[   12.345678] a line of the kernel's\n".to_vec()),
        1 => Just(b"\n@e 0123456789abcdef 0 0\n@t 0123456789abcdef other".to_vec()),
        1 => Just(b"\n@b 0123456789abcdef AA=A\n@r 0123456789abcdef\n@e 01".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(|more| [b"[", &more[..]].concat()),
        1 => (4000usize..9000).prop_map(|length| vec![b' '; length]),
    ]
}

/// What becomes of a command, beside its answer.
#[derive(Clone, Debug)]
struct Fate {
    output: Vec<u8>,
    status: u8,
    /// Before each write.
    noise: Vec<Vec<u8>>,
    /// The answer is cut here, and its rest comes late: before what is written next.
    cut: Option<prop::sample::Index>,
}

fn fate() -> impl Strategy<Value = Fate> {
    let noise = prop::collection::vec(noise(), 4);
    let cut = prop::option::weighted(0.4, any::<prop::sample::Index>());
    (output(), any::<u8>(), noise, cut).prop_map(|(output, status, noise, cut)| Fate {
        output,
        status,
        noise,
        cut,
    })
}

/// The writes of the answer, as the agent makes them.
fn writes(fate: &Fate, nonce: &str) -> Vec<Vec<u8>> {
    let Fate { output, status, .. } = fate;
    let mut writes = Vec::new();
    match str::from_utf8(output) {
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

/// The agent, whose line others write to. Ends with the line.
async fn agent(line: DuplexStream, fates: &[Fate]) -> Option<()> {
    let (requests, mut answers) = tokio::io::split(line);
    let mut requests = BufReader::new(requests).lines();
    answers
        .write_all(format!("{GREETING}\n").as_bytes())
        .await
        .ok()?;
    let mut fates = fates.iter();
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
            [_, "__vm_run", nonce, ..] => {
                let fate = fates.next()?;
                answers.write_all(&std::mem::take(&mut late)).await.ok()?;
                let mut said = Vec::new();
                for (noise, write) in fate.noise.iter().zip(writes(fate, nonce)) {
                    said.extend_from_slice(noise);
                    said.extend(write);
                }
                if let Some(cut) = fate.cut {
                    late = said.split_off(cut.index(said.len()));
                }
                answers.write_all(&said).await.ok()?;
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

/// Whether that is what a command may come to. What ran out of time has printed a
/// beginning; what arrived damaged is said to be. There is no wrong answer.
fn is_true(result: &Result<backdoor_shell::Output, Error>, fate: &Fate) -> bool {
    match result {
        Ok(output) => match output.exit {
            Exit::Status(status) => {
                status == i32::from(fate.status) && output.stdout == fate.output
            }
            Exit::TimedOut => fate.cut.is_some() && fate.output.starts_with(&output.stdout),
        },
        Err(Error::Damaged { .. }) => fate.noise.iter().any(|noise| !noise.is_empty()),
        Err(_) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_answer_is_anothers(disturbed in prop::collection::vec(fate(), 0..6), plain in output()) {
        let undisturbed = Fate { output: plain, status: 3, noise: vec![Vec::new(); 4], cut: None };
        let fates = [disturbed, vec![undisturbed]].concat();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let results = runtime.block_on(async {
            let (line, guest) = tokio::io::duplex(1 << 16);
            let ours = async {
                let mut shell = Shell::new(line);
                shell.connect(|_| ()).await.unwrap();
                let mut results = Vec::new();
                for _ in &fates {
                    let command = Command::new("true").timeout(Duration::from_secs(1));
                    results.push(shell.run(command).await);
                }
                results
            };
            tokio::join!(ours, agent(guest, &fates)).0
        });
        for (result, fate) in results.iter().zip(&fates) {
            prop_assert!(is_true(result, fate), "{result:?} of {fate:?}");
        }
        let last = results.last().unwrap().as_ref().unwrap();
        prop_assert_eq!(last.exit, Exit::Status(3));
    }
}
