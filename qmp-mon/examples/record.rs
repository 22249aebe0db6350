//! Records QEMU's output for `tests/transcripts`:
//! `cargo run -p qmp-mon --example record -- hmp SOCKET FILE "info status" help`
//! `cargo run -p qmp-mon --example record -- qmp SOCKET FILE stop "screendump {…}"`.
//!
//! Each command is sent after the reply to the previous one. If the last command is
//! `quit`, the output until QEMU closes the monitor is recorded, too.

use std::collections::VecDeque;
use std::error::Error;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use bytes::BytesMut;
use qmp_mon::{HmpCodec, HmpCommand, HmpEvent, QmpCodec, QmpCommand, QmpMessage};
use serde_json::Value;
use tokio_util::codec::{Decoder as _, Encoder as _};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [protocol, socket, file, commands @ ..] = &arguments[..] else {
        return Err("usage: record hmp|qmp SOCKET FILE COMMAND…".into());
    };
    let recorder = Recorder {
        monitor: UnixStream::connect(socket)?,
        file: File::create(file)?,
        commands: commands.iter().cloned().collect(),
    };
    match protocol.as_str() {
        "hmp" => recorder.hmp(),
        "qmp" => recorder.qmp(),
        other => Err(format!("expected hmp or qmp, got {other}").into()),
    }
}

struct Recorder {
    monitor: UnixStream,
    file: File,
    commands: VecDeque<String>,
}

impl Recorder {
    fn hmp(mut self) -> Result<(), Box<dyn Error>> {
        let mut codec = HmpCodec::new(1);
        let mut bytes = BytesMut::new();
        while self.record(&mut bytes)? {
            while let Some(event) = codec.decode(&mut bytes)? {
                assert!(!matches!(event, HmpEvent::NotAGreeting { .. }), "{event:?}");
                let Some(command) = self.commands.pop_front() else {
                    return Ok(());
                };
                let command = HmpCommand::new(command)?;
                self.send(|typed| codec.encode(command, typed))?;
            }
        }
        Ok(())
    }

    fn qmp(mut self) -> Result<(), Box<dyn Error>> {
        let mut codec = QmpCodec::default();
        let mut bytes = BytesMut::new();
        self.commands.push_front("qmp_capabilities".into());
        let mut quits = false;
        for id in 0.. {
            while !self.answered(&mut codec, &mut bytes)? {}
            let Some(command) = self.commands.pop_front() else {
                break;
            };
            quits = command == "quit";
            let (command, arguments) = command.split_once(' ').unwrap_or((&command, "null"));
            let (command, arguments) = (command.to_owned(), arguments.parse::<Value>()?);
            self.send(|line| {
                codec.encode(
                    QmpCommand {
                        command,
                        arguments,
                        id,
                    },
                    line,
                )
            })?;
        }
        while quits && self.record(&mut bytes)? {}
        Ok(())
    }

    fn answered(
        &mut self,
        codec: &mut QmpCodec,
        bytes: &mut BytesMut,
    ) -> Result<bool, Box<dyn Error>> {
        match codec.decode(bytes)? {
            Some(message) => Ok(!matches!(message, QmpMessage::Event(_))),
            None if self.record(bytes)? => Ok(false),
            None => Err("QEMU closed the monitor".into()),
        }
    }

    fn record(&mut self, bytes: &mut BytesMut) -> Result<bool, Box<dyn Error>> {
        let mut piece = [0; 4096];
        let length = match self.monitor.read(&mut piece) {
            // QEMU exited without reading all that was sent.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            length => length?,
        };
        self.file.write_all(&piece[..length])?;
        bytes.extend_from_slice(&piece[..length]);
        Ok(length > 0)
    }

    fn send<E: Into<Box<dyn Error>>>(
        &mut self,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), Box<dyn Error>> {
        let mut bytes = BytesMut::new();
        encode(&mut bytes).map_err(Into::into)?;
        Ok(self.monitor.write_all(&bytes)?)
    }
}
