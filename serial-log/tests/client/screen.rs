//! The screen of a terminal on the console.

use serial_log::{Error, SerialLog};

use super::{MINUTE, NOW, console, print};

/// A boot loader's menu: boxes and entries at positions, the cursor on the first.
const MENU: &str = "\x1b[2J\x1b[2;30HGNU GRUB\x1b[5;4H*First\x1b[6;5HSecond\x1b[5;5H";

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_the_screen_shows_it() {
    let (mut guest, log) = console();
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.wait_for_screen(r"^ +\*Second$", MINUTE).await }
    });
    print(&mut guest, MENU).await;
    assert!(!waiting.is_finished());
    assert!(
        log.screen().contains("   *First\n    Second\n"),
        "{}",
        log.screen()
    );
    print(&mut guest, "\x1b[5;4H \x1b[6;4H*").await;
    assert_eq!(waiting.await.unwrap().unwrap(), "   *Second");
}

#[tokio::test(start_paused = true)]
async fn errors_show_the_screen() {
    let (mut guest, log) = console();
    print(&mut guest, MENU).await;
    let error = log.wait_for_screen("Third", MINUTE).await.unwrap_err();
    assert!(matches!(error, Error::NotOnScreen { .. }), "{error}");
    let shown = "screen of the console's terminal; it shows:\n    \n";
    let message = error.to_string();
    assert!(
        message.contains(shown) && message.contains("    *First"),
        "{message}"
    );
    let error = log.wait_for("Third", NOW).await.unwrap_err();
    assert!(
        error.last_lines().iter().any(|row| row == "   *First"),
        "{error}"
    );
    assert!(log.wait_for_screen("(", NOW).await.is_err());
    drop(guest);
    let error = log.wait_for_screen("Third", None).await.unwrap_err();
    assert!(matches!(error, Error::Ended { .. }), "{error}");
}

#[tokio::test]
async fn a_screen_continues() {
    let (mut guest, log) = console();
    print(&mut guest, MENU).await;
    let (mut again, console) = tokio::io::duplex(1 << 16);
    let log_text = "the earlier log\n";
    let other = SerialLog::builder()
        .screen(log.screen_state(), log_text.len())
        .start(console);
    print(&mut again, log_text).await;
    assert_eq!(other.screen(), log.screen());
    print(&mut again, "\x1b[1;1Hnew").await;
    assert!(other.screen().starts_with("new\n"), "{}", other.screen());
    other.set_screen_state(&log.screen_state());
    assert_eq!(other.screen(), log.screen());
}
