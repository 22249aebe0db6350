//! The grammar of a frame's head, the beginning of a line that answers a request.

use nom::branch::alt;
use nom::bytes::streaming::{tag, take_while_m_n};
use nom::character::streaming::{char, i32, line_ending};
use nom::combinator::{map, map_res};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser as _};

use crate::Nonce;

/// The length of the longest head: a longer line without a head is not a frame.
pub(crate) const MAX_HEAD: usize =
    "@e ".len() + Nonce::LEN + 2 * " -2147483648".len() + "\r\n".len();

/// The beginning of a frame. `Text` and `Base64` continue to the end of the line,
/// `Contents` to [`end_of`] them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    Ready(Nonce),
    Text(Nonce),
    Base64(Nonce),
    Contents(Nonce),
    End {
        nonce: Nonce,
        status: i32,
        encoder: i32,
    },
}

impl Head {
    /// The request that the frame answers.
    pub(crate) fn nonce(&self) -> Nonce {
        match *self {
            Self::Ready(nonce)
            | Self::Text(nonce)
            | Self::Base64(nonce)
            | Self::Contents(nonce)
            | Self::End { nonce, .. } => nonce,
        }
    }
}

/// Parses the head at the beginning of a line; `Incomplete` if more bytes are needed.
pub(crate) fn head(line: &[u8]) -> IResult<&[u8], Head> {
    let ready = map(delimited(tag(&b"@r "[..]), nonce, line_ending), Head::Ready);
    let text = map(delimited(tag(&b"@t "[..]), nonce, char(' ')), Head::Text);
    let base64 = map(delimited(tag(&b"@b "[..]), nonce, char(' ')), Head::Base64);
    let contents = map(
        delimited(tag(&b"@c "[..]), nonce, char('\n')),
        Head::Contents,
    );
    let end = map(
        (
            preceded(tag(&b"@e "[..]), nonce),
            preceded(char(' '), i32),
            terminated(preceded(char(' '), i32), line_ending),
        ),
        |(nonce, status, encoder)| Head::End {
            nonce,
            status,
            encoder,
        },
    );
    alt((text, base64, contents, end, ready)).parse(line)
}

/// What ends the contents: CR LF and the beginning of the script's end frame. The contents
/// can't contain it, because the script does not know its nonce.
pub(crate) fn end_of(contents: Nonce) -> Vec<u8> {
    format!("\r\n@e {contents} ").into_bytes()
}

fn nonce(input: &[u8]) -> IResult<&[u8], Nonce> {
    let digits = take_while_m_n(Nonce::LEN, Nonce::LEN, |byte: u8| byte.is_ascii_hexdigit());
    map_res(digits, |digits: &[u8]| {
        std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .map(Nonce::from)
            .ok_or("not a nonce")
    })
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_head() {
        let nonce = Nonce::from(0xab);
        assert_eq!(
            head(b"@r 00000000000000ab\n"),
            Ok((&b""[..], Head::Ready(nonce)))
        );
        assert_eq!(
            head(b"@t 00000000000000ab hi"),
            Ok((&b"hi"[..], Head::Text(nonce)))
        );
        assert_eq!(
            head(b"@b 00000000000000ab aGk="),
            Ok((&b"aGk="[..], Head::Base64(nonce)))
        );
        assert_eq!(
            head(b"@c 00000000000000ab\n@e"),
            Ok((&b"@e"[..], Head::Contents(nonce)))
        );
        let end = Head::End {
            nonce,
            status: 7,
            encoder: 0,
        };
        assert_eq!(head(b"@e 00000000000000ab 7 0\r\n"), Ok((&b""[..], end)));
    }

    #[test]
    fn a_partial_head_is_incomplete_and_other_text_is_an_error() {
        let whole = b"@e 00000000000000ab 137 0\n";
        for cut in 0..whole.len() {
            assert!(
                matches!(head(&whole[..cut]), Err(nom::Err::Incomplete(_))),
                "cut at {cut}"
            );
        }
        assert!(matches!(head(b"login: "), Err(nom::Err::Error(_))));
        assert!(matches!(
            head(b"@e 00000000000000ab x"),
            Err(nom::Err::Error(_))
        ));
    }
}
