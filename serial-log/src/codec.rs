//! Bytes of a console in, lines out. No I/O, no clock, no task.

use std::{io, mem, str};

use bytes::{Buf, BytesMut};
use memchr::memchr;
use tokio_util::codec::Decoder;

/// The longest line in bytes of text: what is longer goes on as another line.
pub const MAX_LINE: usize = 64 * 1024;

/// What undecodable bytes become.
const REPLACEMENT: &str = "\u{FFFD}";

/// What the console showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A line, without its end.
    Line(String),
    /// The last line grew and has not ended: [`LineCodec::partial`] is how it
    /// looks now. Such a line is often a prompt that waits for an answer.
    Partial,
}

/// Decodes a console's bytes into lines.
///
/// - A line ends with `\n`. Every `\r` is dropped, wherever it stands.
/// - Bytes that are not UTF-8 become U+FFFD, as [`String::from_utf8_lossy`]
///   does it. A character cut by the end of what has arrived waits for its
///   rest.
/// - A line longer than [`MAX_LINE`] is cut, between two characters, and goes
///   on as another line.
/// - At the end of the stream a last line that has not ended is a line.
///
/// The lines do not depend on how the bytes were cut on their way; how often
/// [`Event::Partial`] comes does. Every byte is looked at once, and at most
/// one line is kept, so neither time nor memory grow with a line that never
/// ends. Decoding never fails: the error is that of the stream beneath.
#[derive(Debug)]
pub struct LineCodec {
    partial: String,
    max_line: usize,
    /// `partial` grew since it was last reported.
    grew: bool,
}

impl LineCodec {
    /// A codec that cuts lines at [`MAX_LINE`] bytes.
    pub fn new() -> Self {
        Self::with_max_line(MAX_LINE)
    }

    /// A codec that cuts lines at `max_line` bytes of text; at least 4, so
    /// that every character has room.
    pub fn with_max_line(max_line: usize) -> Self {
        Self {
            partial: String::new(),
            max_line: max_line.max(4),
            grew: false,
        }
    }

    /// The last line as far as it has come, empty when the last byte ended
    /// one.
    pub fn partial(&self) -> &str {
        &self.partial
    }

    /// Decodes as much of `bytes`, which hold no `\n`, as fits into the line.
    /// Tells how many bytes that was: fewer than all when the line is full.
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

    /// Appends `text` without its carriage returns, as far as it fits.
    fn push_text(&mut self, text: &str) -> usize {
        let mut rest = text;
        loop {
            let end = memchr(b'\r', rest.as_bytes()).unwrap_or(rest.len());
            let room = self.max_line - self.partial.len();
            if end > room {
                let fits = rest.floor_char_boundary(room);
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

    fn line(&mut self) -> Event {
        self.grew = false;
        Event::Line(mem::take(&mut self.partial))
    }

    /// The next event; `None` when all but a cut character is used up.
    fn next(&mut self, src: &mut BytesMut) -> Option<Event> {
        while !src.is_empty() {
            // No further than a line can reach, or a cut line would have the
            // search for its end repeated over all that follows.
            let window = &src[..src.len().min(self.max_line)];
            let (end, ended) = match memchr(b'\n', window) {
                Some(end) => (end, true),
                None => (window.len() - cut_character(window), false),
            };
            if end == 0 && !ended {
                break;
            }
            let before = self.partial.len();
            let taken = self.take(&src[..end]);
            self.grew |= self.partial.len() > before;
            let full = taken < end;
            src.advance(taken + usize::from(ended && !full));
            if ended || full {
                return Some(self.line());
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
            if let Event::Line(_) = event {
                return Ok(Some(event));
            }
        }
        // Only the beginning of a character is left, and its rest won't come.
        if !src.is_empty() {
            if self.push_text(REPLACEMENT) == 0 {
                return Ok(Some(self.line()));
            }
            src.clear();
        }
        Ok((!self.partial.is_empty()).then(|| self.line()))
    }
}

/// How many bytes at the end of `bytes` begin a character without ending it.
fn cut_character(bytes: &[u8]) -> usize {
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
