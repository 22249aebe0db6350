//! Decodes a console's bytes to lines. No I/O, no clock, no task.

use std::{io, mem, str};

use bytes::{Buf, BytesMut};
use memchr::memchr;
use tokio_util::codec::Decoder;

/// The maximum length of a line, in bytes of text. A longer line is split.
pub const MAX_LINE: usize = 64 * 1024;

/// Replaces invalid UTF-8.
const REPLACEMENT: &str = "\u{FFFD}";

/// An event decoded from a console.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A line, without its terminator; of a line that was split, the last piece.
    Line(String),
    /// A piece of a line longer than [`MAX_LINE`]; its rest follows.
    Piece(String),
    /// The unfinished last line grew; [`LineCodec::partial`] returns it. Such a
    /// line is often a prompt.
    Partial,
}

/// Decodes a console's bytes to lines.
///
/// - A line ends with `\n`. Every `\r` is dropped.
/// - Invalid UTF-8 becomes U+FFFD, as with [`String::from_utf8_lossy`]. An
///   incomplete character at the end of the input is decoded once it is
///   complete.
/// - A line longer than [`MAX_LINE`] is split between two characters.
/// - At the end of the stream, an unfinished line counts as a line.
///
/// The lines do not depend on how the bytes are split into reads; the number of
/// [`Event::Partial`]s does. Each byte is examined once and at most one line is
/// buffered, so a line that never ends costs neither time nor memory. Decoding
/// never fails: errors are those of the underlying stream.
#[derive(Debug)]
pub struct LineCodec {
    partial: String,
    max_line: usize,
    /// `partial` grew since it was last reported.
    grew: bool,
}

impl LineCodec {
    /// Creates a codec that splits lines at [`MAX_LINE`] bytes.
    pub fn new() -> Self {
        Self {
            partial: String::new(),
            max_line: MAX_LINE,
            grew: false,
        }
    }

    /// Sets the maximum length of a line, instead of [`MAX_LINE`]: at least 4 bytes, the
    /// longest character.
    #[must_use]
    pub fn with_max_line(mut self, bytes: usize) -> Self {
        self.max_line = bytes.max(4);
        self
    }

    /// Returns the unfinished last line, empty if the last byte ended a line.
    pub fn partial(&self) -> &str {
        &self.partial
    }

    /// Decodes `bytes`, which contain no `\n`, until the line is full. Returns
    /// how many bytes were decoded.
    fn take(&mut self, bytes: &[u8]) -> usize {
        if let Ok(text) = str::from_utf8(bytes) {
            return self.push_text(text);
        }
        let mut taken = 0;
        for chunk in bytes.utf8_chunks() {
            let valid = self.push_text(chunk.valid());
            taken += valid;
            if valid < chunk.valid().len() {
                break;
            }
            if !chunk.invalid().is_empty() {
                if self.push_text(REPLACEMENT) == 0 {
                    break;
                }
                taken += chunk.invalid().len();
            }
        }
        taken
    }

    /// Appends `text` without its carriage returns until the line is full.
    fn push_text(&mut self, text: &str) -> usize {
        let mut rest = text;
        loop {
            let end = memchr(b'\r', rest.as_bytes()).unwrap_or(rest.len());
            let space = self.max_line - self.partial.len();
            if end > space {
                let fits = (0..=space).rev().find(|&at| rest.is_char_boundary(at));
                let fits = fits.unwrap_or_default();
                self.partial.push_str(&rest[..fits]);
                return text.len() - rest.len() + fits;
            }
            self.partial.push_str(&rest[..end]);
            if end == rest.len() {
                return text.len();
            }
            rest = &rest[end + 1..];
        }
    }

    fn take_partial(&mut self) -> String {
        self.grew = false;
        mem::take(&mut self.partial)
    }

    /// Returns the next event; `None` if at most an incomplete character is left.
    fn next(&mut self, src: &mut BytesMut) -> Option<Event> {
        while !src.is_empty() {
            // Limited to one line: otherwise, each piece of a split line would
            // search all of the input for a newline.
            let window = &src[..src.len().min(self.max_line)];
            let (end, ended) = match memchr(b'\n', window) {
                Some(end) => (end, true),
                None => (window.len() - incomplete_character(window), false),
            };
            if end == 0 && !ended {
                break;
            }
            let before = self.partial.len();
            let taken = self.take(&src[..end]);
            self.grew |= self.partial.len() > before;
            let full = taken < end;
            src.advance(taken + usize::from(ended && !full));
            if full {
                return Some(Event::Piece(self.take_partial()));
            }
            if ended {
                return Some(Event::Line(self.take_partial()));
            }
        }
        mem::take(&mut self.grew).then_some(Event::Partial)
    }
}

impl Default for LineCodec {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder for LineCodec {
    type Item = Event;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> io::Result<Option<Event>> {
        Ok(self.next(src))
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> io::Result<Option<Event>> {
        while let Some(event) = self.next(src) {
            if event != Event::Partial {
                return Ok(Some(event));
            }
        }
        // Only an incomplete character can be left.
        if !src.is_empty() {
            if self.push_text(REPLACEMENT) == 0 {
                return Ok(Some(Event::Piece(self.take_partial())));
            }
            src.clear();
        }
        Ok((!self.partial.is_empty()).then(|| Event::Line(self.take_partial())))
    }
}

/// Returns the length of an incomplete character at the end of `bytes`.
fn incomplete_character(bytes: &[u8]) -> usize {
    let start = |back: usize| bytes.len().checked_sub(back);
    for start in (1..=3).map_while(start) {
        if bytes[start] & 0b1100_0000 != 0b1000_0000 {
            let tail = &bytes[start..];
            let cut = str::from_utf8(tail)
                .is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none());
            return if cut { tail.len() } else { 0 };
        }
    }
    0
}
