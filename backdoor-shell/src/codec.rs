//! The protocol as a codec: bytes of the line ↔ requests and events.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::{memchr, memmem};
use tokio_util::codec::{Decoder, Encoder};

use crate::base64_stream::{Base64Stream, NotBase64};
use crate::frame::{Head, MAX_HEAD, end_of, head};
use crate::{Nonce, Request};

/// The longest piece of a line outside the protocol that is kept as one.
const MAX_SAID: usize = 4096;

/// What arrives from the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A line, or a piece of a long one, that is not of the protocol: the
    /// guest's greeting, or something else that writes to the line.
    OtherLine(String),
    /// The agent runs, or takes the pieces of a file.
    Ready(Nonce),
    /// Some of a script's standard output, in order; or why a file can't be written.
    Output(Nonce, Bytes),
    /// Output that is not base64 where it should be, or into which something else was
    /// written; what can't be base64 of that is [`Said`](Self::OtherLine).
    Damaged(Nonce),
    /// A script has ended and all its output has come, or a file is closed.
    End {
        /// Whose end it is.
        nonce: Nonce,
        /// The script's exit status; 0 for a file that is written.
        status: i32,
        /// The exit status of what encoded its output; other than 0, output is missing.
        encoder: i32,
    },
}

/// Turns the bytes of the line into [`Event`]s, and [`Request`]s into bytes.
///
/// One of it is for both directions: output that comes as it is, is taken from the script
/// that it has encoded last. Sans-I/O, and indifferent to how the bytes are cut, but that
/// an [`Event::Output`] holds what has come of it. Of what is not understood yet
/// it keeps at most 4 KiB. Never fails: garbage is an event too.
#[derive(Debug, Default)]
pub struct ShellCodec {
    place: Place,
    /// The base64 that the last line was.
    last: Option<Base64Line>,
    /// The script that runs, whose output may come as it is.
    running: Option<Nonce>,
}

/// Base64 is followed by a frame of the same script. What stands there instead was
/// written into it, and has cut it in two.
#[derive(Debug)]
struct Base64Line {
    nonce: Nonce,
    is_whole: bool,
}

/// Where in the stream the next byte is.
#[derive(Debug, Default)]
enum Place {
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
    /// In output that comes as it is.
    Contents {
        nonce: Nonce,
        end: Vec<u8>,
    },
    /// In what looks like base64, but can't be decoded any more.
    Skipping,
    /// In a line that is not of the protocol, of which so much has no end of line.
    Said {
        searched: usize,
    },
}

