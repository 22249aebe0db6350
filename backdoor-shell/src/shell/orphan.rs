//! The process that is left reading from the console when an agent is killed while it writes
//! a file.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Shell;
use super::link::before;
use crate::{Error, Event, Nonce, Request};

/// How long an answer may take before the request is repeated.
const REPEAT_AFTER: Duration = Duration::from_millis(500);

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// Kills that process, which takes input from the new shell up to the end of its piece of
    /// the file. It can take the request as well, or a part of it, so the request is repeated
    /// until it is answered.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn kill_orphan(
        &mut self,
        on_line: &mut impl FnMut(&str),
    ) -> Result<(), Error> {
        let doing = "connecting after a restart";
        let nonce = Nonce::random();
        while self.may_have_orphan {
            let deadline = Instant::now().checked_add(REPEAT_AFTER);
            self.link
                .send(Request::KillReaders(nonce), deadline, doing)
                .await?;
            while let Some(event) = before(deadline, self.link.event(doing)).await {
                match event?.1 {
                    Event::OtherLine(line) => on_line(&line),
                    Event::Ready(id) if id == nonce => {
                        self.may_have_orphan = false;
                        break;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
