//! Waits that find a match.

use std::time::Duration;

use serial_log::SerialLog;
use tokio::time::Instant;

use super::support::settle;
use super::{MINUTE, NOW, console, print};

#[tokio::test]
async fn text_before_the_wait() {
    let (mut guest, log) = console();
    print(&mut guest, "one\ntwo\n").await;
    let found = log.wait_for("t.o", NOW).await.unwrap();
    assert_eq!((found.text.as_str(), found.line), ("two", 2));
}

#[tokio::test(start_paused = true)]
async fn later_text_without_delay() {
    let (mut guest, log) = console();
    let start = Instant::now();
    let wait = tokio::spawn(async move { log.wait_for("ready", MINUTE).await });
    settle().await;
    print(&mut guest, "not yet\nrea").await;
    assert!(!wait.is_finished());
    print(&mut guest, "dy").await;
    assert_eq!(wait.await.unwrap().unwrap().text, "ready");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_prompt() {
    let (mut guest, log) = console();
    print(&mut guest, "\r\nvm login: ").await;
    let found = log.wait_for("login: ", NOW).await.unwrap();
    assert_eq!(found.line, 2);
}

#[tokio::test]
async fn text_over_several_lines() {
    let (mut guest, log) = console();
    print(&mut guest, "Call Trace:\r\n <TASK>\r\n foo+0x1\r\nafter").await;
    let found = log.wait_for(r"Trace:\n.*\n foo\S+$", NOW).await.unwrap();
    assert_eq!(found.text, "Trace:\n <TASK>\n foo+0x1");
}

#[tokio::test]
async fn no_end_of_an_unfinished_line() {
    let (mut guest, log) = console();
    print(&mut guest, "disk1").await;
    for pattern in ["disk1$", r"disk1\b", r"disk1\z"] {
        assert!(log.wait_for(pattern, NOW).await.is_err(), "{pattern}");
    }
    print(&mut guest, "2\ndisk1\n").await;
    assert_eq!(log.wait_for("disk1$", NOW).await.unwrap().line, 2);
}

#[tokio::test]
async fn each_match_once() {
    let (mut guest, log) = console();
    print(&mut guest, "job done, job done\njob done\n").await;
    let mut lines = Vec::new();
    while let Ok(found) = log.wait_for("job done", NOW).await {
        lines.push(found.line);
    }
    assert_eq!(lines, [1, 1, 2]);
}

#[tokio::test]
async fn the_same_text_in_concurrent_waits() {
    let (mut guest, log) = console();
    let (one, two) = tokio::join!(log.wait_for("b", MINUTE), async {
        let two = log.wait_for("a\nb", MINUTE);
        let feed = async {
            print(&mut guest, "a\n").await;
            print(&mut guest, "b\nc").await;
        };
        tokio::join!(two, feed).0
    });
    assert_eq!(
        (one.unwrap().text.as_str(), two.unwrap().text.as_str()),
        ("b", "a\nb")
    );
    assert!(log.wait_for("[ab]", NOW).await.is_err());
    log.wait_for("c", NOW).await.unwrap();
}

/// The clones' cursors are independent.
#[tokio::test]
async fn every_match_on_each_clone() {
    let (mut guest, log) = console();
    let all_of = |log: SerialLog, pattern: &'static str| {
        tokio::spawn(async move {
            let mut found = Vec::new();
            while let Ok(matched) = log.wait_for(pattern, None).await {
                found.push(matched.text);
            }
            found
        })
    };
    let (a, b) = (all_of(log.clone(), r"A\d"), all_of(log.clone(), r"B\d"));
    settle().await;
    print(&mut guest, "A1 A2 A3 B1 B2 B3 A4 B4\n").await;
    drop(guest);
    assert_eq!(a.await.unwrap(), ["A1", "A2", "A3", "A4"]);
    assert_eq!(b.await.unwrap(), ["B1", "B2", "B3", "B4"]);
    log.wait_for("A1", NOW).await.unwrap();
    // A clone continues where its original is.
    assert!(log.clone().wait_for("A1", NOW).await.is_err());
}

#[tokio::test]
async fn text_between_escape_sequences() {
    let (mut guest, log) = console();
    let boot = "[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mssh\x1b[0m.\r\n";
    let prompt = "\x1b]0;root@vm: ~\x07\x1b[01;32mroot@vm\x1b[00m:\x1b[01;34m~\x1b[00m# ";
    print(&mut guest, format!("{boot}{prompt}")).await;
    for (pattern, text, line) in [
        (r"^\[  OK  \] Started ssh\.$", "[  OK  ] Started ssh.", 1),
        (r"^root@vm:~# ", "root@vm:~# ", 2),
    ] {
        let found = log.wait_for(pattern, NOW).await.unwrap();
        assert_eq!((found.text.as_str(), found.line), (text, line));
    }
    // The whole match was consumed.
    assert!(log.wait_for("root", NOW).await.is_err());
    print(&mut guest, "\x1b[7mre\x1b[mverse").await;
    let found = log.wait_with("reverse", NOW, |text| {
        let start = text.find("reverse")?;
        Some(start..start + 7)
    });
    assert_eq!(found.await.unwrap().text, "reverse");
}

#[tokio::test]
async fn an_escape_sequence() {
    let (mut guest, log) = console();
    print(&mut guest, "a\x1b[2Jb\x1b[2Jab").await;
    let found = log.wait_for(r"\x1b\[2J", NOW).await.unwrap();
    assert_eq!(found.text, "\x1b[2J");
    // The first of both.
    assert_eq!(log.wait_for("b.*a", NOW).await.unwrap().text, "b\x1b[2Ja");
}

/// A sequence that has not arrived completely hides nothing that follows.
#[tokio::test]
async fn text_after_a_cut_escape_sequence() {
    let (mut guest, log) = console();
    print(&mut guest, "login\x1b[3").await;
    assert!(log.wait_for("login: ", NOW).await.is_err());
    print(
        &mut guest,
        "1m: \n\x1b]0;a title without an end\nlogin again\n",
    )
    .await;
    assert_eq!(log.wait_for("login: ", NOW).await.unwrap().text, "login: ");
    log.wait_for("^login again", NOW).await.unwrap();
}

#[tokio::test]
async fn with_a_closure() {
    let (mut guest, log) = console();
    let mut seen = Vec::new();
    let wait = log.wait_with("the end", MINUTE, |text| {
        seen.push(text.to_owned());
        let end = text.find("end\n")?;
        Some(end..end + 3)
    });
    let feed = async {
        settle().await;
        print(&mut guest, "begin\n").await;
        print(&mut guest, "the end").await;
        print(&mut guest, "\nmore").await;
    };
    let found = tokio::join!(wait, feed).0.unwrap();
    assert_eq!((found.text.as_str(), found.line), ("end", 2));
    assert_eq!(
        seen,
        ["", "begin\n", "begin\nthe end", "begin\nthe end\nmore"]
    );
    log.wait_for(r"^more|\nmore", NOW).await.unwrap();
}
