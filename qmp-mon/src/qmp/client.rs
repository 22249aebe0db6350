//! The client of QMP.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::Framed;

use super::codec::{MAX_LINE, QmpCodec};
use super::event_history::EventHistory;
use super::event_source::EventSource;
use super::events::Events;
use super::message::{Event, Greeting, QmpCommand, QmpMessage};
use crate::Error;
use crate::connection::{self, Session};
use crate::error::{CloseReason, SharedCloseReason, beginning};
use crate::unix_socket;

/// Maximum nesting depth of arguments. QEMU rejects more than 1024, with an error
/// that lacks the command's id.
const MAX_DEPTH: usize = 1000;

/// A handle of a QMP monitor. Clones share the connection.
///
/// Any number of commands may be in flight. A background task reads and writes.
/// It ends and closes the connection when the last handle is dropped or the
/// monitor closes.
#[derive(Clone, Debug)]
pub struct Qmp {
    requests: mpsc::Sender<Request>,
    /// Weak, so that event streams end with the task.
    events: Weak<EventSource>,
    close_reason: SharedCloseReason,
    greeting: Arc<Greeting>,
}

#[derive(Debug)]
struct Request {
    command: String,
    arguments: Value,
    reply: oneshot::Sender<Result<Value, Error>>,
}

impl Qmp {
    /// Waits for QEMU's greeting on `stream` (a unix socket, usually) and
    /// enters command mode (`qmp_capabilities`), without any of the
    /// capabilities offered.
    ///
    /// There is no time limit: a QEMU that serves another client accepts the
    /// connection but sends nothing. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the peer does not speak QMP,
    /// [`Error::Qmp`], [`Error::Closed`], [`Error::Io`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn connect<T>(stream: T) -> Result<Self, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut monitor = Framed::new(stream, QmpCodec::default());
        let greeting = greeting(&mut monitor)
            .await
            .map_err(|reason| reason.error_while("waiting for QMP's greeting"))?;

        let (requests, queue) = mpsc::channel(16);
        let events = Arc::new(EventSource::new());
        let close_reason = SharedCloseReason::default();
        let qmp = Self {
            requests,
            events: Arc::downgrade(&events),
            close_reason: close_reason.clone(),
            greeting: Arc::new(greeting),
        };
        let session = QmpSession {
            events,
            in_flight: HashMap::new(),
            next_id: 0,
        };
        tokio::spawn(connection::run(monitor, session, queue, close_reason));

        qmp.execute("qmp_capabilities", Value::Null).await?;
        Ok(qmp)
    }

    /// Waits at most `limit` until QEMU has created the unix socket at `path`, then
    /// [connects](Self::connect), within the same limit.
    ///
    /// # Errors
    /// [`Error::NoConnection`], otherwise as [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn connect_unix(path: impl AsRef<Path>, limit: Duration) -> Result<Self, Error> {
        unix_socket::connect_unix(path.as_ref(), limit, Self::connect).await
    }

    /// QEMU's greeting.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Executes a command and returns its result, usually `{}`.
    ///
    /// `arguments` is a JSON object, or `null` for none. There is no time limit.
    ///
    /// # Errors
    /// [`Error::Qmp`] with QEMU's class and description if the command failed,
    /// [`Error::BadArguments`] for invalid arguments, and [`Error::Closed`],
    /// [`Error::Io`] or [`Error::Protocol`] once the connection is closed. `quit`
    /// returns normally.
    ///
    /// # Cancel safety
    /// Dropping the future does not affect other commands; the reply is discarded.
    /// The command still runs, unless it was still queued.
    pub async fn execute(&self, command: &str, arguments: Value) -> Result<Value, Error> {
        check(command, &arguments)?;
        let (reply, answer) = oneshot::channel();
        let closed = || self.closed_while(format!("executing the QMP command `{command}`"));
        let request = Request {
            command: command.to_owned(),
            arguments,
            reply,
        };
        self.requests.send(request).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Executes a command without arguments, such as `query-status`: see
    /// [`execute`](Self::execute).
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    /// As [`execute`](Self::execute).
    pub async fn query(&self, command: &str) -> Result<Value, Error> {
        self.execute(command, Value::Null).await
    }

    /// Executes a command whose result is a `T`: see [`execute`](Self::execute).
    ///
    /// ```no_run
    /// #[derive(serde::Deserialize)]
    /// struct Status {
    ///     running: bool,
    /// }
    ///
    /// # async fn example(qmp: qmp_mon::Qmp) -> Result<(), qmp_mon::Error> {
    /// let status: Status = qmp.execute_as("query-status", serde_json::Value::Null).await?;
    /// assert!(status.running);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::UnexpectedResult`] if the result is not a `T`, otherwise as
    /// [`execute`](Self::execute).
    ///
    /// # Cancel safety
    /// As [`execute`](Self::execute).
    pub async fn execute_as<T: DeserializeOwned>(
        &self,
        command: &str,
        arguments: Value,
    ) -> Result<T, Error> {
        let result = self.execute(command, arguments).await?;
        T::deserialize(&result).map_err(|error| Error::UnexpectedResult {
            command: command.to_owned(),
            seen: beginning(&result.to_string()).to_owned(),
            source: Arc::new(error),
        })
    }

    /// Subscribes to events, from this call on (not from the first poll).
    pub fn events(&self) -> Events {
        let events = self.events.upgrade().map(|events| events.stream());
        Events::new(events, self.close_reason.clone())
    }

    /// Records the events from now on, for concurrent waits.
    pub fn event_history(&self) -> EventHistory {
        EventHistory::new(self.events.upgrade().as_deref(), self.close_reason.clone())
    }

    /// Waits for the first event called `name`, such as `SHUTDOWN`, after this call
    /// (not after the first poll). To miss no event, call this, trigger the event,
    /// then await the future:
    ///
    /// ```no_run
    /// # async fn example(qmp: qmp_mon::Qmp) -> Result<(), qmp_mon::Error> {
    /// let stopped = qmp.wait_for_event("STOP");
    /// qmp.execute("stop", serde_json::Value::Null).await?;
    /// stopped.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::EventsLost`] if the event may be among lost events, or the reason
    /// why the connection is closed.
    ///
    /// # Cancel safety
    /// Cancel safe, but a later call does not see earlier events. Use
    /// [`Qmp::events`] for several events.
    pub fn wait_for_event(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Event, Error>> + Send + use<> {
        let mut events = self.events();
        let name = name.to_owned();
        async move { events.wait_for(&name).await }
    }

    /// Waits until the connection is closed, and returns the reason.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closed(&self) -> Error {
        self.requests.closed().await;
        self.closed_while("waiting for its end".into())
    }

    fn closed_while(&self, doing: String) -> Error {
        self.close_reason.get().error_while(doing)
    }
}

