//! `Shell::evaluate`: what the guest's shell does itself.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::client::Running;
use crate::{Error, Nonce, Request, Shell};

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// Has the guest's shell evaluate a script without starting a process, which under
    /// emulation is several times faster than to [`run`](Self::run) it, and gives its
    /// status; `None` if that is not known within `limit`.
    ///
    /// For what its sender knows: the script must print nothing, end, and leave no
    /// traces in the shell. Nothing can stop it. Cancel safe, see [`Shell`].
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn evaluate(&mut self, script: &str, limit: Duration) -> Result<Option<i32>, Error> {
        let session = self.settle().await?;
        let nonce = Nonce::random();
        let deadline = Instant::now().checked_add(limit);
        self.running = Some(Running::Command(nonce));
        let request = Request::Evaluate {
            session,
            nonce,
            script,
        };
        self.send(request, deadline, script).await?;
        self.follow(nonce, script, deadline, &mut tokio::io::sink())
            .await
    }
}
