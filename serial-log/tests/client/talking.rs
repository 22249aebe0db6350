//! Callbacks for lines, and sending bytes.

use std::sync::{Arc, Mutex};

use serial_log::{Error, MAX_LINE, SerialLog};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_stream::StreamExt;

use super::{console, print};

#[tokio::test]
async fn on_line_is_called_before_a_wait_finds_the_line() {
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
async fn the_guest_receives_sent_bytes() {
    let (mut guest, console) = duplex(1 << 10);
    let (output, input) = tokio::io::split(console);
    let log = SerialLog::builder().input(input).start(output);
    log.send(b"root\n").await.unwrap();
    let mut typed = [0; 5];
    guest.read_exact(&mut typed).await.unwrap();
    assert_eq!(&typed, b"root\n");
}

#[tokio::test]
async fn a_console_without_input_is_read_only() {
    let (_guest, log) = console();
    assert!(matches!(log.send(b"x").await, Err(Error::ReadOnly)));
}

#[tokio::test]
async fn sending_to_a_closed_console_fails() {
    let (guest, console) = duplex(1 << 10);
    let (output, input) = tokio::io::split(console);
    let log = SerialLog::builder().input(input).start(output);
    drop(guest);
    assert!(matches!(log.send(b"x").await, Err(Error::Write(_))));
}

#[tokio::test]
async fn the_console_is_read_without_a_handle() {
    let (mut guest, log) = console();
    drop(log);
    guest.write_all(&vec![b'\n'; 1 << 20]).await.unwrap();
}

/// Neither the end of the console nor the limit of a line's length adds to the text.
#[tokio::test]
async fn a_follower_gets_only_what_was_sent() {
    let (mut guest, log) = console();
    let mut follow = log.follow();
    let sent = format!("one\n{}\nno end", "x".repeat(3 * MAX_LINE));
    let feed = async {
        guest.write_all(sent.as_bytes()).await.unwrap();
        drop(guest);
    };
    let received = async {
        let mut received = String::new();
        while let Some(text) = follow.next().await {
            received += &text;
        }
        received
    };
    let (received, ()) = tokio::join!(received, feed);
    assert!(
        received == sent,
        "{} bytes of {}",
        received.len(),
        sent.len()
    );
    let from_start: Vec<String> = log.follow_from_start().collect().await;
    assert!(from_start.concat() == sent);
}

#[tokio::test]
async fn a_follower_gets_the_text_from_then_on() {
    let (mut guest, log) = console();
    print(&mut guest, "before\n").await;
    let mut follow = log.follow();
    print(&mut guest, "one\nt").await;
    assert_eq!(follow.next().await.as_deref(), Some("one\nt"));
    print(&mut guest, "wo\n").await;
    drop(guest);
    log.closed().await;
    assert_eq!(follow.next().await.as_deref(), Some("wo\n"));
    assert_eq!(follow.next().await, None);
    assert_eq!(follow.next().await, None);
}
