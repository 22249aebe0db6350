//! A shell that continues over other connections.

use std::fmt;
use std::str::FromStr;

use tokio::io::{AsyncRead, AsyncWrite};

use super::link::Line;
use super::{InFlight, Shell, Stage};
use crate::{Error, Nonce};

/// The state of a guest's shell, as contained in a saved virtual machine: what a [`Shell`]
/// over other connections needs to [resume](Shell::resume) it.
///
/// It can be stored as text: see its `Display` and `FromStr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    nonce: Nonce,
    line: Line,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// Stops what a dropped future has left in the guest, so that its shell waits for the
    /// next command, and returns what is needed to resume it.
    ///
    /// # Errors
    /// [`NotConnected`](Error::NotConnected), or as [`run`](Self::run).
    ///
    /// # Cancel safety
    /// Cancel safe: the next call continues where this one stopped.
    pub async fn suspend(&mut self) -> Result<Session, Error> {
        let nonce = self.finish_abandoned("suspending it").await?;
        let line = self.link.line();
        Ok(Session { nonce, line })
    }

    /// Resumes a suspended shell over the connections of this one, which is connected then.
    pub fn resume(&mut self, session: Session) {
        self.stage = Stage::Ready(session.nonce);
        self.link.use_line(session.line);
        self.in_flight = None;
    }

    /// Resumes a shell whose guest was reset to the moment of its suspension. This one is
    /// connected then, whatever its state was.
    ///
    /// Output that has arrived since is discarded. A request that was being sent may still
    /// reach the guest: the next call stops it.
    #[doc(hidden)]
    pub fn rewind(&mut self, session: Session) {
        self.link.discard_received();
        self.stage = Stage::Ready(session.nonce);
        self.link.use_line(session.line);
        // The guest no longer knows the file, but confirms the end of any command.
        if let Some(InFlight::Upload(upload)) = self.in_flight {
            self.in_flight = Some(InFlight::Command {
                nonce: upload.nonce(),
                damaged: false,
            });
        }
    }
}

const PORT: &str = "port";
const CONSOLE: &str = "console";

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self.line {
            Line::Port => PORT,
            Line::Console => CONSOLE,
        };
        write!(f, "{line}:{}", self.nonce)
    }
}

/// A text is not that of a [`Session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a shell session: expected `port:` or `console:` and 16 hexadecimal digits")]
#[non_exhaustive]
pub struct NotASession;

impl FromStr for Session {
    type Err = NotASession;

    fn from_str(text: &str) -> Result<Self, NotASession> {
        let (line, nonce) = text.split_once(':').ok_or(NotASession)?;
        let line = match line {
            PORT => Line::Port,
            CONSOLE => Line::Console,
            _ => return Err(NotASession),
        };
        let is_nonce = nonce.len() == Nonce::LEN && nonce.bytes().all(|b| b.is_ascii_hexdigit());
        let nonce = u64::from_str_radix(nonce, 16).map_err(|_| NotASession)?;
        is_nonce.then_some(()).ok_or(NotASession)?;
        let nonce = Nonce::from(nonce);
        Ok(Self { nonce, line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_survives_as_text() {
        for line in [Line::Port, Line::Console] {
            let nonce = Nonce::random();
            let session = Session { nonce, line };
            assert_eq!(session.to_string().parse(), Ok(session));
        }
        for text in [
            "",
            "port",
            "port:",
            "port:12",
            "disk:0123456789abcdef",
            "port:+123456789abcdef",
        ] {
            assert_eq!(text.parse::<Session>(), Err(NotASession), "{text}");
        }
    }
}
