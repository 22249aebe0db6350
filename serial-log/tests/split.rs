//! However the bytes are cut on their way, the lines are the same, and a wait
//! finds what a search over all that has come would find.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use bytes::BytesMut;
use proptest::prelude::*;
use proptest::sample::Index;
use regex_automata::{Input, meta::Regex, util::syntax};
use serial_log::{Error, LineCodec, SerialLog};
use support::{cut, lines};
use tokio::io::AsyncWriteExt as _;

/// Bytes as consoles send them: text, ends of lines, escapes, characters of
/// several bytes, and broken ones.
fn console() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-c ]{0,6}".prop_map(String::into_bytes),
        3 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        2 => "[é€𝄞]{1,3}".prop_map(String::into_bytes),
        1 => Just(b"\x1b[2J".to_vec()),
        2 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..12)
}

/// What the documentation says a line is, written down without regard to
/// arrival.
fn expected(bytes: &[u8], max_line: usize) -> Vec<String> {
    let ended = bytes.ends_with(b"\n");
    let mut pieces: Vec<_> = bytes.split(|&b| b == b'\n').collect();
    let unfinished = pieces.pop().filter(|_| !ended);
    let mut lines = Vec::new();
    for (number, piece) in pieces.iter().chain(&unfinished).enumerate() {
        let mut line = String::new();
        for c in String::from_utf8_lossy(piece).replace('\r', "").chars() {
            if line.len() + c.len_utf8() > max_line {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
        if number < pieces.len() || !line.is_empty() {
            lines.push(line);
        }
    }
    lines
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_lines(bytes in console(), cuts in cuts(), max_line in 4..20_usize) {
        let whole = lines(LineCodec::with_max_line(max_line), [&bytes[..]]);
        prop_assert_eq!(&whole, &expected(&bytes, max_line));
        let pieces = cut(&bytes, &cuts);
        prop_assert_eq!(&lines(LineCodec::with_max_line(max_line), pieces), &whole);
        prop_assert_eq!(&lines(LineCodec::with_max_line(max_line), bytes.chunks(1)), &whole);
    }

    #[test]
    fn what_is_held_back_is_less_than_a_character(bytes in console(), cuts in cuts()) {
        let mut codec = LineCodec::new();
        let mut buffer = BytesMut::new();
        for piece in cut(&bytes, &cuts) {
            buffer.extend_from_slice(piece);
            support::drain(&mut codec, &mut buffer, |_| {});
            prop_assert!(buffer.len() <= 3, "{buffer:?}");
        }
    }

    #[test]
    fn a_wait_finds_what_a_search_over_everything_finds(
        bytes in console(),
        cuts in cuts(),
        pattern in prop::sample::select(&PATTERNS[..]),
    ) {
        let pieces = cut(&bytes, &cuts);
        let expected = matches_in_all(pattern, &pieces);
        prop_assert_eq!(matches_by_waiting(pattern, &pieces), expected);
    }
}

const PATTERNS: [&str; 16] = [
    "a",
    "a.*b",
    "^a",
    "a$",
    "^$",
    r"\ba",
    r"b\b",
    r"a\nb",
    r"b\s+a",
    r"^[ab]+\n\n*c",
    "[^b]é",
    "(?s)a.*b.*a",
    r"\Aa",
    r"a\z",
    "€|𝄞",
    "(?-u:\\x1b)\\[2J",
];

/// After each piece: search all text from behind the last match on, again and
/// again. That is what the waits are to find, done the slow way.
fn matches_in_all(pattern: &str, pieces: &[&[u8]]) -> Vec<(String, u64)> {
    let regex = Regex::builder()
        .syntax(syntax::Config::new().multi_line(true))
        .build(pattern)
        .unwrap();
    let mut codec = LineCodec::new();
    let (mut buffer, mut ended) = (BytesMut::new(), String::new());
    let (mut found, mut cursor) = (Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        support::drain(&mut codec, &mut buffer, |line| ended += &(line + "\n"));
        let all = format!("{ended}{}x", codec.partial());
        while let Some(m) = regex.find(Input::new(&all).range(cursor..all.len() - 1)) {
            let line = all[..m.start()].matches('\n').count() as u64 + 1;
            found.push((all[m.range()].to_owned(), line));
            if m.is_empty() {
                break;
            }
            cursor = m.end();
        }
    }
    found
}

fn matches_by_waiting(pattern: &str, pieces: &[&[u8]]) -> Vec<(String, u64)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut guest, console) = tokio::io::duplex(1 << 16);
        let log = SerialLog::new(console);
        let mut found = Vec::new();
        for piece in pieces {
            guest.write_all(piece).await.unwrap();
            support::settle().await;
            loop {
                match log.wait_for(pattern, Some(Duration::ZERO)).await {
                    Ok(m) if m.text.is_empty() => {
                        found.push((m.text, m.line));
                        break;
                    }
                    Ok(m) => found.push((m.text, m.line)),
                    Err(Error::TimedOut { .. }) => break,
                    Err(other) => panic!("{other}"),
                }
            }
        }
        found
    })
}