fn check(command: &str, arguments: &Value) -> Result<(), Error> {
    let seen = match arguments {
        Value::Null => return Ok(()),
        Value::Object(_) if !is_deeper_than(MAX_DEPTH, arguments) => return Ok(()),
        Value::Object(_) => format!("one nested more than {MAX_DEPTH} deep"),
        other => other.to_string(),
    };
    Err(Error::BadArguments {
        command: command.to_owned(),
        seen,
    })
}

fn is_deeper_than(limit: usize, value: &Value) -> bool {
    let Some(limit) = limit.checked_sub(1) else {
        return true;
    };
    match value {
        Value::Array(values) => values.iter().any(|value| is_deeper_than(limit, value)),
        Value::Object(members) => members.values().any(|value| is_deeper_than(limit, value)),
        _ => false,
    }
}

async fn greeting<T>(monitor: &mut Framed<T, QmpCodec>) -> Result<Greeting, CloseReason>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let expected = "QMP's greeting `{\"QMP\": …}`";
    match monitor.next().await {
        Some(Ok(QmpMessage::Greeting(greeting))) => Ok(greeting),
        Some(Ok(QmpMessage::Garbage { line })) => Err(CloseReason::protocol(expected, &line)),
        Some(Ok(other)) => Err(CloseReason::protocol(expected, &format!("{other:?}"))),
        Some(Err(error)) => Err(error.into()),
        None => Err(CloseReason::closed()),
    }
}

/// The commands in progress, by their id.
struct QmpSession {
    events: Arc<EventSource>,
    in_flight: HashMap<u64, InFlight>,
    next_id: u64,
}

struct InFlight {
    command: String,
    reply: oneshot::Sender<Result<Value, Error>>,
}

impl Session for QmpSession {
    type Request = Request;
    type Command = QmpCommand;
    type Message = QmpMessage;

    fn is_ready(&self) -> bool {
        true
    }

    fn start(&mut self, request: Request) -> Option<QmpCommand> {
        let Request {
            command,
            arguments,
            reply,
        } = request;
        if reply.is_closed() {
            return None;
        }
        let id = self.next_id;
        self.next_id += 1;
        let in_flight = InFlight {
            command: command.clone(),
            reply,
        };
        self.in_flight.insert(id, in_flight);
        Some(QmpCommand {
            command,
            arguments,
            id,
        })
    }

    fn receive(&mut self, message: QmpMessage) -> Result<Option<QmpCommand>, CloseReason> {
        match message {
            QmpMessage::Return { id, value } => self.answer(id, |_| Ok(value)),
            QmpMessage::Error {
                id: Some(id),
                class,
                desc,
            } => {
                self.answer(id, |command| {
                    Err(Error::Qmp {
                        command,
                        class,
                        desc,
                    })
                });
            }
            QmpMessage::Event(event) => self.events.publish(event),
            QmpMessage::Greeting(_) => {}
            // The command is unknown, and would wait forever if the connection stayed open.
            QmpMessage::Error { id: None, desc, .. } => {
                return Err(CloseReason::protocol("errors with the command's id", &desc));
            }
            QmpMessage::Garbage { line } => {
                return Err(CloseReason::protocol("a line of QMP", &line));
            }
            QmpMessage::LineTooLong => {
                let seen = format!("a line of more than {MAX_LINE} bytes");
                return Err(CloseReason::protocol("a line of QMP", &seen));
            }
        }
        Ok(None)
    }

    fn close(self, reason: &CloseReason) {
        for InFlight { command, reply } in self.in_flight.into_values() {
            let doing = format!("waiting for the reply to the QMP command `{command}`");
            let _ = reply.send(Err(reason.clone().error_while(doing)));
        }
    }
}

impl QmpSession {
    fn answer(&mut self, id: u64, answer: impl FnOnce(String) -> Result<Value, Error>) {
        if let Some(InFlight { command, reply }) = self.in_flight.remove(&id) {
            // Fails if the caller was dropped.
            let _ = reply.send(answer(command));
        }
    }
}
