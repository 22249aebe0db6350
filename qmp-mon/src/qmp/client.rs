//! A client of QMP, over any stream.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::codec::Framed;

use super::codec::{MAX_LINE, QmpCodec};
use super::events::Events;
use super::message::{Event, Greeting, QmpCommand, QmpMessage};
use crate::Error;
use crate::error::{Ended, Epitaph};

/// How many events are kept for a listener that does not take them.
const EVENTS_KEPT: usize = 1024;

/// How deep arguments may be nested. QEMU refuses more than 1024, by error
/// messages that can't be told to belong to any command.
const MAX_DEPTH: usize = 1000;

/// A handle on a QMP monitor. Clones share the connection.
///
/// Any number of commands may be in flight, and events come meanwhile. A task
/// of its own does the reading and writing; it ends, and closes the
/// connection, when the last handle is dropped or the monitor closes.
#[derive(Clone, Debug)]
pub struct Qmp {
    requests: mpsc::Sender<Request>,
    /// Weak, for the stream of events is to end with the task.
    events: broadcast::WeakSender<Event>,
    epitaph: Epitaph,
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
    /// There is no time limit: a QEMU that serves another client already
    /// accepts the connection and says nothing. Must be called in a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`Error::Protocol`] if something else than QMP is there,
    /// [`Error::Qmp`], [`Error::Closed`], [`Error::Io`].
    ///
    /// # Cancel safety
    /// A dropped call closes the connection.
    pub async fn connect<T>(stream: T) -> Result<Self, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut monitor = Framed::new(stream, QmpCodec::default());
        let greeting = greeting(&mut monitor)
            .await
            .map_err(|ended| ended.during("waiting for QMP's greeting"))?;

        let (requests, queue) = mpsc::channel(16);
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        let epitaph = Epitaph::default();
        let qmp = Self {
            requests,
            events: events.downgrade(),
            epitaph: epitaph.clone(),
            greeting: Arc::new(greeting),
        };
        let (sink, stream) = monitor.split();
        let task = Task {
            sink,
            stream,
            events,
            in_flight: HashMap::new(),
            next_id: 0,
            unflushed: false,
        };
        tokio::spawn(task.run(queue, epitaph));

