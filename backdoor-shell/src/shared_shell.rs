//! `SharedShell`: a shell for several tasks.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{Command, Error, Output, Shell};

/// A handle of a [`Shell`], cheap to clone. Its users queue, in the order of their calls.
///
/// Time spent in the queue does not count towards a command's time limit.
#[derive(Debug)]
pub struct SharedShell<T>(Arc<Mutex<Shell<T>>>);

impl<T: AsyncRead + AsyncWrite + Unpin> SharedShell<T> {
    /// Shares `shell`, connected or not.
    pub fn new(shell: Shell<T>) -> Self {
        Self(Arc::new(Mutex::new(shell)))
    }

    /// Queues for the shell. It is locked until the guard is dropped.
    ///
    /// # Cancel safety
    /// The place in the queue is lost.
    pub async fn lock(&self) -> OwnedMutexGuard<Shell<T>> {
        Arc::clone(&self.0).lock_owned().await
    }

    /// Queues for the shell, then runs `command`: see [`Shell::run`].
    ///
    /// # Errors
    /// As [`Shell::run`].
    ///
    /// # Cancel safety
    /// A command that has not been started never is. Otherwise as [`Shell::run`].
    pub async fn run(&self, command: impl Into<Command>) -> Result<Output, Error> {
        self.lock().await.run(command).await
    }
}

impl<T> Clone for SharedShell<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
