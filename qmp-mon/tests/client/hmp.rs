//! The human monitor's client.

use qmp_mon::{Error, Hmp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::readline::{GREETING, PROMPT, Readline, printed};
use super::{NARROW, started};

/// QEMU's end of a human monitor.
struct Qemu {
    stream: DuplexStream,
    readline: Readline,
}

impl Qemu {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads a byte and echoes it.
    async fn typed(&mut self) -> (u8, Option<String>) {
        let byte = self.stream.read_u8().await.unwrap();
        let (echo, line) = self.readline.typed(byte);
        self.send(echo).await;
        (byte, line)
    }

    /// Reads the next command.
    async fn command(&mut self) -> String {
        loop {
            if let (_, Some(line)) = self.typed().await {
                return line;
            }
        }
    }

    /// Replies to it, and reads the bytes typed ahead.
    async fn replies(&mut self, text: &str) {
        self.send(printed(text) + PROMPT).await;
        self.reads_ahead().await;
    }

    async fn reads_ahead(&mut self) {
        while self.typed().await.0 != 0x17 {}
    }
}

async fn connected() -> (Hmp, Qemu) {
    let (ours, stream) = tokio::io::duplex(NARROW);
    let mut qemu = Qemu {
        stream,
        readline: Readline::default(),
    };
    let greeting = qemu.send(format!("{GREETING}{PROMPT}"));
    let (hmp, ()) = tokio::join!(Hmp::connect(ours), greeting);
    (hmp.unwrap(), qemu)
}

#[tokio::test]
async fn replies_are_exact() {
    let (hmp, mut qemu) = connected().await;
    assert_eq!(hmp.version().to_string(), "7.2.22");
    for text in [
        "",
        "VM status: running\n",
        "(qemu) ",
        "a\n(qemu) b\n(qemu) \n",
        "no newline",
    ] {
        let (reply, ()) = tokio::join!(hmp.command("info status"), async {
            assert_eq!(qemu.command().await, "info status");
            qemu.replies(text).await;
        });
        assert_eq!(reply.unwrap(), text);
    }
}

#[tokio::test]
async fn concurrent_commands_run_one_after_the_other() {
    let (hmp, mut qemu) = connected().await;
    let (first, second) = (hmp.clone(), hmp);
    let (first, second, ()) =
        tokio::join!(first.command("first"), second.command("second"), async {
            for _ in 0..2 {
                let command = qemu.command().await;
                qemu.replies(&format!("reply to {command}")).await;
            }
        });
    assert_eq!(
        (first.unwrap(), second.unwrap()),
        ("reply to first".into(), "reply to second".into())
    );
}

#[tokio::test]
async fn a_dropped_command_does_not_affect_the_next_one() {
    let (hmp, mut qemu) = connected().await;
    let dropped = started(hmp.command("dropped in mid-reply")).await;
    assert_eq!(qemu.command().await, "dropped in mid-reply");
    qemu.send("half of ").await;
    drop(dropped);
    let (reply, ()) = tokio::join!(hmp.command("next"), async {
        qemu.replies("its reply").await;
        assert_eq!(qemu.command().await, "next");
        qemu.replies("the next one's").await;
    });
    assert_eq!(reply.unwrap(), "the next one's");
}

#[tokio::test]
async fn a_queued_command_that_is_dropped_is_not_sent() {
    let (hmp, mut qemu) = connected().await;
    let mut first = started(hmp.command("first")).await;
    let dropped = started(hmp.command("dropped")).await;
    let mut third = started(hmp.command("third")).await;
    assert_eq!(qemu.command().await, "first");
    drop(dropped);
    qemu.replies("1").await;
    assert_eq!(qemu.command().await, "third");
    qemu.replies("3").await;
    assert_eq!((&mut first).await.unwrap(), "1");
    assert_eq!((&mut third).await.unwrap(), "3");
}

#[tokio::test]
async fn closing_during_a_reply_ends_every_command() {
    let (hmp, mut qemu) = connected().await;
    let (cut, waiting, ()) = tokio::join!(hmp.command("cut"), hmp.command("waiting"), async {
        assert_eq!(qemu.command().await, "cut");
        qemu.send("half a re").await;
        drop(qemu);
    });
    let Err(Error::Closed { doing, seen }) = cut else {
        panic!("{cut:?}")
    };
    assert_eq!(
        (&doing[..], &seen[..]),
        ("waiting for the reply to `cut`", "half a re")
    );
    let Err(Error::Closed { doing, seen }) = waiting else {
        panic!("{waiting:?}")
    };
    assert_eq!(
        (&doing[..], &seen[..]),
        ("running the monitor command `waiting`", "")
    );
    assert!(hmp.command("later").await.unwrap_err().is_closed());
    assert!(hmp.closed().await.is_closed());
}

#[tokio::test]
async fn closing_while_idle_is_noticed() {
    let (hmp, qemu) = connected().await;
    let closed = started(hmp.closed()).await;
    drop(qemu);
    assert!(closed.await.is_closed());
}

#[tokio::test]
async fn a_password_is_not_typed_by_mistake() {
    let (hmp, mut qemu) = connected().await;
    let (refused, next, ()) = tokio::join!(
        hmp.command("change vnc password"),
        hmp.command("next"),
        async {
            assert_eq!(qemu.command().await, "change vnc password");
            qemu.readline.reads_password = true;
            qemu.send("Password: ").await;
            qemu.reads_ahead().await;
            assert_eq!(qemu.command().await, "", "the password");
            qemu.readline.reads_password = false;
            qemu.replies("").await;
            assert_eq!(qemu.command().await, "next");
            qemu.replies("in step").await;
        }
    );
    let Err(Error::PasswordPrompt { command }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(command, "change vnc password");
    assert_eq!(next.unwrap(), "in step");
}

#[tokio::test]
async fn an_invalid_line_is_not_sent() {
    let (hmp, mut qemu) = connected().await;
    let refused = hmp.command("info status\nquit").await;
    assert!(
        matches!(refused, Err(Error::BadCommand { .. })),
        "{refused:?}"
    );
    let (reply, ()) = tokio::join!(hmp.command("good"), async {
        assert_eq!(qemu.command().await, "good");
        qemu.replies("").await;
    });
    assert_eq!(reply.unwrap(), "");
}

#[tokio::test]
async fn a_peer_that_is_not_a_human_monitor() {
    let (ours, mut theirs) = tokio::io::duplex(NARROW);
    let greeting = theirs.write_all(b"{\"QMP\": {}}\r\n");
    let (hmp, _) = tokio::join!(Hmp::connect(ours), greeting);
    let Err(Error::Protocol { seen, .. }) = hmp else {
        panic!("{hmp:?}")
    };
    assert_eq!(seen, "{\"QMP\": {}}");

    let (ours, theirs) = tokio::io::duplex(NARROW);
    drop(theirs);
    assert!(matches!(
        Hmp::connect(ours).await,
        Err(Error::Closed { .. })
    ));
}

#[tokio::test]
async fn the_last_handle_closes_the_connection() {
    let (hmp, mut qemu) = connected().await;
    let other = hmp.clone();
    drop(hmp);
    let (reply, ()) = tokio::join!(other.command("still there"), async {
        qemu.command().await;
        qemu.replies("yes").await;
    });
    assert_eq!(reply.unwrap(), "yes");
    drop(other);
    assert_eq!(qemu.stream.read(&mut [0]).await.unwrap(), 0);
}
