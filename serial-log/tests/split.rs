//! Neither the lines nor the matches of waits depend on how the bytes are split
//! into reads.

#[path = "../fuzz/checks.rs"]
mod checks;
mod support;

use bytes::BytesMut;
use checks::{PATTERNS, matches_by_waiting, matches_in_all, screen_of};
use proptest::prelude::*;
use proptest::sample::Index;
use serial_log::LineCodec;
use support::{cut, lines};

/// Typical console bytes: text, line terminators, escape sequences, multi-byte
/// characters and invalid UTF-8.
fn console() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-c ]{0,6}".prop_map(String::into_bytes),
        3 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        2 => "[é€𝄞]{1,3}".prop_map(String::into_bytes),
        1 => Just(b"\x1b[2J".to_vec()),
        1 => Just(b"\x1b[1;31m".to_vec()),
        1 => Just(b"\x1b]0;a b\x07".to_vec()),
        1 => Just(b"\x1b".to_vec()),
        2 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Output that draws: control sequences with any numbers, among other bytes.
fn drawing() -> impl Strategy<Value = Vec<u8>> {
    let sequence = (
        "[?]{0,1}",
        prop::collection::vec(any::<u16>(), 0..3),
        "[@-~]",
    )
        .prop_map(|(mark, numbers, end)| {
            let numbers: Vec<String> = numbers.iter().map(u16::to_string).collect();
            format!("\x1b[{mark}{}{end}", numbers.join(";")).into_bytes()
        });
    let small = ("[ABCDHJKLMPSTX@bdfr]", 0..90_u16, 0..30_u16)
        .prop_map(|(end, row, column)| format!("\x1b[{row};{column}{end}").into_bytes());
    let piece = prop_oneof![
        2 => sequence,
        3 => small,
        1 => "\x1b[ -~]".prop_map(String::into_bytes),
        3 => console(),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..12)
}

/// A non-incremental implementation of the documented rules for lines.
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
    fn any_split_gives_the_same_lines(bytes in console(), cuts in cuts(), max_line in 4..20_usize) {
        let whole = lines(LineCodec::new().with_max_line(max_line), [&bytes[..]]);
        prop_assert_eq!(&whole, &expected(&bytes, max_line));
        let pieces = cut(&bytes, &cuts);
        prop_assert_eq!(&lines(LineCodec::new().with_max_line(max_line), pieces), &whole);
        prop_assert_eq!(&lines(LineCodec::new().with_max_line(max_line), bytes.chunks(1)), &whole);
    }

    #[test]
    fn less_than_a_character_is_buffered(bytes in console(), cuts in cuts()) {
        let mut codec = LineCodec::new();
        let mut buffer = BytesMut::new();
        for piece in cut(&bytes, &cuts) {
            buffer.extend_from_slice(piece);
            support::drain(&mut codec, &mut buffer, |_| {});
            prop_assert!(buffer.len() <= 3, "{buffer:?}");
        }
    }

    #[test]
    fn a_wait_finds_the_same_as_a_search_of_the_whole_text(
        bytes in console(),
        cuts in cuts(),
        pattern in prop::sample::select(&PATTERNS[..]),
    ) {
        let pieces = cut(&bytes, &cuts);
        let expected = matches_in_all(pattern, &pieces);
        prop_assert_eq!(matches_by_waiting(pattern, &pieces), expected);
    }

    #[test]
    fn any_split_gives_the_same_screen(pieces in drawing(), cuts in cuts()) {
        let whole = screen_of([&pieces[..]]);
        prop_assert_eq!(&screen_of(cut(&pieces, &cuts)), &whole);
        prop_assert!(whole.lines().count() <= 24, "{whole:?}");
        prop_assert!(whole.lines().all(|row| row.chars().count() <= 80), "{whole:?}");
    }
}
