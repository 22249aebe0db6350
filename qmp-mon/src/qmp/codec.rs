//! Encodes and decodes JSON lines.

use std::io;

use bytes::{Buf as _, BytesMut};
use memchr::memchr;
use tokio_util::codec::{Decoder, Encoder};

use super::message::{QmpCommand, QmpMessage};

/// Default maximum length of a line from QEMU, in bytes. The longest usual line,
/// the reply to `query-qmp-schema`, has about 200,000.
pub const MAX_LINE: usize = 16 << 20;

/// QMP's framing: no I/O, no clock, no task.
///
/// The messages do not depend on how the bytes are split into reads. At most one
/// line is buffered. An unfinished line at the end of the stream is discarded.
#[derive(Debug)]
pub struct QmpCodec {
    /// How many bytes of the buffer are known not to contain a newline.
    searched: usize,
    max_line: usize,
    /// Whether the rest of an overlong line is being discarded.
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
    /// Sets the maximum length of a line, instead of [`MAX_LINE`].
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

    /// Never fails: an invalid line is a [`QmpMessage::Garbage`].
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
        bytes.extend_from_slice(&command.to_json()?);
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
    fn an_overlong_line_is_reported_once_and_the_next_one_is_decoded() {
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
