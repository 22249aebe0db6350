//! JSON lines ↔ messages.

use std::io;

use bytes::{Buf as _, BytesMut};
use memchr::memchr;
use tokio_util::codec::{Decoder, Encoder};

use super::message::{QmpCommand, QmpMessage};

/// How long a line from QEMU may be by default, in bytes. The longest usual
/// one, `query-qmp-schema`'s reply, has about 200,000.
pub const MAX_LINE: usize = 16 << 20;

/// QMP's framing: no I/O, no clock, no task.
///
/// The same bytes give the same messages however they are cut. No more than
/// the longest line is kept. A line that is broken off by the end is dropped.
#[derive(Debug)]
pub struct QmpCodec {
    /// How many bytes of the buffer are known to hold no newline.
    searched: usize,
    max_line: usize,
    /// In a line that was too long: dropping the rest of it.
    dropping: bool,
}

impl Default for QmpCodec {
    fn default() -> Self {
        Self {
            searched: 0,
            max_line: MAX_LINE,
            dropping: false,
        }
    }
}

impl QmpCodec {
    /// Keeps lines of at most `bytes` bytes, in place of [`MAX_LINE`].
    #[must_use]
    pub fn with_max_line(mut self, bytes: usize) -> Self {
        self.max_line = bytes;
        self
    }

    fn line(&mut self, bytes: &mut BytesMut) -> Option<BytesMut> {
        let searched = self.searched.min(bytes.len());
        if let Some(found) = memchr(b'\n', &bytes[searched..]) {
            self.searched = 0;
            let line = bytes.split_to(searched + found);
            bytes.advance(1);
            return Some(line);
        }
        self.searched = bytes.len();
        None
    }
}

impl Decoder for QmpCodec {
    type Item = QmpMessage;
    type Error = io::Error;

    /// Never fails: a line that is not QMP is a message of its own kind.
    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<QmpMessage>> {
        while let Some(line) = self.line(bytes) {
            if std::mem::take(&mut self.dropping) {
                continue;
            }
            if line.len() > self.max_line {
                return Ok(Some(QmpMessage::LineTooLong));
            }
            let line = line.trim_ascii();
            if !line.is_empty() {
                return Ok(Some(QmpMessage::parse(line)));
            }
        }
        if self.dropping || bytes.len() > self.max_line {
            bytes.clear();
            self.searched = 0;
            let known = std::mem::replace(&mut self.dropping, true);
            return Ok((!known).then_some(QmpMessage::LineTooLong));
        }
        Ok(None)
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<QmpMessage>> {
        let message = self.decode(bytes)?;
        if message.is_none() {
            bytes.clear();
            self.searched = 0;
        }
        Ok(message)
    }
}

impl Encoder<QmpCommand> for QmpCodec {
    type Error = io::Error;

    fn encode(&mut self, command: QmpCommand, bytes: &mut BytesMut) -> io::Result<()> {
        bytes.extend_from_slice(&serde_json::to_vec(&command)?);
        bytes.extend_from_slice(b"\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(codec: &mut QmpCodec, bytes: &str) -> Vec<QmpMessage> {
        let mut buffer = BytesMut::from(bytes);
        std::iter::from_fn(|| codec.decode(&mut buffer).unwrap()).collect()
    }

    #[test]
    fn an_overlong_line_is_told_once_and_the_next_one_is_read() {
        let mut codec = QmpCodec::default().with_max_line(20);
        let mut buffer = BytesMut::new();
        let mut seen = Vec::new();
        for piece in [
            "{\"return\": \"",
            &"x".repeat(30),
            "yyy",
            "\"}\r\n{\"short\"",
            ":2}\n",
        ] {
            buffer.extend_from_slice(piece.as_bytes());
            seen.extend(std::iter::from_fn(|| codec.decode(&mut buffer).unwrap()));
        }
        let short = QmpMessage::Garbage {
            line: "{\"short\":2}".into(),
        };
        assert_eq!(seen, [QmpMessage::LineTooLong, short]);
    }

    #[test]
    fn empty_lines_are_skipped() {
        assert_eq!(messages(&mut QmpCodec::default(), "\r\n \n\n"), []);
    }
}
