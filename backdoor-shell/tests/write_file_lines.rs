//! Files into bash over different kinds of lines.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guest;

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use backdoor_shell::{Encoding, Error, Event, Nonce, Request, Shell};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::time::timeout;

use crate::guest::{BACKDOOR, agent, noise};

/// Like a virtio console, from which bash may read more than a line at once.
#[tokio::test]
async fn a_terminal() {
    let pty = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&pty).unwrap();
    unlockpt(&pty).unwrap();
    let name = ptsname(&pty, Vec::new()).unwrap();
    let terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let _bash = tokio::process::Command::new("bash")
        .args(["-c", &format!("stty raw -echo; {BACKDOOR}")])
        .stdin(terminal.try_clone().unwrap())
        .stdout(terminal)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pty = std::fs::File::from(pty);
    let line = tokio::io::join(
        tokio::fs::File::from_std(pty.try_clone().unwrap()),
        tokio::fs::File::from_std(pty),
    );
    let mut shell = Shell::new(line);
    shell.connect(|_| ()).await.unwrap();

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let to = path.as_os_str().as_bytes();
    let content = noise(2_500_000);
    for size in [0, 1, 3000, content.len()] {
        shell.write_file(to, &mut &content[..size]).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == content[..size], "{size}");
    }
    let error = shell.write_file("/dev/full", &mut &*content).await;
    assert!(matches!(error, Err(Error::File { .. })), "{error:?}");
    for milliseconds in [0, 1, 10, 50, 100] {
        let mut reader = &*content;
        let writing = shell.write_file(to, &mut reader);
        let _ = timeout(Duration::from_millis(milliseconds), writing).await;
        let output = shell.run("echo in step").await.unwrap();
        assert_eq!(output.text(), "in step\n");
        assert!(content.starts_with(&std::fs::read(&path).unwrap()));
    }
}

/// Neither side blocks the other while the guest prints.
#[tokio::test]
async fn a_slow_line_and_a_guest_that_prints() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let printer = format!("while echo 'the guest prints'; do :; done & {BACKDOOR}");
    let mut bash = tokio::process::Command::new("bash")
        .args(["-c", &printer])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (host, guest) = tokio::io::duplex(64);
    let (mut from_host, mut to_host) = tokio::io::split(guest);
    let (mut input, mut output) = (bash.stdin.take().unwrap(), bash.stdout.take().unwrap());
    tokio::spawn(async move { tokio::io::copy(&mut from_host, &mut input).await });
    tokio::spawn(async move { tokio::io::copy(&mut output, &mut to_host).await });
    let mut shell = Shell::new(host);
    shell.connect(|_| ()).await.unwrap();

    let content = noise(1_200_000);
    shell
        .write_file(path.as_os_str().as_bytes(), &mut &*content)
        .await
        .unwrap();
    assert!(std::fs::read(&path).unwrap() == content);
}

/// As at a virtio port, which this host does not have.
#[tokio::test]
async fn raw_pieces() {
    let (_process, mut line, session) = agent().await;

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    let content = noise(1_000_000);
    let no_space = Bytes::from("No space left on device");
    for (path, status, reason) in [
        (file.as_path(), 0, None),
        (Path::new("/dev/full"), 1, Some(no_space)),
        (file.as_path(), 0, None),
    ] {
        let (nonce, encoding) = (Nonce::random(), Encoding::Raw);
        let put = Request::Put {
            session,
            nonce,
            encoding,
            path: path.as_os_str().as_bytes(),
        };
        line.send(put).await.unwrap();
        assert_eq!(line.next().await.unwrap().unwrap(), Event::Ready(nonce));
        for bytes in content.chunks(123_456).chain([&b""[..]]) {
            let piece = Request::Piece {
                nonce,
                encoding,
                bytes,
            };
            line.feed(piece).await.unwrap();
        }
        line.flush().await.unwrap();
        if let Some(reason) = reason {
            let output = Event::Output(nonce, reason);
            assert_eq!(line.next().await.unwrap().unwrap(), output);
        }
        let end = Event::End {
            nonce,
            status,
            encoder: 0,
        };
        assert_eq!(line.next().await.unwrap().unwrap(), end);
    }
    assert!(std::fs::read(&file).unwrap() == content);
}
