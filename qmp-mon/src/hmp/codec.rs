//! Bytes of a human monitor ↔ commands and their replies.

use std::collections::VecDeque;
use std::io;

use bytes::{Buf as _, BytesMut};
use memchr::{memchr, memmem};
use tokio_util::codec::{Decoder, Encoder};

use super::command::HmpCommand;
use super::grammar::greeting;
use super::readline::{Sentinel, end_of_echo};

/// How long a reply may be by default, in bytes.
pub const MAX_REPLY: usize = 16 << 20;

/// How long the greeting may be, in bytes. QEMU's has about sixty.
const MAX_GREETING: usize = 1024;

/// What a human monitor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HmpEvent {
    /// The first line.
    Greeting {
        /// QEMU's version, such as `7.2.22`.
        version: String,
    },
    /// What came where the greeting should have been: one line, or its first kilobyte.
    NotAGreeting {
        /// The line, undecodable bytes replaced.
        line: String,
    },
    /// The whole reply to the oldest command without one.
    Reply {
        /// The reply alone: no echo, no prompt, lines ending in `\n`.
        /// Undecodable bytes are replaced.
        text: String,
    },
    /// The oldest command's reply came to its end, but was too long to keep.
    ReplyTooLong,
    /// The oldest command asks for a password. It has no reply yet: that comes
    /// for the line that is typed next, which is taken for the password.
    PasswordPrompt,
    /// The monitor was closed where a greeting or a reply was due.
    Cut {
        /// What came of it.
        text: String,
    },
}

/// The human monitor's protocol: no I/O, no clock, no task.
///
/// Replies come in the order of the commands; commands may be encoded ahead.
/// The same bytes give the same events however they are cut. No more than the
/// longest reply is kept.
#[derive(Debug)]
pub struct HmpCodec {
    state: State,
    /// The commands encoded whose echo has not come, oldest first.
    commands: VecDeque<Marks>,
    password_prompt: Vec<u8>,
    /// How many bytes of the buffer are known not to hold the mark looked for.
    searched: usize,
    max_reply: usize,
    next_sentinel: u64,
}

/// What the next bytes belong to.
#[derive(Debug)]
enum State {
    Greeting,
    /// A prompt, and the echo of the next command.
    Echo,
    /// A reply up to `end`, which is not kept if it is `too_long` already.
    Reply {
        end: Vec<u8>,
        too_long: bool,
    },
    /// Nothing.
    Closed,
}

/// Between which bytes a reply is.
#[derive(Debug)]
struct Marks {
    begin: Vec<u8>,
    end: Vec<u8>,
}

impl HmpCodec {
    /// A codec for a fresh connection.
    ///
    /// `seed` decides on the words that mark the replies' ends. Draw it by
    /// chance if a reply's author might know it; fix it to have the same bytes
    /// again.
    pub fn new(seed: u64) -> Self {
        Self {
            state: State::Greeting,
            commands: VecDeque::new(),
            password_prompt: Sentinel::printed_at_password(),
            searched: 0,
            max_reply: MAX_REPLY,
            next_sentinel: seed,
        }
    }

    /// Keeps replies of at most `bytes` bytes, in place of [`MAX_REPLY`].
    #[must_use]
    pub fn with_max_reply(mut self, bytes: usize) -> Self {
        self.max_reply = bytes;
        self
    }
}

impl Decoder for HmpCodec {
    type Item = HmpEvent;
    type Error = io::Error;

