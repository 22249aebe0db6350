//! Lines handed on, and bytes sent.

use std::sync::{Arc, Mutex};

use serial_log::{Error, SerialLog};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::console;

#[tokio::test]
async fn lines_are_handed_on_before_they_are_found() {
    let (mut guest, console) = duplex(1 << 10);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let log = SerialLog::builder()
        .on_line(move |line| sink.lock().unwrap().push(line.to_owned()))
        .start(console);
    guest.write_all(b"one\ntwo\nthr").await.unwrap();
    log.wait_for("two", None).await.unwrap();
    assert_eq!(*lines.lock().unwrap(), ["one", "two"]);
    drop(guest);
    log.closed().await;
    assert_eq!(*lines.lock().unwrap(), ["one", "two", "thr"]);
}

#[tokio::test]
async fn the_guest_gets_what_is_sent() {
    let (mut guest, console) = duplex(1 << 10);
    let (output, input) = tokio::io::split(console);
    let log = SerialLog::builder().input(input).start(output);
    log.send(b"root\n").await.unwrap();
    let mut typed = [0; 5];
    guest.read_exact(&mut typed).await.unwrap();
    assert_eq!(&typed, b"root\n");
}

#[tokio::test]
async fn a_console_without_input_can_only_be_read() {
    let (_guest, log) = console();
    assert!(matches!(log.send(b"x").await, Err(Error::ReadOnly)));
}

#[tokio::test]
async fn a_guest_that_has_gone_takes_nothing() {
    let (guest, console) = duplex(1 << 10);
    let (output, input) = tokio::io::split(console);
    let log = SerialLog::builder().input(input).start(output);
    drop(guest);
    assert!(matches!(log.send(b"x").await, Err(Error::Write(_))));
}

#[tokio::test]
async fn the_console_is_read_on_without_a_handle() {
    let (mut guest, log) = console();
    drop(log);
    guest.write_all(&vec![b'\n'; 1 << 20]).await.unwrap();
}