impl Decoder for ShellCodec {
    type Item = Event;
    type Error = std::io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Event>, Self::Error> {
        while !src.is_empty() {
            let event = match &mut self.place {
                Place::LineStart => {
                    // No more, whatever has come: that must not decide.
                    let begin = &src[..src.len().min(MAX_HEAD)];
                    let head = match head(begin) {
                        Ok((rest, head)) => Some((begin.len() - rest.len(), head)),
                        Err(nom::Err::Incomplete(_)) if src.len() < MAX_HEAD => return Ok(None),
                        Err(_) => None,
                    };
                    self.begin_line(src, head)
                }
                Place::Said { searched } => {
                    let Some(said) = take_said(src, searched) else {
                        return Ok(None);
                    };
                    if said.ended {
                        self.place = Place::LineStart;
                    }
                    said.event
                }
                Place::Contents { nonce, end } => {
                    let nonce = *nonce;
                    let (piece, ended) = take_contents(src, end);
                    if ended {
                        self.place = Place::LineStart;
                    } else if piece.is_empty() {
                        return Ok(None);
                    }
                    (!piece.is_empty()).then(|| Event::Output(nonce, piece))
                }
                Place::Text { .. } => {
                    let (piece, ended) = take_piece(src);
                    let event = self.output(&piece);
                    if ended {
                        self.place = Place::LineStart;
                    }
                    event
                }
                Place::Base64 { .. } | Place::Skipping => {
                    let run = src.iter().position(|byte| !is_base64(*byte));
                    match run.unwrap_or(src.len()) {
                        0 if src.starts_with(b"\n") => {
                            src.advance(1);
                            self.end_base64();
                            None
                        }
                        0 => self.leave_base64(),
                        run => {
                            let piece = without_cr(src.split_to(run));
                            self.output(&piece)
                        }
                    }
                }
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
        Ok(match self.place {
            Place::Contents { nonce, .. } if !rest.is_empty() => Some(Event::Output(nonce, rest)),
            _ => said(&rest),
        })
    }
}

impl ShellCodec {
    /// `running` may have output that comes as it is, and what ran before no more.
    pub(crate) fn set_running(&mut self, running: Option<Nonce>) {
        self.running = running;
        if matches!(self.place, Place::Contents { .. }) {
            self.place = Place::LineStart;
        }
    }

    /// Whoever was at the other end is gone, be it in the middle of a line.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Begins a line, with a head of so many bytes if it is a frame. What there is
    /// to say of the line before comes first, and takes nothing.
    fn begin_line(&mut self, src: &mut BytesMut, head: Option<(usize, Head)>) -> Option<Event> {
        if let Some(Base64Line { nonce, is_whole }) = self.last.take() {
            let goes_on = head.as_ref().is_some_and(|(_, head)| head.nonce() == nonce);
            if !(is_whole && goes_on) {
                return Some(Event::Damaged(nonce));
            }
        }
        // Whoever else says so would have all that follows taken for its output.
        let is_ours = |head: &Head| match head {
            Head::Contents(nonce) => Some(*nonce) == self.running,
            _ => true,
        };
        let Some((length, head)) = head.filter(|(_, head)| is_ours(head)) else {
            self.place = Place::Said { searched: 0 };
            return None;
        };
        src.advance(length);
        self.begin(&head)
    }

    /// Its line is at its end.
    fn end_base64(&mut self) {
        if let Place::Base64 { nonce, stream } = std::mem::take(&mut self.place) {
            let is_whole = stream.is_whole();
            self.last = Some(Base64Line { nonce, is_whole });
        }
    }

    /// Something else goes on in its line: another shell's greeting, perhaps.
    fn leave_base64(&mut self) -> Option<Event> {
        match std::mem::replace(&mut self.place, Place::Said { searched: 0 }) {
            Place::Base64 { nonce, .. } => Some(Event::Damaged(nonce)),
            _ => None,
        }
    }

    fn begin(&mut self, head: &Head) -> Option<Event> {
        match *head {
            Head::Text(nonce) => {
                self.place = Place::Text {
                    nonce,
                    escaped: false,
                }
            }
            Head::Base64(nonce) => {
                self.place = Place::Base64 {
                    nonce,
                    stream: Base64Stream::default(),
                };
            }
            Head::Contents(nonce) => {
                let end = end_of(nonce);
                self.place = Place::Contents { nonce, end };
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

    /// What `piece` of the line we are in has to say.
    fn output(&mut self, piece: &[u8]) -> Option<Event> {
        let (nonce, decoded) = match &mut self.place {
            Place::Text { nonce, escaped } => (*nonce, Ok(unescape(piece, escaped))),
            Place::Base64 { nonce, stream } => (*nonce, stream.push(piece)),
            Place::LineStart | Place::Contents { .. } | Place::Skipping | Place::Said { .. } => {
                return None;
            }
        };
        match decoded {
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => Some(Event::Output(nonce, bytes.into())),
            Err(NotBase64) => {
                self.place = Place::Skipping;
                Some(Event::Damaged(nonce))
            }
        }
    }
}

/// Takes what has come of the current line, and tells whether that is its end.
fn take_piece(src: &mut BytesMut) -> (BytesMut, bool) {
    let newline = memchr(b'\n', src);
    let piece = src.split_to(newline.unwrap_or(src.len()));
    if newline.is_some() {
        src.advance(1);
    }
    (without_cr(piece), newline.is_some())
}

/// No output has one in it, but a line that is not raw after all ends in CR LF.
fn without_cr(piece: BytesMut) -> BytesMut {
    if memchr(b'\r', &piece).is_none() {
        return piece;
    }
    let bytes = piece.iter().copied();
    bytes.filter(|byte| *byte != b'\r').collect()
}

/// Whether it may be in a line of base64, be it as its end's CR.
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\r')
}

/// Takes what has come of contents, up to `end`, and tells whether that has come; its
/// line's end is taken, too. What may be the begin of `end` stays.
fn take_contents(src: &mut BytesMut, end: &[u8]) -> (Bytes, bool) {
    if let Some(at) = memmem::find(src, end) {
        let piece = src.split_to(at).freeze();
        src.advance(b"\r\n".len());
        return (piece, true);
    }
    let begun = (1..end.len()).rev().find(|&n| src.ends_with(&end[..n]));
    let piece = src.split_to(src.len() - begun.unwrap_or(0)).freeze();
    (piece, false)
}

struct Said {
    event: Option<Event>,
    ended: bool,
}

/// Takes a line outside the protocol, or a piece if it is too long to wait for its end.
fn take_said(src: &mut BytesMut, searched: &mut usize) -> Option<Said> {
    let newline = memchr(b'\n', &src[*searched..]).map(|at| *searched + at);
    let end = match newline {
        Some(end) => end.min(MAX_SAID),
        None if src.len() < MAX_SAID => {
            *searched = src.len();
            return None;
        }
        None => MAX_SAID,
    };
    *searched = 0;
    let piece = src.split_to(end);
    let ended = src.first() == Some(&b'\n') && newline == Some(end);
    if ended {
        src.advance(1);
    }
    Some(Said {
        event: said(&piece),
        ended,
    })
}

fn said(piece: &[u8]) -> Option<Event> {
    let text = String::from_utf8_lossy(piece);
    let text = text.trim_end_matches('\r');
    (!text.is_empty()).then(|| Event::OtherLine(text.to_owned()))
}

/// Undoes the escapes of a text frame; `escaped`: the last piece ended in a backslash.
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
            // What ran before has ended, or nobody waits for it any more.
            Request::Run { nonce, .. } => self.set_running(Some(nonce)),
            Request::Bootstrap(_) => self.set_running(None),
            Request::Put { .. } | Request::Piece { .. } | Request::Stop { .. } => {}
        }
        request.encode(dst);
        Ok(())
    }
}
