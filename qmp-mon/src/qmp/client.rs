//! QMP as an async client.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::sync::{broadcast, oneshot};
use tokio::task::AbortHandle;
use tokio_util::codec::{FramedRead, FramedWrite};

use super::{Command, Event, Events, Greeting, Message, QmpCodec};
use crate::{Error, ErrorClass};

/// How many events wait for whoever is slow to take them.
const EVENTS: usize = 1024;

/// QEMU's machine protocol. A cheap handle: several commands may be in flight
/// at once, and events come meanwhile.
#[derive(Clone)]
pub struct Qmp {
    greeting: Arc<Greeting>,
    shared: Arc<Shared>,
    writer: Arc<tokio::sync::Mutex<Writer>>,
    /// Ends the reading task with the last handle.
    _reader: Arc<StopOnDrop>,
}

type Writer = FramedWrite<Box<dyn AsyncWrite + Send + Unpin>, QmpCodec>;
type Answer = Result<Value, Error>;

/// What the reading task shares with the handles.
#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    last_id: u64,
    in_flight: HashMap<u64, InFlight>,
    /// `None` before the monitor opens and after it has closed.
    events: Option<broadcast::Sender<Event>>,
    closed: Option<Error>,
}

struct InFlight {
    command: String,
    answer: oneshot::Sender<Answer>,
}

struct StopOnDrop(AbortHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Qmp {
    /// Waits for the greeting on `stream`, without end, and negotiates: QEMU
    /// then takes commands.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Unexpected`] if no QMP monitor is there.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn connect<T>(stream: T) -> Result<Self, Error>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (reader, writer) = tokio::io::split(stream);
        let mut reader = FramedRead::new(reader, QmpCodec::default());
        let greeting = match reader.next().await {
            Some(Ok(Message::Greeting(greeting))) => Arc::new(greeting),
            Some(Ok(message)) => {
                return Err(Error::unexpected(
                    "QMP's greeting",
                    format!("{message:?}").as_bytes(),
                ));
            }
            Some(Err(error)) => return Err(error),
            None => return Err(Error::Closed),
        };
        let shared = Arc::new(Shared::default());
        shared.lock().events = Some(broadcast::Sender::new(EVENTS));
        let task = tokio::spawn(read(reader, Arc::clone(&shared)));
        let qmp = Self {
            greeting,
            shared,
            writer: Arc::new(tokio::sync::Mutex::new(boxed(writer))),
            _reader: Arc::new(StopOnDrop(task.abort_handle())),
        };
        qmp.execute("qmp_capabilities", Value::Null).await?;
        Ok(qmp)
    }

    /// What QEMU said of itself.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Executes a command and gives what it returns. `arguments` is an object,
    /// or null for none. Waits as long as the command takes.
    ///
    /// # Errors
    /// [`Error::Refused`] with QEMU's reason; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// If the future is dropped, the command may be executed all the same.
    pub async fn execute(&self, command: &str, arguments: Value) -> Result<Value, Error> {
        let (id, answer) = self.shared.register(command)?;
        let sent = {
            let mut writer = self.writer.lock().await;
            writer
                .send(&Command {
                    execute: command,
                    arguments,
                    id,
                })
                .await
        };
        if let Err(error) = sent {
            self.shared.lock().in_flight.remove(&id);
            return Err(error);
        }
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// The events from now on. As many streams as are wanted, each with all.
    pub fn events(&self) -> Events {
        Events::new(
            self.shared
                .lock()
                .events
                .as_ref()
                .map(broadcast::Sender::subscribe),
        )
    }
}

fn boxed<T: AsyncWrite + Send + Unpin + 'static>(writer: WriteHalf<T>) -> Writer {
    FramedWrite::new(Box::new(writer), QmpCodec::default())
}

/// Hands out what QEMU says until the monitor closes.
async fn read<T: AsyncRead>(mut reader: FramedRead<ReadHalf<T>, QmpCodec>, shared: Arc<Shared>) {
    let end = loop {
        match reader.next().await {
            Some(Ok(Message::Event(event))) => shared.announce(event),
            Some(Ok(Message::Return { id, value })) => shared.answer(id, |_| Ok(value)),
            Some(Ok(Message::Error { id, class, desc })) => shared.answer(id, |command| {
                Err(Error::Refused {
                    command,
                    class: ErrorClass::from(class.as_str()),
                    desc,
                })
            }),
            Some(Ok(Message::Greeting(_))) => {}
            Some(Err(error)) => break error,
            None => break Error::Closed,
        }
    };
    shared.close(&end);
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a command that is about to be sent.
    fn register(&self, command: &str) -> Result<(u64, oneshot::Receiver<Answer>), Error> {
        let mut state = self.lock();
        if let Some(end) = &state.closed {
            return Err(end.clone());
        }
        state.last_id += 1;
        let id = state.last_id;
        let (answer, answered) = oneshot::channel();
        state.in_flight.insert(
            id,
            InFlight {
                command: command.to_owned(),
                answer,
            },
        );
        Ok((id, answered))
    }

    fn answer(&self, id: Option<u64>, answer: impl FnOnce(String) -> Answer) {
        let in_flight = id.and_then(|id| self.lock().in_flight.remove(&id));
        if let Some(InFlight {
            command,
            answer: answered,
        }) = in_flight
        {
            // Nobody minds if its future was dropped.
            let _ = answered.send(answer(command));
        }
    }

    fn announce(&self, event: Event) {
        if let Some(events) = &self.lock().events {
            // Nobody minds if nobody listens.
            let _ = events.send(event);
        }
    }

    fn close(&self, end: &Error) {
        let mut state = self.lock();
        state.closed = Some(end.clone());
        state.events = None;
        for (_, InFlight { answer, .. }) in state.in_flight.drain() {
            let _ = answer.send(Err(end.clone()));
        }
    }
}

impl fmt::Debug for Qmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Qmp")
            .field("greeting", &self.greeting)
            .finish_non_exhaustive()
    }
}
