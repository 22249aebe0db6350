//! Connections to unix sockets.

use std::io;
use std::time::Duration;

use qmp_mon::{Error, Hmp, Qmp};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;

const GREETING: &[u8] = b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ";
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_socket_that_is_created_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mon");
    let later = async {
        let listener = UnixListener::bind(&path).unwrap();
        let (mut qemu, _) = listener.accept().await.unwrap();
        qemu.write_all(GREETING).await.unwrap();
        qemu
    };
    let (hmp, _qemu) = tokio::join!(Hmp::connect_unix(&path, LIMIT), later);
    assert_eq!(hmp.unwrap().version().to_string(), "7.2.22");
}

fn source_of(error: &Error) -> io::ErrorKind {
    match error {
        Error::NoConnection { source, .. } => source.kind(),
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_reason_why_there_is_no_connection() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("qmp");
    let missing = Qmp::connect_unix(&path, LIMIT).await.unwrap_err();
    assert_eq!(source_of(&missing), io::ErrorKind::NotFound);
    let text = missing.to_string();
    assert!(text.contains("/qmp, tried for 60"), "{text}");

    // Accepts the connection, but serves another client.
    let _busy = UnixListener::bind(&path).unwrap();
    let silent = Qmp::connect_unix(&path, LIMIT).await.unwrap_err();
    let source = std::error::Error::source(&silent).unwrap().to_string();
    assert!(source.contains("no greeting"), "{source}");

    let no_dir = path.join("x");
    let unusable = Qmp::connect_unix(no_dir, LIMIT).await.unwrap_err();
    assert_eq!(source_of(&unusable), io::ErrorKind::NotADirectory);
}
