//! Properties of any input, for the fuzz targets and `tests/replay.rs`.

#![allow(dead_code, reason = "each target uses one")]

use std::time::Duration;

use backdoor_shell::{Command, Event, GREETING, Nonce, Request, Shell, ShellCodec};
use bytes::BytesMut;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::time::timeout;
use tokio_util::codec::{Decoder as _, Encoder as _};

/// Decodes input from a guest in pieces, whose length is the first byte.
///
/// # Panics
/// If the events depend on the length of the pieces, or the buffer grows.
pub(crate) fn codec(input: &[u8]) {
    let Some((&piece, bytes)) = input.split_first() else {
        return;
    };
    let whole = events(bytes.chunks(bytes.len().max(1)));
    assert_eq!(events(bytes.chunks(usize::from(piece).max(1))), whole);
    assert_eq!(events(bytes.chunks(1)), whole);
}

fn events<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut codec = ShellCodec::default();
    let run = Request::Run {
        session: Nonce::from(0),
        nonce: Nonce::from(0x0123_4567_89ab_cdef),
        script: "",
    };
    codec
        .encode(run, &mut BytesMut::new())
        .expect("writing to memory succeeds");
    let (mut buffer, mut events) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(event) = codec.decode(&mut buffer).expect("decoding never fails") {
            push(&mut events, event);
        }
        assert!(buffer.len() <= 4096, "{} bytes are buffered", buffer.len());
    }
    while let Some(event) = codec.decode_eof(&mut buffer).expect("decoding never fails") {
        push(&mut events, event);
    }
    assert!(buffer.is_empty());
    events
}

/// Joins adjacent outputs of a command, and drops them before `Damaged`: how much was
/// decoded before depends on the split.
fn push(events: &mut Vec<Event>, event: Event) {
    if let Event::Output(nonce, bytes) = &event
        && let Some(Event::Output(last, before)) = events.last_mut()
        && last == nonce
    {
        *before = [&before[..], &bytes[..]].concat().into();
        return;
    }
    if let Event::Damaged(nonce) = &event
        && matches!(events.last(), Some(Event::Output(last, _)) if last == nonce)
    {
        events.pop();
    }
    events.push(event);
}

/// Runs a shell with a guest that answers with the NUL-separated parts of `input`, in pieces
/// whose length is the first byte. In the answers, 0xfe stands for the session's nonce and
/// 0xff for that of the last request.
///
/// # Panics
/// If the shell panics, or returns more output than it received.
pub(crate) fn client(input: &[u8]) {
    let Some((&piece, bytes)) = input.split_first() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (line, guest) = tokio::io::duplex(512);
        let guest = guest_that_answers(guest, bytes, usize::from(piece).max(1));
        let _ = tokio::join!(use_shell(Shell::new(line), bytes.len()), guest);
    });
}

async fn use_shell(mut shell: Shell<DuplexStream>, received: usize) {
    const LIMIT: Duration = Duration::from_secs(1);
    let _ = timeout(LIMIT, shell.connect(|_| ())).await;
    if let Ok(output) = shell.run(Command::new("true").timeout(LIMIT)).await {
        assert!(output.stdout.len() <= received * Nonce::from(0).to_string().len());
    }
    let _ = timeout(LIMIT, shell.write_file("/file", &mut &[0; 2000][..])).await;
    let _ = shell.run(Command::new("true").timeout(LIMIT)).await;
}

/// Returns when the line is closed, or all answers are sent.
async fn guest_that_answers(line: DuplexStream, bytes: &[u8], piece: usize) -> Option<()> {
    let (requests, mut answers) = tokio::io::split(line);
    let mut requests = BufReader::new(requests);
    let greeting = format!("{GREETING}\n");
    answers.write_all(greeting.as_bytes()).await.ok()?;
    let session = nonce_of_next(&mut requests).await?;
    let ready = format!("\n@r {session}\n");
    answers.write_all(ready.as_bytes()).await.ok()?;
    for part in bytes.split(|byte| *byte == 0) {
        let nonce = nonce_of_next(&mut requests).await?;
        let answer: Vec<u8> = part
            .iter()
            .flat_map(|byte| match byte {
                0xfe => session.as_bytes(),
                0xff => nonce.as_bytes(),
                byte => std::slice::from_ref(byte),
            })
            .copied()
            .collect();
        for piece in answer.chunks(piece) {
            answers.write_all(piece).await.ok()?;
        }
    }
    Some(())
}

/// Reads requests up to one with nonces, and returns its last nonce.
async fn nonce_of_next(requests: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    loop {
        let mut line = Vec::new();
        if requests.read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&line);
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric());
        if let Some(nonce) = words.rfind(|word| is_nonce(word)) {
            return Some(nonce.to_owned());
        }
    }
}

fn is_nonce(word: &str) -> bool {
    word.len() == Nonce::from(0).to_string().len() && u64::from_str_radix(word, 16).is_ok()
}
