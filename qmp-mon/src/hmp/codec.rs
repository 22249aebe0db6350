//! Encodes commands and decodes replies of the human monitor.

use std::collections::VecDeque;
use std::io;

use bytes::{Buf as _, BytesMut};
use memchr::{memchr, memmem};
use tokio_util::codec::{Decoder, Encoder};

use super::command::HmpCommand;
use super::grammar::greeting;
use super::readline::{Sentinel, end_of_echo};

/// Default maximum length of a reply, in bytes.
pub const MAX_REPLY: usize = 16 << 20;

/// Maximum length of the greeting, in bytes. QEMU's has about sixty.
const MAX_GREETING: usize = 1024;

/// Output of a human monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HmpEvent {
    /// The first line.
    Greeting {
        /// QEMU's version, such as `7.2.22`.
        version: String,
    },
    /// An unexpected first line, or its first kilobyte.
    NotAGreeting {
        /// The line, with invalid UTF-8 replaced.
        line: String,
    },
    /// The reply to the oldest pending command.
    Reply {
        /// The reply without echo and prompt, with lines ending in `\n` and invalid
        /// UTF-8 replaced.
        text: String,
    },
    /// The reply to the oldest pending command was too long, and was discarded.
    ReplyTooLong,
    /// The oldest pending command prompts for a password. The next line typed is
    /// the password, and the reply to it that of the command.
    PasswordPrompt,
    /// The monitor was closed during the greeting or a reply.
    Cut {
        /// The incomplete text.
        text: String,
    },
}

/// The human monitor's protocol: no I/O, no clock, no task.
///
/// Replies are in the order of the commands; commands may be encoded ahead. The
/// events do not depend on how the bytes are split into reads. At most one reply
/// is buffered.
#[derive(Debug)]
pub struct HmpCodec {
    state: State,
    /// The encoded commands whose echo has not been received, oldest first.
    commands: VecDeque<Marks>,
    password_prompt: Vec<u8>,
    /// How many bytes of the buffer are known not to contain the marker.
    searched: usize,
    max_reply: usize,
    next_sentinel: u64,
}

/// What the next bytes are.
#[derive(Debug)]
enum State {
    Greeting,
    /// A prompt, and the echo of the next command.
    Echo,
    /// A reply up to `end`, discarded if it is `too_long`.
    Reply {
        end: Vec<u8>,
        too_long: bool,
    },
    Closed,
}

/// The bytes that delimit a reply.
#[derive(Debug)]
struct Marks {
    begin: Vec<u8>,
    end: Vec<u8>,
}

impl HmpCodec {
    /// Creates a codec for a new connection.
    ///
    /// `seed` determines the words that mark the ends of replies. Use a random one
    /// unless replies are trusted, and a constant for reproducible bytes.
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

    /// Sets the maximum length of a reply, instead of [`MAX_REPLY`].
    #[must_use]
    pub fn with_max_reply(mut self, bytes: usize) -> Self {
        self.max_reply = bytes;
        self
    }
}

impl Decoder for HmpCodec {
    type Item = HmpEvent;
    type Error = io::Error;

    /// Never fails: invalid bytes are an event.
    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<HmpEvent>> {
        Ok(loop {
            let step = match self.state {
                State::Greeting => self.greeting(bytes),
                State::Echo => self.skip_echo(bytes),
                State::Reply { .. } => self.reply(bytes),
                State::Closed => {
                    bytes.clear();
                    Step::Incomplete
                }
            };
            match step {
                Step::Incomplete => break None,
                Step::Event(event) => break Some(event),
                Step::NextState => {}
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

/// The result of one decoding step.
enum Step {
    /// More bytes are needed.
    Incomplete,
    /// The state changed.
    NextState,
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
                return Step::Incomplete;
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

    /// Discards everything before the reply: without a command, the prompt.
    fn skip_echo(&mut self, bytes: &mut BytesMut) -> Step {
        let Some(Marks { begin, .. }) = self.commands.front() else {
            bytes.clear();
            return Step::Incomplete;
        };
        let Some(found) = memmem::find(bytes, begin) else {
            keep_last(bytes, begin.len() - 1);
            return Step::Incomplete;
        };
        bytes.advance(found + begin.len());
        self.searched = 0;
        if let Some(Marks { end, .. }) = self.commands.pop_front() {
            self.state = State::Reply {
                end,
                too_long: false,
            };
        }
        Step::NextState
    }

    fn reply(&mut self, bytes: &mut BytesMut) -> Step {
        let State::Reply { end, too_long } = &mut self.state else {
            return Step::NextState;
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
                keep_last(bytes, undecided);
                self.searched = 0;
            }
            return Step::Incomplete;
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

fn keep_last(bytes: &mut BytesMut, count: usize) {
    bytes.advance(bytes.len().saturating_sub(count));
}

/// Decodes text, in which QEMU prints CR LF for each `\n`.
fn text(printed: &[u8]) -> String {
    lossy(printed).replace("\r\n", "\n")
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Encoder<HmpCommand> for HmpCodec {
    type Error = io::Error;

    /// Never fails: a [`HmpCommand`] is valid.
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
