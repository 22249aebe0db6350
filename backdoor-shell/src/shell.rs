//! `Shell`: the guest's root shell as an async client.

mod collect;
mod interact;
mod link;
mod orphan;
mod run;
mod session;
mod write_file;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::codec::Event;
use crate::greeting::is_greeting;
use crate::{Error, Nonce, Request};

pub use collect::MAX_OUTPUT;
pub use interact::TerminalKind;
pub use session::{NotASession, Session};

use link::{Line, Link};
use write_file::Upload;

/// A root shell in a guest, reached over any byte stream.
///
/// It runs one command, or writes one file, at a time.
///
/// # Cancellation
/// Dropping the future of any method leaves the shell usable. A command or file that
/// the dropped future has started continues in the guest until the next call, which
/// stops it before it does anything else.
#[derive(Debug)]
pub struct Shell<T> {
    link: Link<T>,
    stage: Stage,
    /// The guest's shell announces itself.
    greets: bool,
    in_flight: Option<InFlight>,
    /// An agent was killed while it wrote a file: see `orphan.rs`.
    may_have_orphan: bool,
}

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The guest is still booting.
    Waiting,
    /// The greeting has arrived.
    Greeted,
    /// The agent has been sent. Its answer will carry the nonce, as will requests to it.
    Starting(Nonce),
    Ready(Nonce),
}

/// A request whose end has not arrived yet.
#[derive(Clone, Copy, Debug)]
enum InFlight {
    Command {
        nonce: Nonce,
        /// Some output was damaged: the rest must not be passed on as if it followed.
        damaged: bool,
    },
    Upload(Upload),
}

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// Creates a shell on `console`. Nothing is read or sent yet.
    pub fn new(console: T) -> Self {
        Self {
            link: Link::new(console),
            stage: Stage::Waiting,
            greets: true,
            in_flight: None,
            may_have_orphan: false,
        }
    }

    /// Expects no [`GREETING`](crate::GREETING): the other end is a bash that already reads
    /// commands, such as `bash --norc` in a container. [`connect`](Self::connect) sends the
    /// agent at once.
    ///
    /// A restart of such a shell is not noticed, unless its line is closed.
    #[must_use]
    pub fn without_greeting(mut self) -> Self {
        self.greets = false;
        self.stage = Stage::Greeted;
        self
    }

    /// Adds the host's end of a virtio port named [`PORT`](crate::PORT). The agent uses
    /// the port instead of the console if the guest has it, and stays at the port if the
    /// guest's shell greets there.
    ///
    /// Recommended with QEMU, which drops output to a virtio console when the host reads
    /// too slowly; at a port, the guest waits. Lines outside the protocol are only read
    /// from the console.
    #[must_use]
    pub fn with_port(mut self, port: T) -> Self {
        self.link.set_port(port);
        self
    }

    /// The stream of the console.
    pub fn get_ref(&self) -> &T {
        self.link.console()
    }

    /// The streams of the console and of the [port](Self::with_port). What has been
    /// received but not returned is lost.
    pub fn into_inner(self) -> (T, Option<T>) {
        self.link.into_streams()
    }

    /// Returns whether [`connect`](Self::connect) has finished, and neither a restart of the
    /// guest's shell nor the end of the connection has been noticed since. A shell that exits
    /// without output is only noticed when it is used.
    pub fn is_connected(&self) -> bool {
        matches!(self.stage, Stage::Ready(_)) && !self.link.is_closed()
    }

    /// Waits for the guest's [`GREETING`](crate::GREETING), passes each line from the guest to
    /// `on_line` and prepares the guest's shell. Returns at once if already connected. After
    /// the connection was closed, a shell on another one is needed.
    ///
    /// There is no time limit: the caller decides how long a guest may take to boot.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Io`].
    ///
    /// # Cancel safety
    /// Cancel safe: a later call continues where this one stopped.
    pub async fn connect(&mut self, mut on_line: impl FnMut(&str)) -> Result<(), Error> {
        if self.link.is_closed() {
            let doing = "connecting".to_owned();
            return Err(Error::Closed { doing });
        }
        while !self.is_connected() {
            if self.stage == Stage::Greeted {
                self.kill_orphan(&mut on_line).await?;
                let nonce = Nonce::random();
                self.stage = Stage::Starting(nonce);
                let at_port = self.link.line() == Line::Port;
                let request = Request::Bootstrap { nonce, at_port };
                self.link.send(request, None, "connecting").await?;
            }
            // Send what an earlier call, dropped since, has left in the buffer.
            self.link.flush("connecting").await?;
            match self.link.event("waiting for its greeting").await? {
                (line, Event::OtherLine(text)) => {
                    on_line(&text);
                    if is_greeting(&text) {
                        self.stage = Stage::Greeted;
                        self.link.use_line(line);
                    }
                }
                (line, Event::Ready(nonce)) if self.stage == Stage::Starting(nonce) => {
                    self.stage = Stage::Ready(nonce);
                    self.link.use_line(line);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Discards the state of the guest's shell, for example because the guest reboots.
    /// The next [`connect`](Self::connect) waits for the next greeting.
    pub fn disconnect(&mut self) {
        self.reset(Stage::Waiting);
    }

    /// Discards all that was meant for a shell that has exited: its successor might
    /// evaluate it as commands.
    fn reset(&mut self, stage: Stage) {
        self.stage = if self.greets { stage } else { Stage::Greeted };
        self.in_flight = None;
        self.link.reset();
    }

    /// Fails if `event` is the greeting of a new shell, which ends whatever was in flight.
    fn check_restart(
        &mut self,
        (line, event): (Line, &Event),
        doing: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        match event {
            Event::OtherLine(text) if is_greeting(text) => {
                // The port can only be opened again when no process has it.
                self.may_have_orphan =
                    line == Line::Console && matches!(self.in_flight, Some(InFlight::Upload(_)));
                self.reset(Stage::Greeted);
                self.link.use_line(line);
                Err(Error::Restarted { doing: doing() })
            }
            _ => Ok(()),
        }
    }
}
