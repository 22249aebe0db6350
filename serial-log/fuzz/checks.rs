//! Properties that hold for any input; checked by the fuzz targets and `tests/replay.rs`.

#![allow(dead_code, reason = "not every target and test uses all checks")]

use std::ops::Range;
use std::time::Duration;

use bytes::BytesMut;
use regex_automata::{Input, meta::Regex, util::syntax};
use serial_log::{Error, Event, LineCodec, SerialLog, printable, visible};
use tokio::io::AsyncWriteExt as _;
use tokio_util::codec::Decoder as _;

const MAX_LINE: usize = 16;

/// The lines of a console do not depend on how its bytes are split, are not too long,
/// and contain no terminal controls once printable. The first byte is the size of the
/// pieces in which the rest is decoded.
///
/// # Panics
/// Panics if a property does not hold.
pub(crate) fn lines(input: &[u8]) {
    let Some((&piece, bytes)) = input.split_first() else {
        return;
    };
    let whole = lines_of([bytes]);
    assert_eq!(lines_of(bytes.chunks(usize::from(piece).max(1))), whole);
    assert_eq!(lines_of(bytes.chunks(1)), whole);
    for line in whole {
        assert!(line.len() <= MAX_LINE && !line.contains(['\r', '\n']));
        assert!(!printable(&line).contains(|c: char| c.is_control() && c != '\t'));
    }
}

fn lines_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut codec = LineCodec::new().with_max_line(MAX_LINE);
    let (mut buffer, mut lines) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        lines.extend(ended_lines(&mut codec, &mut buffer));
        assert!(buffer.len() <= 3);
    }
    while let Some(event) = codec.decode_eof(&mut buffer).expect("decoding never fails") {
        lines.extend(line(event));
    }
    lines
}

fn ended_lines(codec: &mut LineCodec, buffer: &mut BytesMut) -> Vec<String> {
    let events = std::iter::from_fn(|| codec.decode(buffer).expect("decoding never fails"));
    events.filter_map(line).collect()
}

fn line(event: Event) -> Option<String> {
    match event {
        Event::Line(line) | Event::Piece(line) => Some(line),
        _ => None,
    }
}

/// The screen of a terminal does not depend on how the bytes are split, and has its size. The
/// first byte is the size of the pieces.
///
/// # Panics
/// Panics if a property does not hold.
pub(crate) fn screens(input: &[u8]) {
    let Some((&piece, bytes)) = input.split_first() else {
        return;
    };
    let whole = screen_of([bytes]);
    assert_eq!(screen_of(bytes.chunks(usize::from(piece).max(1))), whole);
    assert!(whole.lines().count() <= 24);
    assert!(whole.lines().all(|row| row.chars().count() <= 80));
}

pub(crate) fn screen_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    block_on(async {
        let (mut guest, console) = tokio::io::duplex(1 << 16);
        let log = SerialLog::new(console);
        for piece in pieces {
            guest.write_all(piece).await.expect("the console is read");
            settle().await;
            log.screen();
        }
        drop(guest);
        log.closed().await;
        log.screen()
    })
}

/// Waits find the same matches as searches of the whole text. The first byte selects
/// a pattern, the second is the size of the pieces in which the rest is decoded.
///
/// # Panics
/// Panics if the matches differ.
pub(crate) fn waits(input: &[u8]) {
    let [pattern, piece, bytes @ ..] = input else {
        return;
    };
    let pattern = PATTERNS[usize::from(*pattern) % PATTERNS.len()];
    let pieces: Vec<_> = bytes.chunks(usize::from(*piece).max(1)).collect();
    assert_eq!(
        matches_by_waiting(pattern, &pieces),
        matches_in_all(pattern, &pieces)
    );
}

pub(crate) const PATTERNS: [&str; 18] = [
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
    "ab",
    "[;m]",
];

/// The reference implementation of waits: after each piece, searches all text after
/// the last match, and its visible part.
pub(crate) fn matches_in_all(pattern: &str, pieces: &[&[u8]]) -> Vec<(String, u64)> {
    let regex = Regex::builder()
        .syntax(syntax::Config::new().multi_line(true))
        .build(pattern)
        .expect("a pattern");
    let mut codec = LineCodec::new();
    let (mut buffer, mut ended) = (BytesMut::new(), String::new());
    let (mut found, mut cursor) = (Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        for line in ended_lines(&mut codec, &mut buffer) {
            ended += &(line + "\n");
        }
        let all = format!("{ended}{}x", codec.partial());
        while let Some((range, text)) = first_match(&regex, &all, cursor) {
            let line = all[..range.start].matches('\n').count() as u64 + 1;
            let is_empty = text.is_empty();
            found.push((text, line));
            cursor = range.end;
            if is_empty {
                break;
            }
        }
    }
    found
}

/// The first match in `all`, except its last byte, or in the visible part of it.
fn first_match(regex: &Regex, all: &str, cursor: usize) -> Option<(Range<usize>, String)> {
    let end = all.len() - 1;
    let raw = regex.find(Input::new(all).range(cursor..end));
    let raw = raw.map(|m| (m.range(), all[m.range()].to_owned()));

    let (before, after) = all[..end].split_at(cursor);
    let context = before
        .chars()
        .next_back()
        .map(String::from)
        .unwrap_or_default();
    let text = format!("{context}{}x", visible(after));
    let seen = regex.find(Input::new(&text).range(context.len()..text.len() - 1));
    let seen = seen.map(|m| {
        let [start, end] = [m.start(), m.end()].map(|index| index - context.len());
        // The longest beginning that does not show the match, and the shortest that shows it.
        let beginnings = || (0..=after.len()).filter(|n| after.is_char_boundary(*n));
        let shown = |n: &usize| visible(&after[..*n]).len();
        let from = beginnings()
            .take_while(|n| shown(n) <= start)
            .last()
            .unwrap_or(0);
        let to = beginnings().find(|n| shown(n) >= end).unwrap_or(from);
        (
            cursor + from..cursor + to.max(from),
            text[m.range()].to_owned(),
        )
    });
    raw.into_iter()
        .chain(seen)
        .min_by_key(|(range, _)| range.start)
}

pub(crate) fn matches_by_waiting(pattern: &str, pieces: &[&[u8]]) -> Vec<(String, u64)> {
    block_on(async {
        let (mut guest, console) = tokio::io::duplex(1 << 16);
        let log = SerialLog::new(console);
        let mut found = Vec::new();
        for piece in pieces {
            guest.write_all(piece).await.expect("the console is read");
            settle().await;
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

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(future)
}

/// Lets the other tasks of a single-threaded runtime run until they block.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