        qmp.execute("qmp_capabilities", Value::Null).await?;
        Ok(qmp)
    }

    /// What QEMU said of itself at first.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Executes a command and gives what it returns: `{}` if nothing.
    ///
    /// `arguments` is a JSON object, or `null` for none. There is no time limit.
    ///
    /// # Errors
    /// [`Error::Qmp`] with QEMU's class and description if the command failed,
    /// [`Error::BadArguments`] at once if the arguments can't be any, and
    /// [`Error::Closed`], [`Error::Io`] or [`Error::Protocol`] once the monitor
    /// is gone. A `quit` still returns.
    ///
    /// # Cancel safety
    /// A dropped call leaves other commands undisturbed; its reply is dropped.
    /// QEMU carries the command out all the same, unless it was not sent yet.
    pub async fn execute(&self, command: &str, arguments: Value) -> Result<Value, Error> {
        check(command, &arguments)?;
        let (reply, answer) = oneshot::channel();
        let gone = || self.gone(format!("executing the QMP command `{command}`"));
        let request = Request {
            command: command.to_owned(),
            arguments,
            reply,
        };
        self.requests.send(request).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The events from now on: those that come after this call, not after the
    /// stream is first polled.
    pub fn events(&self) -> Events {
        let events = self.events.upgrade().map(|events| events.subscribe());
        Events::new(events, self.epitaph.clone())
    }

    /// Waits for the first event of this name, such as `SHUTDOWN`, after this
    /// call (not after the first poll). So, to miss nothing, call it, then do
    /// what brings the event about, then await it:
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
    /// [`Error::EventsLost`] if so many others came that it may have been
    /// overlooked, or why the monitor is gone.
    ///
    /// # Cancel safety
    /// Cancel safe; the event is not kept for a later call. To look at several
    /// events, take them from [`Qmp::events`].
    pub fn wait_for_event(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Event, Error>> + Send + use<> {
        let mut events = self.events();
        let name = name.to_owned();
        async move { events.wait_for(&name).await }
    }

    /// Waits until the monitor is gone, and says why.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closed(&self) -> Error {
        self.requests.closed().await;
        self.gone("waiting for its end".into())
    }

    fn gone(&self, doing: String) -> Error {
        self.epitaph.read().during(doing)
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

async fn greeting<T>(monitor: &mut Framed<T, QmpCodec>) -> Result<Greeting, Ended>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let expected = "QMP's greeting `{\"QMP\": …}`";
    match monitor.next().await {
        Some(Ok(QmpMessage::Greeting(greeting))) => Ok(greeting),
        Some(Ok(QmpMessage::Garbage { line })) => Err(Ended::protocol(expected, &line)),
        Some(Ok(other)) => Err(Ended::protocol(expected, &format!("{other:?}"))),
        Some(Err(error)) => Err(error.into()),
        None => Err(Ended::closed()),
    }
}

/// What reads and writes.
struct Task<T> {
    sink: SplitSink<Framed<T, QmpCodec>, QmpCommand>,
    stream: SplitStream<Framed<T, QmpCodec>>,
    events: broadcast::Sender<Event>,
    in_flight: HashMap<u64, InFlight>,
    next_id: u64,
    unflushed: bool,
}

struct InFlight {
    command: String,
    reply: oneshot::Sender<Result<Value, Error>>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Task<T> {
    async fn run(mut self, mut queue: mpsc::Receiver<Request>, epitaph: Epitaph) {
        let ended = self.serve(&mut queue).await.unwrap_or_else(|ended| ended);
        // Before any waiter can ask for it: they wake when queue and events go.
        epitaph.write(ended.clone());
        for InFlight { command, reply } in self.in_flight.into_values() {
            let doing = format!("waiting for the reply to the QMP command `{command}`");
            let _ = reply.send(Err(ended.clone().during(doing)));
        }
    }

    /// Until all handles are dropped (`Ok`), or the monitor fails (`Err`).
    async fn serve(&mut self, queue: &mut mpsc::Receiver<Request>) -> Result<Ended, Ended> {
        loop {
            tokio::select! {
                // No new command while QEMU does not read the last ones.
                request = queue.recv(), if !self.unflushed => match request {
                    Some(request) => self.send(request).await?,
                    None => return Ok(Ended::closed()),
                },
                // Beside the reading: neither side may wait for the other to read first.
                flushed = self.sink.flush(), if self.unflushed => {
                    flushed?;
                    self.unflushed = false;
                }
                message = self.stream.next() => match message {
                    Some(message) => self.take(message?)?,
                    None => return Err(Ended::closed()),
                },
            }
        }
    }

    async fn send(
        &mut self,
        Request {
            command,
            arguments,
            reply,
        }: Request,
    ) -> Result<(), Ended> {
        // Whoever asked for it went away before it was sent.
        if reply.is_closed() {
            return Ok(());
        }
        let id = self.next_id;
        self.next_id += 1;
        self.sink
            .feed(QmpCommand {
                command: command.clone(),
                arguments,
                id,
            })
            .await?;
        self.unflushed = true;
        self.in_flight.insert(id, InFlight { command, reply });
        Ok(())
    }

    fn take(&mut self, message: QmpMessage) -> Result<(), Ended> {
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
            QmpMessage::Event(event) => {
                // Fails only when nobody listens.
                let _ = self.events.send(event);
            }
            QmpMessage::Greeting(_) => {}
            // Whose reply that was can't be known: to go on would leave its command waiting for ever.
            QmpMessage::Error { id: None, desc, .. } => {
                return Err(Ended::protocol("errors with the command's id", &desc));
            }
            QmpMessage::Garbage { line } => return Err(Ended::protocol("a line of QMP", &line)),
            QmpMessage::LineTooLong => {
                let seen = format!("a line of more than {MAX_LINE} bytes");
                return Err(Ended::protocol("a line of QMP", &seen));
            }
        }
        Ok(())
    }

    fn answer(&mut self, id: u64, answer: impl FnOnce(String) -> Result<Value, Error>) {
        if let Some(InFlight { command, reply }) = self.in_flight.remove(&id) {
            // Whoever asked may have gone away meanwhile.
            let _ = reply.send(answer(command));
        }
    }
}
