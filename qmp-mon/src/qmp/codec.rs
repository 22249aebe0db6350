//! QMP as a codec: bytes ↔ commands and messages.

use bytes::{Buf as _, BufMut as _, BytesMut};
use memchr::memchr;
use tokio_util::codec::{Decoder, Encoder};

use super::message::{Command, Message, Wire};
use crate::Error;

/// The longest message that is waited for, in bytes. QEMU's own schema, the
/// longest there is, has about 200 kB.
pub const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Turns QMP's bytes into [`Message`]s and [`Command`]s into bytes.
///
/// Sans-I/O, and indifferent to how the bytes are cut.
#[derive(Debug, Default)]
pub struct QmpCodec {
    /// So many bytes of the buffer have no end of line.
    searched: usize,
}

impl Decoder for QmpCodec {
    type Item = Message;
    type Error = Error;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Message>, Error> {
        while let Some(found) = memchr(b'\n', &src[self.searched..]) {
            let line = src.split_to(self.searched + found);
            src.advance(1);
            self.searched = 0;
            if !line.trim_ascii().is_empty() {
                return parse(&line).map(Some);
            }
        }
        if src.len() > MAX_MESSAGE {
            return Err(Error::unexpected("a message of at most 64 MiB", src));
        }
        self.searched = src.len();
        Ok(None)
    }

    /// A message cut off by the monitor's end is none.
    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Message>, Error> {
        let message = self.decode(src)?;
        if message.is_none() {
            src.clear();
            self.searched = 0;
        }
        Ok(message)
    }
}

fn parse(line: &[u8]) -> Result<Message, Error> {
    let wire: Option<Wire> = serde_json::from_slice(line).ok();
    wire.and_then(Wire::message)
        .ok_or_else(|| Error::unexpected("a QMP message", line))
}

impl Encoder<&Command<'_>> for QmpCodec {
    type Error = Error;

    fn encode(&mut self, command: &Command<'_>, dst: &mut BytesMut) -> Result<(), Error> {
        serde_json::to_writer(dst.writer(), command).map_err(std::io::Error::from)?;
        dst.put_u8(b'\n');
        Ok(())
    }
}
