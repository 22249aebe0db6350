//! The human monitor as a codec: bytes ↔ commands and replies.

use std::collections::VecDeque;

use bytes::{Buf as _, BytesMut};
use memchr::memmem::{Finder, find};
use tokio_util::codec::{Decoder, Encoder};

use super::grammar;
use super::readline::{PROMPT, echo};
use crate::Error;

/// The longest line the monitor's editor takes, in bytes (`READLINE_CMD_BUF_SIZE`).
pub const MAX_COMMAND: usize = 4095;

/// The longest reply that is waited for, with its echo, in bytes. The echo of a
/// command of n characters has about 2n² bytes.
pub const MAX_REPLY: usize = 64 * 1024 * 1024;

/// The number that marks where a command's reply ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fence(pub u32);

impl Fence {
    /// The line that is sent after the command.
    fn line(self) -> String {
        format!("#{:08x}", self.0)
    }

    /// What QEMU prints when it comes to that line.
    fn prompt_and_echo(self) -> Vec<u8> {
        [PROMPT, &echo(&self.line())].concat()
    }
}

/// A command to be sent.
#[derive(Clone, Copy, Debug)]
pub struct HmpCommand<'a> {
    /// The command.
    pub line: &'a str,
    /// Comes back with its reply. To be a number that no reply can know.
    pub fence: Fence,
}

/// What the monitor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HmpEvent {
    /// The first line, which names QEMU's version.
    Greeting(String),
    /// The whole reply to a command.
    Reply {
        /// The command's fence.
        fence: Fence,
        /// The reply: no echo, no escapes, no prompt; each line ended by `\n`.
        text: String,
    },
}

/// Turns the monitor's bytes into [`HmpEvent`]s and [`HmpCommand`]s into bytes.
///
/// Sans-I/O, and indifferent to how the bytes are cut. Commands may be sent
/// before earlier ones are answered; answers come in order.
#[derive(Debug, Default)]
pub struct HmpCodec {
    greeted: bool,
    /// The commands without a reply yet, oldest first.
    awaited: VecDeque<Fence>,
    place: Place,
}

/// How far the oldest reply has come.
#[derive(Debug)]
enum Place {
    /// So many bytes have been searched for the fence, in vain.
    Reply { searched: usize },
    /// The reply is complete; what QEMU says to the fence is being skipped.
    Fence { text: String },
}

impl Default for Place {
    fn default() -> Self {
        Self::Reply { searched: 0 }
    }
}

impl Decoder for HmpCodec {
    type Item = HmpEvent;
    type Error = Error;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<HmpEvent>, Error> {
        if !self.greeted {
            return self.greeting(src);
        }
        let Some(&fence) = self.awaited.front() else {
            // A warning that QEMU prints to the monitor of its own accord.
            src.clear();
            return Ok(None);
        };
        if let Place::Reply { searched } = &mut self.place {
            let Some(text) = take_reply(src, fence, searched)? else {
                return Ok(None);
            };
            self.place = Place::Fence { text };
        }
        let end = [b"\r\n", PROMPT].concat();
        let Some(found) = find(src, &end) else {
            return Ok(None);
        };
        src.advance(found + end.len());
        self.awaited.pop_front();
        match std::mem::take(&mut self.place) {
            Place::Fence { text } => Ok(Some(HmpEvent::Reply { fence, text })),
            Place::Reply { .. } => Ok(None),
        }
    }

    /// A monitor that closes in mid-reply: the part that came is no reply.
    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<HmpEvent>, Error> {
        let event = self.decode(src)?;
        if event.is_none() {
            src.clear();
        }
        Ok(event)
    }
}

impl HmpCodec {
    fn greeting(&mut self, src: &mut BytesMut) -> Result<Option<HmpEvent>, Error> {
        const MAX_GREETING: usize = 4096;
        match grammar::greeting(src) {
            Ok((rest, greeting)) => {
                let used = src.len() - rest.len();
                src.advance(used);
                self.greeted = true;
                Ok(Some(HmpEvent::Greeting(greeting)))
            }
            Err(_) if src.len() > MAX_GREETING || src.starts_with(b"{") => {
                Err(Error::unexpected("the human monitor's greeting", src))
            }
            Err(_) => Ok(None),
        }
    }
}

/// Takes the reply that ends where the fence's echo begins, if that has come.
fn take_reply(
    src: &mut BytesMut,
    fence: Fence,
    searched: &mut usize,
) -> Result<Option<String>, Error> {
    let mark = fence.prompt_and_echo();
    if let Some(found) = Finder::new(&mark).find(&src[*searched..]) {
        let reply = src.split_to(*searched + found);
        src.advance(mark.len() - b"\r\n".len());
        return match grammar::reply(&reply) {
            Ok((_, text)) => Ok(Some(text)),
            Err(_) => Err(Error::unexpected("the echo of a command", &reply)),
        };
    }
    if src.len() > MAX_REPLY {
        return Err(Error::unexpected("a reply of at most 64 MiB", src));
    }
    // The mark may have begun to come.
    *searched = src.len().saturating_sub(mark.len());
    Ok(None)
}

impl Encoder<HmpCommand<'_>> for HmpCodec {
    type Error = Error;

    /// # Errors
    /// [`Error::ControlCharacter`], [`Error::CommandTooLong`]: nothing is sent.
    fn encode(&mut self, command: HmpCommand<'_>, dst: &mut BytesMut) -> Result<(), Error> {
        let HmpCommand { line, fence } = command;
        if line.contains(|character: char| character.is_control()) {
            return Err(Error::ControlCharacter {
                command: line.to_owned(),
            });
        }
        if line.len() > MAX_COMMAND {
            return Err(Error::CommandTooLong {
                length: line.len(),
                limit: MAX_COMMAND,
            });
        }
        self.awaited.push_back(fence);
        dst.extend_from_slice(format!("{line}\n{}\n", fence.line()).as_bytes());
        Ok(())
    }
}
