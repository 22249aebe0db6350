//! Consoles recorded from QEMU 7.2 with `-nographic -serial stdio`.

mod support;

use std::time::Duration;

use serial_log::{Error, LineCodec, SerialLog, printable};
use support::lines;

/// A Debian 12 kernel without a root file system: firmware, boot, panic.
const KERNEL: &[u8] = include_bytes!("transcripts/kernel-panic.raw");

/// Firmware without a boot device: escape sequences, and an unfinished last
/// line.
const FIRMWARE: &[u8] = include_bytes!("transcripts/seabios.raw");

const NOW: Option<Duration> = Some(Duration::ZERO);

#[test]
fn any_split_gives_the_same_lines() {
    for transcript in [KERNEL, FIRMWARE] {
        let whole = lines(LineCodec::new(), [transcript]);
        for size in [1, 2, 3, 7, 61, 1000] {
            assert_eq!(lines(LineCodec::new(), transcript.chunks(size)), whole);
        }
    }
}

#[test]
fn lines_of_a_kernel() {
    let lines = lines(LineCodec::new(), [KERNEL]);
    assert_eq!(lines.len(), KERNEL.split(|&b| b == b'\n').count() - 1);
    assert!(
        lines[9].ends_with("Command line: console=ttyS0 panic=-1"),
        "{}",
        lines[9]
    );
    assert!(lines.iter().all(|line| !line.contains(['\r', '\u{FFFD}'])));
}

#[test]
fn terminal_controls_of_a_firmware_are_escaped() {
    let lines = lines(LineCodec::new(), [FIRMWARE]);
    assert_eq!(
        printable(&lines[0]),
        r"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS (version 1.16.2-debian-1.16.2-1)"
    );
    let shown = lines.iter().map(|line| printable(line)).collect::<String>();
    assert!(shown.contains("iPXE initialising devices...ok"));
    assert!(!shown.contains(char::is_control));
}

#[tokio::test]
async fn waits_follow_a_boot_to_its_panic() {
    let log = SerialLog::new(KERNEL);
    log.closed().await;
    let version = log.wait_for(r"Linux version \S+", NOW).await.unwrap();
    assert_eq!(
        (version.text.as_str(), version.line),
        ("Linux version 6.1.0-56-cloud-amd64", 9)
    );
    let panic = log
        .wait_for("Kernel panic - not syncing: (.*)$", NOW)
        .await
        .unwrap();
    assert!(panic.text.ends_with("unknown-block(0,0)"), "{}", panic.text);
    let trace = log
        .wait_for(r"(?s)Call Trace:.*</TASK>", NOW)
        .await
        .unwrap();
    assert!(trace.line > panic.line);
    assert!(trace.text.lines().count() > 5);
    let error = log.wait_for("Linux version", NOW).await.unwrap_err();
    assert!(matches!(error, Error::Ended { .. }));
    assert!(error.last_lines()[9].contains("Kernel Offset"));
}
