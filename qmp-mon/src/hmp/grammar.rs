//! The grammar of the human monitor's output.

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_till, take_until};
use nom::character::complete::line_ending;
use nom::combinator::{map, rest, value};
use nom::multi::fold_many0;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser as _};

use super::readline::PROMPT;

/// The greeting line, without the prompt that ends it.
pub(super) fn greeting(input: &[u8]) -> IResult<&[u8], String> {
    terminated(
        map(take_until(&b"\r\n"[..]), plain),
        (line_ending, tag(PROMPT)),
    )
    .parse(input)
}

/// A command's echo, which is dropped, and its reply.
pub(super) fn reply(input: &[u8]) -> IResult<&[u8], String> {
    let echo = terminated(take_until(&b"\r\n"[..]), line_ending);
    preceded(echo, map(rest, plain)).parse(input)
}

/// Text as it is meant: without escape sequences, lines ended by `\n`.
fn plain(raw: &[u8]) -> String {
    let escape = delimited(
        tag(&b"\x1b["[..]),
        take_till(|byte| (b'@'..=b'~').contains(&byte)),
        take(1_usize),
    );
    let piece = alt((
        value(&b""[..], escape),
        value(&b"\n"[..], tag(&b"\r\n"[..])),
        take(1_usize),
    ));
    let mut text = fold_many0(piece, Vec::new, |mut text: Vec<u8>, piece: &[u8]| {
        text.extend_from_slice(piece);
        text
    });
    let text = text
        .parse(raw)
        .map_or_else(|_: nom::Err<()>| raw.to_vec(), |(_, text)| text);
    String::from_utf8(text)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_loses_its_echo_and_escapes() {
        let raw = b"i\x1b[K\x1b[Din\x1b[K\r\nline \x1b[1;31mone\r\ntwo \xff\r\n";
        assert_eq!(reply(raw).unwrap().1, "line one\ntwo \u{fffd}\n");
    }

    #[test]
    fn no_reply_at_all() {
        assert_eq!(reply(b"stop\x1b[K\r\n").unwrap().1, "");
    }

    #[test]
    fn greeting_without_its_prompt() {
        let raw = b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ";
        assert_eq!(
            greeting(raw).unwrap().1,
            "QEMU 7.2.22 monitor - type 'help' for more information"
        );
    }
}
