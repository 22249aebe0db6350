//! A shell that goes on over other connections.

use std::fmt;
use std::str::FromStr;

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::shell::{Running, Stage};
use crate::{Error, Nonce, Shell};

/// A guest's shell, as a saved virtual machine holds it: what a [`Shell`] over
/// other connections has to know to [resume](Shell::resume) it.
///
/// It can be kept as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    nonce: Nonce,
    on_port: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// Ends what a dropped future has left in the guest, so that its shell waits
    /// for the next command, and gives what it takes to resume it.
    ///
    /// # Errors
    /// [`NotConnected`](Error::NotConnected), or as [`run`](Self::run).
    pub async fn suspend(&mut self) -> Result<Session, Error> {
        let nonce = self.settle().await?;
        Ok(Session {
            nonce,
            on_port: self.on_port,
        })
    }

    /// Takes up a shell that was suspended, over the connections of this one: it
    /// is connected then.
    pub fn resume(&mut self, session: Session) {
        self.stage = Stage::Ready(session.nonce);
        self.on_port = session.on_port;
        self.running = None;
    }

    /// Takes up a shell whose guest has gone back to where it was suspended: it is
    /// connected then, whatever had become of it.
    ///
    /// What the guest said since is dropped. What is on its way to it since may reach
    /// it yet: the next call ends a command that is.
    pub fn rewind(&mut self, session: Session) {
        while let Some(Ok(_)) = self.event("going back").now_or_never() {}
        for line in self.port.iter_mut().chain([&mut self.console]) {
            line.codec_mut().runs_now(None);
        }
        self.stage = Stage::Ready(session.nonce);
        self.on_port = session.on_port;
        self.running = match self.running.take() {
            Some(Running::Put(put)) => Some(Running::Command(put.nonce)),
            running => running,
        };
    }
}

const PORT: &str = "port";
const CONSOLE: &str = "console";

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = if self.on_port { PORT } else { CONSOLE };
        write!(f, "{line}:{}", self.nonce)
    }
}

/// The text is not a session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no session of a shell: expected `port:` or `console:` and 16 hexadecimal digits")]
pub struct NotASession;

impl FromStr for Session {
    type Err = NotASession;

    fn from_str(text: &str) -> Result<Self, NotASession> {
        let (line, nonce) = text.split_once(':').ok_or(NotASession)?;
        let on_port = match line {
            PORT => true,
            CONSOLE => false,
            _ => return Err(NotASession),
        };
        let is_nonce = nonce.len() == Nonce::LEN && nonce.bytes().all(|b| b.is_ascii_hexdigit());
        let nonce = u64::from_str_radix(nonce, 16).map_err(|_| NotASession)?;
        is_nonce.then_some(()).ok_or(NotASession)?;
        Ok(Self {
            nonce: Nonce::from(nonce),
            on_port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_kept_as_text() {
        for on_port in [true, false] {
            let session = Session {
                nonce: Nonce::random(),
                on_port,
            };
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
