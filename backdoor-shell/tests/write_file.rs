//! Files into a real bash on this host, with its own `dd` and with busybox's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guest;

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use backdoor_shell::Error;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio::time::timeout;

use crate::guest::{BACKDOOR, Guest, guest, noise};

const PIECE: usize = 1024 * 1024;

/// A guest for each available set of tools, and a directory for its files.
async fn guests() -> Vec<(Guest, TempDir)> {
    let mut guests = vec![(guest(BACKDOOR).await, tempfile::tempdir().unwrap())];
    let busybox = Path::new("/bin/busybox");
    if busybox.exists() {
        let dir = tempfile::tempdir().unwrap();
        let tools = dir.path().join("its tools");
        std::fs::create_dir(&tools).unwrap();
        for tool in ["base64", "cat", "dd", "sleep", "wc"] {
            std::os::unix::fs::symlink(busybox, tools.join(tool)).unwrap();
        }
        let backdoor = BACKDOOR.replace("exec bash", "exec /bin/bash");
        let backdoor = format!("PATH='{}'; {backdoor}", tools.display());
        guests.push((guest(&backdoor).await, dir));
    }
    guests
}

fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

async fn is_in_step(guest: &mut Guest) {
    let output = guest.shell.run("echo in step").await.unwrap();
    assert_eq!(output.text(), "in step\n");
}

#[tokio::test]
async fn files_of_every_size_arrive_exactly() {
    let content = noise(5_000_000);
    for (mut guest, dir) in guests().await {
        let path = dir.path().join("file");
        for size in [
            content.len(),
            0,
            1,
            2,
            3,
            PIECE - 1,
            PIECE,
            PIECE + 1,
            2 * PIECE,
        ] {
            is_in_step(&mut guest).await;
            let written = guest
                .shell
                .write_file(bytes_of(&path), &mut &content[..size])
                .await
                .unwrap();
            assert_eq!(written, size as u64);
            assert!(std::fs::read(&path).unwrap() == content[..size], "{size}");
        }
        is_in_step(&mut guest).await;
    }
}

#[tokio::test]
async fn every_byte_and_what_looks_like_the_protocol() {
    let every: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    for content in [
        &every[..],
        b"\n\n\n",
        b"\r\n\x03\x04\x1a\x11\x13",
        b"\n@e 0000000000000000 1 0\n",
        b"\n0000000000000000 0\n",
    ] {
        for (mut guest, dir) in guests().await {
            let path = dir.path().join("file");
            let to = bytes_of(&path);
            guest.shell.write_file(to, &mut &*content).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content);
            is_in_step(&mut guest).await;
        }
    }
}

#[tokio::test]
async fn any_file_name() {
    for (mut guest, dir) in guests().await {
        for name in [
            &b"with spaces "[..],
            b" 'single' \"double\" `back` $HOME $(false) !! \\",
            b"two\nlines\n",
            b"-n",
            b"--",
            b"&1",
            b"*",
            "日本".as_bytes(),
            b"\x01\x7f\x80\xff",
        ] {
            let path = dir.path().join(OsStr::from_bytes(name));
            let to = bytes_of(&path);
            guest.shell.write_file(to, &mut &name[..]).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), name);
        }
        is_in_step(&mut guest).await;
    }
}

#[tokio::test]
async fn a_relative_name_that_looks_like_an_option() {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = guest(&format!("cd '{}'; {BACKDOOR}", dir.path().display())).await;
    guest.shell.write_file("-rf", &mut &b"x"[..]).await.unwrap();
    assert_eq!(std::fs::read(dir.path().join("-rf")).unwrap(), b"x");
}

#[tokio::test]
async fn a_nul_in_the_name_is_refused_and_the_shell_stays_usable() {
    let mut guest = guest(BACKDOOR).await;
    let refused = guest.shell.write_file("a\0b", &mut &b""[..]).await;

    let error = refused.unwrap_err();
    assert!(
        matches!(&error, Error::NulInPath { path } if path == "a\\0b"),
        "{error}"
    );
    is_in_step(&mut guest).await;
}

