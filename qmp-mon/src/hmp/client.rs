//! The human monitor as an async client.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio_util::codec::Framed;

use super::codec::{Fence, HmpCodec, HmpCommand, HmpEvent};
use crate::Error;

/// QEMU's human monitor. A cheap handle; commands of its clones take turns.
#[derive(Clone)]
pub struct Hmp {
    greeting: Arc<str>,
    monitor: Arc<Mutex<Framed<Box<dyn Stream>, HmpCodec>>>,
}

/// Any transport: clients need not be generic over it to be handed around.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Hmp {
    /// Waits for the greeting on `stream`, without end.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Unexpected`] if no human monitor is there.
    pub async fn connect(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, Error> {
        let mut monitor = Framed::new(Box::new(stream) as Box<dyn Stream>, HmpCodec::default());
        let greeting = match monitor.next().await {
            Some(Ok(HmpEvent::Greeting(greeting))) => greeting.into(),
            Some(Ok(HmpEvent::Reply { text, .. })) => {
                return Err(Error::unexpected("a greeting", text.as_bytes()));
            }
            Some(Err(error)) => return Err(error),
            None => return Err(Error::Closed),
        };
        Ok(Self {
            greeting,
            monitor: Arc::new(Mutex::new(monitor)),
        })
    }

    /// The monitor's first line, which names QEMU's version.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Executes a command and gives its reply, without echo, escapes or prompt.
    ///
    /// QEMU reports a command that fails in the words of its reply only
    /// (`unknown command: 'foo'`); [`Qmp`](crate::Qmp) has typed errors. Waits
    /// as long as the command takes.
    ///
    /// # Errors
    /// [`Error::ControlCharacter`], [`Error::CommandTooLong`] before anything is
    /// sent; [`Error::Closed`] if the monitor closes before the reply is whole.
    ///
    /// # Cancel safety
    /// If the future is dropped, the command is executed all the same; its
    /// reply is skipped by the next.
    pub async fn command(&self, command: &str) -> Result<String, Error> {
        let fence = random_fence();
        let mut monitor = self.monitor.lock().await;
        monitor
            .send(HmpCommand {
                line: command,
                fence,
            })
            .await?;
        loop {
            match monitor.next().await {
                Some(Ok(HmpEvent::Reply { fence: whose, text })) if whose == fence => {
                    return Ok(text);
                }
                // The reply to a command whose future was dropped.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(Error::Closed),
            }
        }
    }
}

/// The standard library's hash keys are seeded by the operating system.
fn random_fence() -> Fence {
    let bytes = RandomState::new().build_hasher().finish().to_ne_bytes();
    Fence(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

impl fmt::Debug for Hmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hmp")
            .field("greeting", &self.greeting)
            .finish_non_exhaustive()
    }
}
