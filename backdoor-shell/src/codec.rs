//! The protocol as a codec: bytes ↔ requests and events.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::{memchr, memmem};
use tokio_util::codec::{Decoder, Encoder};

use crate::base64_stream::{Base64Stream, NotBase64};
use crate::frame::{Head, MAX_HEAD, end_of, head};
use crate::greeting::NEW_SHELL;
use crate::{Nonce, Request};

/// The longest line outside the protocol; longer ones are split.
const MAX_OTHER_LINE: usize = 4096;

/// What arrives from the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A line, or a piece of a long one, outside the protocol: the guest's greeting, or the
    /// output of another process.
    OtherLine(String),
    /// The agent runs, or is ready for the pieces of a file.
    Ready(Nonce),
    /// The next part of a script's standard output; or why a file can't be written.
    Output(Nonce, Bytes),
    /// Output was invalid base64, or another process wrote into it. What it wrote follows
    /// as [`OtherLine`](Self::OtherLine), except for characters that could be base64.
    Damaged(Nonce),
    /// A script has ended, after all its output; or a file is closed.
    End {
        /// The request that has ended.
        nonce: Nonce,
        /// The script's exit status; 0 if a file was written.
        status: i32,
        /// The exit status of the output's encoder; output is missing unless it is 0.
        encoder: i32,
    },
}

/// Decodes bytes to [`Event`]s and encodes [`Request`]s to bytes, without I/O.
///
/// Use one instance for both directions: unencoded output is only accepted from the script
/// that was encoded last. How the bytes are split does not affect the events, except that
/// an [`Event::Output`] contains what has arrived. At most 4 KiB remain undecoded. Decoding
/// never fails: invalid input is an event, too.
#[derive(Debug, Default)]
pub struct ShellCodec {
    position: Position,
    /// The previous line, if it was base64.
    previous: Option<Base64Line>,
    /// The script that may send unencoded output.
    running: Option<Nonce>,
}

/// A complete line of base64. A frame of the same script follows it, unless another process
/// has written into the base64 and thereby split it.
#[derive(Debug)]
struct Base64Line {
    nonce: Nonce,
    is_whole: bool,
}

/// The position of the next byte in the stream.
#[derive(Debug, Default)]
enum Position {
    #[default]
    LineStart,
    Text {
        nonce: Nonce,
        escaped: bool,
    },
    Base64 {
        nonce: Nonce,
        stream: Base64Stream,
    },
    /// In unencoded output.
    Contents {
        nonce: Nonce,
        end: Vec<u8>,
    },
    /// In base64 after an error.
    InvalidBase64,
    /// In a line outside the protocol. The first `searched` bytes contain no newline.
    OtherLine {
        searched: usize,
    },
}