#[tokio::test]
async fn files_that_the_guest_refuses() {
    let content = noise(3 * PIECE + 5);
    for (mut guest, dir) in guests().await {
        let no_directory = dir.path().join("none/a: b\nfile");
        for (path, why) in [
            (no_directory.as_path(), "No such file or directory"),
            (dir.path(), "Is a directory"),
            (Path::new(""), "No such file or directory"),
            (Path::new("/dev/full"), "No space left on device"),
        ] {
            for size in [1, PIECE, content.len()] {
                let mut reader = &content[..size];
                let to = bytes_of(path);
                let error = guest.shell.write_file(to, &mut reader).await.unwrap_err();
                let Error::File {
                    path: named,
                    reason,
                } = &error
                else {
                    panic!("{error}");
                };
                assert_eq!((named.as_bytes(), reason.as_str()), (to, why));
                is_in_step(&mut guest).await;
            }
        }
        // An empty file is never written to the device.
        let written = guest.shell.write_file("/dev/full", &mut &b""[..]).await;
        assert_eq!(written.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_refused_file_is_not_read_to_its_end() {
    let mut guest = guest(BACKDOOR).await;
    let endless = &mut tokio::io::repeat(0);
    let error = guest.shell.write_file("/dev/full", endless).await;
    assert!(matches!(error, Err(Error::File { .. })));
    is_in_step(&mut guest).await;

    // Nor is a silent reader waited for if the file can't be created.
    let (_held, mut silent) = tokio::io::duplex(1);
    let error = guest.shell.write_file("/", &mut silent).await;
    assert!(matches!(error, Err(Error::File { .. })));
    is_in_step(&mut guest).await;
}

struct Failing;

impl AsyncRead for Failing {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

#[tokio::test]
async fn a_reader_that_fails() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let mut guest = guest(BACKDOOR).await;
    let content = noise(PIECE + 7);
    let mut reader = content.as_slice().chain(Failing);
    let error = guest.shell.write_file(bytes_of(&path), &mut reader).await;
    let error = error.unwrap_err();
    let Error::Read { source, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(source.to_string(), "timed out");
    is_in_step(&mut guest).await;
}

#[tokio::test]
async fn a_future_dropped_anywhere_leaves_the_shell_in_step() {
    let content = noise(3 * PIECE);
    for (mut guest, dir) in guests().await {
        let path = dir.path().join("file");
        for polls in 0..40 {
            let to = bytes_of(&path);
            let mut reader = &content[..];
            let mut writing = Box::pin(guest.shell.write_file(to, &mut reader));
            for _ in 0..polls {
                let quick = timeout(Duration::from_micros(100), &mut writing);
                if quick.await.is_ok() {
                    break;
                }
            }
            drop(writing);
            is_in_step(&mut guest).await;
            let part = std::fs::read(&path).unwrap_or_default();
            assert!(content.starts_with(&part), "a file of {} bytes", part.len());
        }
        let to = bytes_of(&path);
        guest.shell.write_file(to, &mut &*content).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == content);
    }
}

#[tokio::test]
async fn a_dropped_command_is_stopped_before_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let mut guest = guest(BACKDOOR).await;
    let abandoned = guest.shell.run("sleep 1000");
    timeout(Duration::from_millis(50), abandoned)
        .await
        .unwrap_err();
    let to = bytes_of(&path);
    guest.shell.write_file(to, &mut &b"x"[..]).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"x");
}

#[tokio::test]
async fn tools_missing() {
    for (tools, why) in [
        (&[][..], "dd, cat or base64 is not installed"),
        (&["dd"], "dd, cat or base64 is not installed"),
        (&["dd", "cat"], "dd, cat or base64 is not installed"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (path, marker) = (dir.path().join("file"), dir.path().join("marker"));
        for tool in tools {
            std::os::unix::fs::symlink(format!("/bin/{tool}"), dir.path().join(tool)).unwrap();
        }
        let backdoor = BACKDOOR.replace("exec bash", "exec /bin/bash");
        let mut guest = guest(&format!("PATH='{}'; {backdoor}", dir.path().display())).await;
        let hostile = format!("\n>{}\n", marker.display()).repeat(1000);
        let to = bytes_of(&path);
        let refused = guest.shell.write_file(to, &mut hostile.as_bytes()).await;
        let error = refused.unwrap_err();
        assert!(error.to_string().ends_with(why), "{error}");
        is_in_step(&mut guest).await;
        assert!(!marker.exists());
    }
}

#[tokio::test]
async fn a_line_closed_during_a_file() {
    let mut guest = guest(BACKDOOR).await;
    guest.process.start_kill().unwrap();
    let endless = &mut tokio::io::repeat(0);
    let error = guest.shell.write_file("/dev/null", endless).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    assert!(error.to_string().contains("/dev/null"), "{error}");
}

/// When a shell is killed, its successor reads the remaining input.
#[tokio::test]
async fn no_byte_of_a_file_is_a_command_to_another_shell() {
    let dir = tempfile::tempdir().unwrap();
    let (fifo, marker) = (dir.path().join("fifo"), dir.path().join("marker"));
    let mut guest =
        guest("while true; do echo 'Spawning backdoor root shell...'; bash --norc; done").await;
    let agent = guest.shell.run("echo ${$#0}").await.unwrap().text();
    let made = format!("mkfifo '{}'", fifo.display());
    assert!(guest.shell.run(made).await.unwrap().success());

    let hostile = format!("\n>{}\n", marker.display()).repeat(100_000);
    let mut hostile = hostile.as_bytes();
    // The FIFO is never read, so the agent blocks and the line is full.
    let fifo_end = std::fs::File::options().read(true).write(true).open(&fifo);
    let _held = fifo_end.unwrap();
    let mut writing = Box::pin(guest.shell.write_file(bytes_of(&fifo), &mut hostile));
    timeout(Duration::from_millis(300), &mut writing)
        .await
        .unwrap_err();
    let mut kill = tokio::process::Command::new("kill");
    assert!(
        kill.args(["-9", agent.trim()])
            .status()
            .await
            .unwrap()
            .success()
    );
    let error = writing.await.unwrap_err();
    assert!(matches!(error, Error::Restarted { .. }), "{error}");
    guest.shell.connect(|_| ()).await.unwrap();
    is_in_step(&mut guest).await;
    assert!(!marker.exists());
}

/// The agent's `dd` continues to read when the agent is killed, here without an end.
#[tokio::test]
async fn a_reader_that_outlives_its_agent_takes_no_input_from_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let (dd, running) = (dir.path().join("dd"), dir.path().join("dd runs"));
    std::fs::write(&dd, "#!/bin/sh\n: >\"$0 runs\"\nexec cat >/dev/null\n").unwrap();
    std::fs::set_permissions(&dd, Permissions::from_mode(0o755)).unwrap();
    let mut guest = guest(&format!(
        "PATH={}:$PATH
        while true; do echo 'Spawning backdoor root shell...'; bash --norc; done",
        dir.path().display()
    ))
    .await;
    let agent = guest.shell.run("echo ${$#0}").await.unwrap().text();
    let made = format!("mkfifo '{}'", running.display());
    assert!(guest.shell.run(made).await.unwrap().success());

    let mut endless = tokio::io::repeat(b'x');
    let killed = async {
        // Until `dd` has opened it, too.
        tokio::fs::read(running).await.unwrap();
        let mut kill = tokio::process::Command::new("kill");
        kill.args(["-9", agent.trim()]).status().await.unwrap()
    };
    let writing = guest.shell.write_file("/dev/null", &mut endless);
    let (written, killed) = tokio::join!(writing, killed);
    assert!(killed.success());
    let error = written.unwrap_err();
    assert!(matches!(error, Error::Restarted { .. }), "{error}");
    guest.shell.connect(|_| ()).await.unwrap();
    is_in_step(&mut guest).await;
}
