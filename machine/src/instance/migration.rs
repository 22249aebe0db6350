//! QEMU's migration to a file and from it, which saves a machine and loads it.
//!
//! The bytes pass through this process, so that write errors are known: QEMU does not
//! report those of a program that it migrates to.

use std::io;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use super::errors::template_error;
use super::{Instance, monitor_error};
use crate::error::{ErrorKind, Result};
use crate::host::files::at;
use crate::host::sockets::Listener;

/// In bytes per second: more than any host transfers.
const UNLIMITED: u64 = 1 << 40;

/// Saves the devices of a QEMU whose guest is stopped.
pub(super) async fn save(instance: &Instance, file: &Path) -> Result<(), ErrorKind> {
    let socket = &*instance.migration_socket;
    let listener = Listener::bind(socket)?;
    ignore_shared(instance, true).await?;
    let limits = json!({ "max-bandwidth": UNLIMITED });
    execute(instance, "migrate-set-parameters", limits).await?;
    let migrated = async {
        let mut migration = Migration::begin(instance, "migrate", socket).await?;
        migration.end().await
    };
    let written = async {
        let written = write(listener.accept().await?, file).await;
        written.map_err(|error| template_error(&format!("writing {}", file.display()), error))
    };
    tokio::try_join!(migrated, written).map(drop)
}

/// Loads saved devices into a QEMU that waits for a migration.
pub(super) async fn load(instance: &Instance, file: &Path) -> Result<(), ErrorKind> {
    let socket = &*instance.migration_socket;
    let state = tokio::fs::read(file).await.map_err(at(file))?;
    ignore_shared(instance, true).await?;
    let mut migration = Migration::begin(instance, "migrate-incoming", socket).await?;
    let mut stream = UnixStream::connect(socket).await.map_err(at(socket))?;
    let given = async {
        // If QEMU does not read all of it, its error says why.
        let _ = stream.write_all(&state).await;
        drop(stream);
        Ok(())
    };
    tokio::try_join!(migration.end(), given)?;
    ignore_shared(instance, false).await
}

/// A migration in progress.
struct Migration<'a> {
    instance: &'a Instance,
    events: qmp_mon::Events,
}

impl<'a> Migration<'a> {
    async fn begin(
        instance: &'a Instance,
        command: &str,
        socket: &Path,
    ) -> Result<Self, ErrorKind> {
        let events = instance.qmp.events();
        let Some(socket) = socket.to_str() else {
            return Err(failure(format!("{} is not UTF-8", socket.display())));
        };
        execute(
            instance,
            command,
            json!({ "uri": format!("unix:{socket}") }),
        )
        .await?;
        Ok(Self { instance, events })
    }

    /// Waits for its end, which is an error unless it completed.
    async fn end(&mut self) -> Result<(), ErrorKind> {
        let broken = |source| monitor_error("a migration", source);
        loop {
            let event = self.events.wait_for("MIGRATION").await.map_err(broken)?;
            match event.data["status"].as_str() {
                Some("completed") => return Ok(()),
                Some("failed" | "cancelled") => break,
                _ => {}
            }
        }
        let reply = self.instance.qmp.query("query-migrate").await;
        let reply = reply.map_err(broken)?;
        let reason = reply["error-desc"]
            .as_str()
            .unwrap_or("the migration failed");
        let stderr = self
            .instance
            .running
            .lifetime
            .last_stderr_lines()
            .join("; ");
        Err(failure(format!("{reason}. {stderr}")))
    }
}

/// Writes everything that QEMU sends.
async fn write(mut stream: UnixStream, file: &Path) -> io::Result<()> {
    let mut file = tokio::fs::File::create(file).await?;
    tokio::io::copy(&mut stream, &mut file).await?;
    file.flush().await
}

/// Sets whether RAM in shared files is left out of the migration.
async fn ignore_shared(instance: &Instance, ignore: bool) -> Result<(), ErrorKind> {
    let capabilities = json!({ "capabilities": [
        { "capability": "x-ignore-shared", "state": ignore },
        { "capability": "events", "state": true },
    ]});
    execute(instance, "migrate-set-capabilities", capabilities).await
}

async fn execute(instance: &Instance, command: &str, arguments: Value) -> Result<(), ErrorKind> {
    let done = instance.qmp.execute(command, arguments).await;
    done.map(drop)
        .map_err(|source| monitor_error(command, source))
}

fn failure(reason: String) -> ErrorKind {
    template_error("moving a machine's state", reason)
}