    /// Never fails: what is wrong with the bytes is an event.
    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<HmpEvent>> {
        Ok(loop {
            let step = match self.state {
                State::Greeting => self.greeting(bytes),
                State::Echo => self.skip_echo(bytes),
                State::Reply { .. } => self.reply(bytes),
                State::Closed => {
                    bytes.clear();
                    Step::Starved
                }
            };
            match step {
                Step::Starved => break None,
                Step::Event(event) => break Some(event),
                Step::Further => {}
            }
        })
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<HmpEvent>> {
        if let Some(event) = self.decode(bytes)? {
            return Ok(Some(event));
        }
        let rest = bytes.split();
        let cut = match std::mem::replace(&mut self.state, State::Closed) {
            State::Greeting
            | State::Reply {
                too_long: false, ..
            } => Some(text(&rest)),
            State::Reply { too_long: true, .. } => Some(String::new()),
            State::Echo => self.commands.front().map(|_| String::new()),
            State::Closed => None,
        };
        Ok(cut.map(|text| HmpEvent::Cut { text }))
    }
}

/// What a look at the buffer came to.
enum Step {
    /// More bytes are needed.
    Starved,
    /// Another state was entered.
    Further,
    Event(HmpEvent),
}

impl HmpCodec {
    fn greeting(&mut self, bytes: &mut BytesMut) -> Step {
        let searched = self.searched.min(bytes.len());
        let line = match memchr(b'\n', &bytes[searched..]) {
            Some(found) if searched + found < MAX_GREETING => bytes.split_to(searched + found + 1),
            _ if bytes.len() >= MAX_GREETING => bytes.split_to(MAX_GREETING),
            _ => {
                self.searched = bytes.len();
                return Step::Starved;
            }
        };
        self.searched = 0;
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Step::Event(match greeting(line) {
            Ok((_, version)) => {
                self.state = State::Echo;
                HmpEvent::Greeting {
                    version: lossy(version),
                }
            }
            Err(_) => HmpEvent::NotAGreeting { line: lossy(line) },
        })
    }

    /// Drops all up to the reply. Without a command that is the prompt at most.
    fn skip_echo(&mut self, bytes: &mut BytesMut) -> Step {
        let Some(Marks { begin, .. }) = self.commands.front() else {
            bytes.clear();
            return Step::Starved;
        };
        let Some(found) = memmem::find(bytes, begin) else {
            drop_all_but(bytes, begin.len() - 1);
            return Step::Starved;
        };
        bytes.advance(found + begin.len());
        self.searched = 0;
        if let Some(Marks { end, .. }) = self.commands.pop_front() {
            self.state = State::Reply {
                end,
                too_long: false,
            };
        }
        Step::Further
    }

    fn reply(&mut self, bytes: &mut BytesMut) -> Step {
        let State::Reply { end, too_long } = &mut self.state else {
            return Step::Further;
        };
        let searched = self.searched.min(bytes.len());
        let find = |mark: &[u8], asks_for_password: bool| {
            let at = memmem::find(&bytes[searched..], mark)?;
            Some((searched + at, mark.len(), asks_for_password))
        };
        let first = [find(end, false), find(&self.password_prompt, true)]
            .into_iter()
            .flatten()
            .min();

        let Some((length, mark, asks_for_password)) = first else {
            let undecided = end.len().max(self.password_prompt.len()) - 1;
            self.searched = bytes.len().saturating_sub(undecided);
            if *too_long || self.searched > self.max_reply {
                *too_long = true;
                drop_all_but(bytes, undecided);
                self.searched = 0;
            }
            return Step::Starved;
        };

        let too_long = *too_long || length > self.max_reply;
        let reply = bytes.split_to(length);
        bytes.advance(mark);
        self.state = State::Echo;
        Step::Event(match (asks_for_password, too_long) {
            (true, _) => HmpEvent::PasswordPrompt,
            (false, true) => HmpEvent::ReplyTooLong,
            (false, false) => HmpEvent::Reply { text: text(&reply) },
        })
    }
}

fn drop_all_but(bytes: &mut BytesMut, kept: usize) {
    bytes.advance(bytes.len().saturating_sub(kept));
}

/// QEMU prints CR LF for each `\n`: the reverse.
fn text(printed: &[u8]) -> String {
    lossy(printed).replace("\r\n", "\n")
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Encoder<HmpCommand> for HmpCodec {
    type Error = io::Error;

    /// Never fails: a [`HmpCommand`] is checked already.
    fn encode(&mut self, command: HmpCommand, bytes: &mut BytesMut) -> io::Result<()> {
        let line = command.as_str().as_bytes();
        let sentinel = Sentinel::new(self.next_sentinel);
        self.next_sentinel = self.next_sentinel.wrapping_add(1);

        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\n");
        bytes.extend(sentinel.typed());
        self.commands.push_back(Marks {
            begin: end_of_echo(line),
            end: sentinel.printed(),
        });
        Ok(())
    }
}
