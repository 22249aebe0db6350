//! Retention in memory and on disk.

use serial_log::{MAX_LINE, SerialLog, Spool};
use tokio::io::{AsyncWriteExt as _, duplex};

use super::{MINUTE, console, print};

#[tokio::test]
async fn disk_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(dir.path().join("console.log")).unwrap();
    let (mut guest, console) = duplex(1 << 16);
    let log = SerialLog::builder().memory(0).spool(spool).start(console);
    let mut all = String::new();
    for n in 0..200_000 {
        let line = format!("line number {n}\n");
        guest.write_all(line.as_bytes()).await.unwrap();
        all += &line;
    }
    guest.write_all(b"login: ").await.unwrap();
    log.wait_for("login: ", MINUTE).await.unwrap();
    all += "login: ";

    let text = log.text().await;
    assert_eq!(text.missing, 0);
    assert!(
        text.text == all,
        "the log has {} bytes, not {}",
        text.text.len(),
        all.len()
    );
    assert!(std::fs::read(dir.path().join("console.log")).unwrap() == all.as_bytes());
}

#[tokio::test]
async fn memory_keeps_only_the_end() {
    let (mut guest, console) = duplex(1 << 16);
    let log = SerialLog::builder().memory(0).start(console);
    guest.write_all(b"forgotten\n").await.unwrap();
    for _ in 0..40_000 {
        guest
            .write_all(b"what fills the memory, line by line\n")
            .await
            .unwrap();
    }
    drop(guest);
    log.closed().await;
    let text = log.text().await;
    assert_eq!(text.missing + text.text.len() as u64, 10 + 40_000 * 36);
    assert!((1 << 19..=1 << 20).contains(&text.text.len()));
    assert!(log.wait_for("forgotten", None).await.is_err());
    let found = log.wait_for("fills", None).await.unwrap();
    assert_eq!(found.line, (text.missing - 10) / 36 + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_search_does_not_block_the_log() {
    let (all_read, wait_until_all_is_read) = std::sync::mpsc::channel();
    let (mut guest, console) = duplex(1 << 16);
    let log = SerialLog::builder()
        .on_line(move |line| {
            if line == "last" {
                all_read.send(()).unwrap();
            }
        })
        .start(console);
    let searching = log.clone();
    let wait = tokio::spawn(async move {
        let mut first = true;
        let wait = searching.wait_with("the last line", None, move |text| {
            if std::mem::take(&mut first) {
                wait_until_all_is_read.recv().unwrap();
            }
            text.find("last").map(|n| n..n + 4)
        });
        wait.await
    });
    for _ in 0..10_000 {
        guest.write_all(&[b'\n'; 1000]).await.unwrap();
    }
    guest.write_all(b"last\n").await.unwrap();
    assert_eq!(wait.await.unwrap().unwrap().line, 10_000_001);
}

#[tokio::test]
async fn last_lines_include_the_unfinished_one() {
    let (mut guest, log) = console();
    print(&mut guest, "one\r\ntwo\r\n$ ").await;
    assert_eq!(log.last_lines(2), ["two", "$ "]);
}

#[tokio::test]
async fn a_line_that_never_ends_is_split() {
    let (mut guest, log) = console();
    let feed = async {
        for _ in 0..100 {
            guest.write_all(&[b'#'; 10_000]).await.unwrap();
        }
        guest.write_all(b"!").await.unwrap();
    };
    let (found, ()) = tokio::join!(log.wait_for("#!", MINUTE), feed);
    assert_eq!(found.unwrap().line, 1_000_000 / MAX_LINE as u64 + 1);
}
