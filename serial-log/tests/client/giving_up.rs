//! Waits that fail.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use serial_log::{Ending, Error, SerialLog};
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf, duplex};
use tokio::time::Instant;

use super::{MINUTE, NOW, console, print};

#[tokio::test]
async fn immediately_on_an_invalid_pattern() {
    let (_guest, log) = console();
    let error = log.wait_for("(unclosed", None).await.unwrap_err();
    assert!(matches!(error, Error::InvalidPattern { .. }));
    assert!(error.to_string().contains("unclosed group"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn on_timeout_without_moving_the_cursor() {
    let (mut guest, log) = console();
    print(&mut guest, "first\n\x1b[31mlogin: ").await;
    let start = Instant::now();
    let error = log.wait_for("never", MINUTE).await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 60);
    assert_eq!(
        error.to_string(),
        "waited 60s for `never` on the console; its last lines:\n    first\n    login: "
    );
    log.wait_for("first", NOW).await.unwrap();
}

#[tokio::test]
async fn at_the_end_of_the_log_after_searching_all_of_it() {
    let (mut guest, log) = console();
    guest.write_all(b"one\ntwo").await.unwrap();
    drop(guest);
    log.wait_for("two$", None).await.unwrap();
    let error = log.wait_for("one", None).await.unwrap_err();
    assert!(matches!(
        error,
        Error::Ended {
            ending: Ending::Closed,
            ..
        }
    ));
    assert_eq!(error.last_lines(), ["one", "two"]);
    assert!(matches!(log.closed().await, Ending::Closed));
}

#[tokio::test]
async fn when_reading_fails() {
    struct Broken;
    impl AsyncRead for Broken {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::Error::other("unplugged")))
        }
    }
    let log = SerialLog::new(Broken);
    let error = log.wait_for("a", None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "waited for `a` on the console, but reading it failed: unplugged; it printed nothing"
    );
}

#[tokio::test]
async fn when_the_reader_panics() {
    let (mut guest, console) = duplex(64);
    let log = SerialLog::builder()
        .on_line(|_| panic!("on purpose"))
        .start(console);
    guest.write_all(b"one\n").await.unwrap();
    let error = log.wait_for("two", None).await.unwrap_err();
    assert!(matches!(
        error,
        Error::Ended {
            ending: Ending::Panicked,
            ..
        }
    ));
    assert_eq!(error.last_lines(), ["one"]);
}

#[tokio::test]
async fn with_a_panic_that_names_the_place_of_a_wrong_range() {
    let (mut guest, log) = console();
    print(&mut guest, "é").await;
    for range in [0..1, 2..99] {
        let [one, other] = [log.clone(), log.clone()];
        let ranges = [range.clone(), range];
        let [found, shown] = ranges.map(|range| move |_: &str| Some(range.clone()));
        let in_text = tokio::spawn(async move { one.wait_with("all", MINUTE, found).await });
        let on_screen =
            tokio::spawn(async move { other.wait_for_screen_with("all", MINUTE, shown).await });
        let errors = [in_text.await.unwrap_err(), on_screen.await.unwrap_err()];
        for error in errors {
            let panic = error.into_panic();
            let message = panic.downcast_ref::<String>().unwrap();
            assert!(message.contains("giving_up.rs:"), "{message}");
        }
    }
}

/// A line without newlines that does not move the cursor to other rows.
#[tokio::test]
async fn with_lines_as_they_are_seen() {
    let (mut guest, log) = console();
    let screen = "\x1b[K\x1b[44m Install \x1b[0m".repeat(100);
    print(&mut guest, format!("{screen}\n")).await;
    let error = log.wait_for("never", NOW).await.unwrap_err();
    let [line] = error.last_lines() else {
        panic!("{error}")
    };
    assert!(
        line.starts_with(" Install  Install ") && line.chars().count() <= 201,
        "{line}"
    );
}

#[tokio::test]
async fn a_dropped_wait_does_not_move_the_cursor() {
    let (mut guest, log) = console();
    {
        let mut wait = Box::pin(log.wait_for("two", None));
        tokio::select! {
            biased;
            _ = &mut wait => panic!("there is no match yet"),
            () = print(&mut guest, "one\n") => {}
        }
        print(&mut guest, "two\n").await;
    }
    log.wait_for("one\ntwo", NOW).await.unwrap();
}