impl Decoder for ShellCodec {
    type Item = Event;
    type Error = std::io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Event>, Self::Error> {
        while !src.is_empty() {
            let event = match &mut self.position {
                Position::LineStart => {
                    // A fixed limit, for the result not to depend on what has arrived.
                    let start = &src[..src.len().min(MAX_HEAD)];
                    let head = match head(start) {
                        Ok((rest, head)) => Some((start.len() - rest.len(), head)),
                        Err(nom::Err::Incomplete(_)) if src.len() < MAX_HEAD => return Ok(None),
                        Err(_) => None,
                    };
                    self.begin_line(src, head)
                }
                Position::OtherLine { searched } => {
                    let Some(line) = take_other_line(src, searched) else {
                        return Ok(None);
                    };
                    if line.ended {
                        self.position = Position::LineStart;
                    }
                    line.event
                }
                Position::Contents { nonce, end } => {
                    let nonce = *nonce;
                    let (piece, ended) = take_contents(src, end);
                    if ended {
                        self.position = Position::LineStart;
                    } else if piece.is_empty() {
                        return Ok(None);
                    }
                    (!piece.is_empty()).then(|| Event::Output(nonce, piece))
                }
                Position::Text { .. } => {
                    let (piece, ended) = take_piece(src);
                    let event = self.output(&piece);
                    if ended {
                        self.position = Position::LineStart;
                    }
                    event
                }
                Position::Base64 { .. } | Position::InvalidBase64 => self.base64(src),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Event>, Self::Error> {
        if let Some(event) = self.decode(src)? {
            return Ok(Some(event));
        }
        let rest = src.split().freeze();
        Ok(match self.position {
            Position::Contents { nonce, .. } if !rest.is_empty() => {
                Some(Event::Output(nonce, rest))
            }
            _ => other_line(&rest),
        })
    }
}

impl ShellCodec {
    /// From now on, only `running` may send unencoded output.
    pub(crate) fn set_running(&mut self, running: Option<Nonce>) {
        self.running = running;
        if matches!(self.position, Position::Contents { .. }) {
            self.position = Position::LineStart;
        }
    }

    /// Starts anew, after the other end was restarted.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Begins a line, which is a frame if it has a head; also given is the head's length.
    /// If the previous line was damaged, returns that event first and consumes nothing.
    fn begin_line(&mut self, src: &mut BytesMut, head: Option<(usize, Head)>) -> Option<Event> {
        if let Some(Base64Line { nonce, is_whole }) = self.previous.take() {
            let continues = head.as_ref().is_some_and(|(_, head)| head.nonce() == nonce);
            if !(is_whole && continues) {
                return Some(Event::Damaged(nonce));
            }
        }
        // Any other process could otherwise claim all following bytes as output.
        let is_accepted = |head: &Head| match head {
            Head::Contents(nonce) => Some(*nonce) == self.running,
            _ => true,
        };
        let Some((length, head)) = head.filter(|(_, head)| is_accepted(head)) else {
            self.position = Position::OtherLine { searched: 0 };
            return None;
        };
        src.advance(length);
        self.begin(&head)
    }

    /// Decodes what has arrived of a line of base64.
    fn base64(&mut self, src: &mut BytesMut) -> Option<Event> {
        let end = src.iter().position(|byte| !is_base64(*byte));
        match end.unwrap_or(src.len()) {
            0 if src.starts_with(b"\n") => {
                src.advance(1);
                self.end_base64();
                None
            }
            0 => self.leave_base64(),
            length => {
                let piece = without_cr(src.split_to(length));
                self.output(&piece)
            }
        }
    }

    /// Ends the line of base64.
    fn end_base64(&mut self) {
        if let Position::Base64 { nonce, stream } = std::mem::take(&mut self.position) {
            let is_whole = stream.is_whole();
            self.previous = Some(Base64Line { nonce, is_whole });
        }
    }

    /// Handles other output in the line of base64, such as a new shell's greeting.
    fn leave_base64(&mut self) -> Option<Event> {
        match std::mem::replace(&mut self.position, Position::OtherLine { searched: 0 }) {
            Position::Base64 { nonce, .. } => Some(Event::Damaged(nonce)),
            _ => None,
        }
    }

    fn begin(&mut self, head: &Head) -> Option<Event> {
        match *head {
            Head::Text(nonce) => {
                self.position = Position::Text {
                    nonce,
                    escaped: false,
                }
            }
            Head::Base64(nonce) => {
                self.position = Position::Base64 {
                    nonce,
                    stream: Base64Stream::default(),
                };
            }
            Head::Contents(nonce) => {
                let end = end_of(nonce);
                self.position = Position::Contents { nonce, end };
            }
            Head::Ready(nonce) => return Some(Event::Ready(nonce)),
            Head::End {
                nonce,
                status,
                encoder,
            } => {
                return Some(Event::End {
                    nonce,
                    status,
                    encoder,
                });
            }
        }
        None
    }

    /// Decodes `piece` of the current line.
    fn output(&mut self, piece: &[u8]) -> Option<Event> {
        let (nonce, decoded) = match &mut self.position {
            Position::Text { nonce, escaped } => (*nonce, Ok(unescape(piece, escaped))),
            Position::Base64 { nonce, stream } => (*nonce, stream.push(piece)),
            Position::LineStart
            | Position::Contents { .. }
            | Position::InvalidBase64
            | Position::OtherLine { .. } => {
                return None;
            }
        };
        match decoded {
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => Some(Event::Output(nonce, bytes.into())),
            Err(NotBase64) => {
                self.position = Position::InvalidBase64;
                Some(Event::Damaged(nonce))
            }
        }
    }
}

/// Takes what has arrived of the current line. Returns whether it is complete.
fn take_piece(src: &mut BytesMut) -> (BytesMut, bool) {
    let newline = memchr(b'\n', src);
    let piece = src.split_to(newline.unwrap_or(src.len()));
    if newline.is_some() {
        src.advance(1);
    }
    (without_cr(piece), newline.is_some())
}

/// Encoded output contains no CR, but a terminal not in raw mode ends lines with CR LF.
fn without_cr(piece: BytesMut) -> BytesMut {
    if memchr(b'\r', &piece).is_none() {
        return piece;
    }
    let bytes = piece.iter().copied();
    bytes.filter(|byte| *byte != b'\r').collect()
}

/// Whether a line of base64 may contain `byte`, including CR at its end.
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\r')
}

/// Takes what has arrived of unencoded output, and the CR LF at the beginning of what ends
/// it: `end`, or a new shell. Returns whether that has arrived. Leaves what may be its
/// beginning.
fn take_contents(src: &mut BytesMut, end: &[u8]) -> (Bytes, bool) {
    let ends = [end, NEW_SHELL];
    if let Some(at) = ends.iter().filter_map(|end| memmem::find(src, end)).min() {
        let piece = src.split_to(at).freeze();
        src.advance(b"\r\n".len());
        return (piece, true);
    }
    let partial = ends.iter().filter_map(|end| {
        let mut lengths = (1..end.len()).rev();
        lengths.find(|&length| src.ends_with(&end[..length]))
    });
    let partial = partial.max().unwrap_or(0);
    let piece = src.split_to(src.len() - partial).freeze();
    (piece, false)
}

struct OtherLine {
    event: Option<Event>,
    ended: bool,
}

/// Takes a line outside the protocol, or a piece of a long one.
fn take_other_line(src: &mut BytesMut, searched: &mut usize) -> Option<OtherLine> {
    let newline = memchr(b'\n', &src[*searched..]).map(|at| *searched + at);
    let end = match newline {
        Some(end) => end.min(MAX_OTHER_LINE),
        None if src.len() < MAX_OTHER_LINE => {
            *searched = src.len();
            return None;
        }
        None => MAX_OTHER_LINE,
    };
    *searched = 0;
    let piece = src.split_to(end);
    let ended = src.first() == Some(&b'\n') && newline == Some(end);
    if ended {
        src.advance(1);
    }
    Some(OtherLine {
        event: other_line(&piece),
        ended,
    })
}

fn other_line(piece: &[u8]) -> Option<Event> {
    let text = String::from_utf8_lossy(piece);
    let text = text.trim_end_matches('\r');
    (!text.is_empty()).then(|| Event::OtherLine(text.to_owned()))
}

/// Decodes the escapes of a text frame. `escaped`: the previous piece ended in a backslash.
fn unescape(piece: &[u8], escaped: &mut bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(piece.len());
    for &byte in piece {
        match (std::mem::take(escaped), byte) {
            (false, b'\\') => *escaped = true,
            (true, b'n') => text.push(b'\n'),
            _ => text.push(byte),
        }
    }
    text
}

impl Encoder<Request<'_>> for ShellCodec {
    type Error = std::io::Error;

    fn encode(&mut self, request: Request<'_>, dst: &mut BytesMut) -> Result<(), Self::Error> {
        match request {
            // An earlier script has ended or was abandoned.
            Request::Run { nonce, .. } => self.set_running(Some(nonce)),
            Request::Bootstrap { .. } | Request::KillReaders(_) => self.set_running(None),
            Request::Put { .. }
            | Request::Piece { .. }
            | Request::Stop { .. }
            | Request::Resize { .. }
            | Request::Holders { .. } => {}
        }
        request.encode(dst);
        Ok(())
    }
}
