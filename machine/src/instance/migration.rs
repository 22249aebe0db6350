//! QEMU's migration to a file and from it, which is how a machine is saved.
//!
//! The file's bytes pass through us: so we know whether all of them were written, which
//! QEMU does not tell of a program that it hands them to.

use std::io;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};

use crate::error::ErrorKind;
use crate::host::state_dir::at;
use crate::instance::launch::listen;
use crate::machine::Running;
use crate::machine::monitor::monitor_error;

/// Bytes in a second: more than there ever are.
const UNLIMITED: u64 = 1 << 40;

/// Saves the state of the devices of a QEMU that stands still.
pub(crate) async fn save(running: &Running, file: &Path, socket: &Path) -> Result<(), ErrorKind> {
    let listener = listen(socket)?;
    ignore_shared(running, true).await?;
    let limits = json!({ "max-bandwidth": UNLIMITED });
    execute(running, "migrate-set-parameters", limits).await?;
    let migrated = async {
        let mut migration = Migration::begin(running, "migrate", socket).await?;
        migration.end().await
    };
    let written = async {
        let written = write(&listener, file).await;
        written.map_err(|error| failure(format!("writing {}: {error}", file.display())))
    };
    tokio::try_join!(migrated, written).map(drop)
}

/// Has a QEMU that waits for it take up what was saved.
pub(crate) async fn load(running: &Running, file: &Path, socket: &Path) -> Result<(), ErrorKind> {
    let state = tokio::fs::read(file).await.map_err(at(file))?;
    ignore_shared(running, true).await?;
    let mut migration = Migration::begin(running, "migrate-incoming", socket).await?;
    let mut stream = UnixStream::connect(socket).await.map_err(at(socket))?;
    let given = async {
        // A QEMU that does not take all of it says why.
        let _ = stream.write_all(&state).await;
        drop(stream);
        Ok(())
    };
    tokio::try_join!(migration.end(), given)?;
    ignore_shared(running, false).await
}

/// One that is under way.
struct Migration<'a> {
    running: &'a Running,
    events: qmp_mon::Events,
}

impl<'a> Migration<'a> {
    async fn begin(running: &'a Running, command: &str, socket: &Path) -> Result<Self, ErrorKind> {
        let events = running.qmp.events();
        let Some(socket) = socket.to_str() else {
            return Err(failure(format!("{} is not UTF-8", socket.display())));
        };
        execute(running, command, json!({ "uri": format!("unix:{socket}") })).await?;
        Ok(Self { running, events })
    }

    /// Waits for its end, which is an error unless it is a good one.
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
        let told = self.running.qmp.execute("query-migrate", Value::Null).await;
        let told = told.map_err(broken)?;
        let reason = told["error-desc"]
            .as_str()
            .unwrap_or("the migration failed");
        let stderr = self.running.qemu.last_stderr_lines().join("; ");
        Err(failure(format!("{reason}. {stderr}")))
    }
}

/// Writes all that QEMU sends.
async fn write(listener: &UnixListener, file: &Path) -> io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let mut file = tokio::fs::File::create(file).await?;
    tokio::io::copy(&mut stream, &mut file).await?;
    file.flush().await
}

/// Leaves RAM that is a file's content where it is, or does not.
async fn ignore_shared(running: &Running, ignore: bool) -> Result<(), ErrorKind> {
    let capabilities = json!({ "capabilities": [
        { "capability": "x-ignore-shared", "state": ignore },
        { "capability": "events", "state": true },
    ]});
    execute(running, "migrate-set-capabilities", capabilities).await
}

async fn execute(running: &Running, command: &str, arguments: Value) -> Result<(), ErrorKind> {
    let done = running.qmp.execute(command, arguments).await;
    done.map(drop)
        .map_err(|source| monitor_error(command, source))
}

fn failure(reason: String) -> ErrorKind {
    ErrorKind::Template {
        doing: "moving a machine's state".to_owned(),
        reason,
    }
}
