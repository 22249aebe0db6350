//! The log and its waits over an in-memory stream.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod finding;
mod giving_up;
mod keeping;
mod screen;
mod talking;

use std::time::Duration;

use serial_log::SerialLog;
use support::settle;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

const NOW: Option<Duration> = Some(Duration::ZERO);
const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

fn console() -> (DuplexStream, SerialLog) {
    let (guest, console) = duplex(1 << 16);
    (guest, SerialLog::new(console))
}

async fn print(guest: &mut DuplexStream, text: impl AsRef<[u8]>) {
    guest.write_all(text.as_ref()).await.unwrap();
    settle().await;
}
