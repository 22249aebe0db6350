//! The clients against a scripted QEMU at the other end of a pipe.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures_util::StreamExt as _;
use qmp_mon::{Error, ErrorClass, Hmp, Qmp};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, duplex};

/// QEMU's end of a monitor.
struct Qemu(BufReader<DuplexStream>);

impl Qemu {
    async fn says(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    async fn hears(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    /// Takes a command with its fence, and answers as QEMU's line editor does.
    async fn replies(&mut self, command: &str, reply: &str) {
        assert_eq!(self.hears().await, command);
        let fence = self.hears().await;
        self.says(format!("{}{reply}(qemu) ", echo(command))).await;
        self.says(format!(
            "{}unknown command: '{fence}'\r\n(qemu) ",
            echo(&fence)
        ))
        .await;
    }
}

fn echo(line: &str) -> String {
    let typed = (1..=line.len())
        .map(|typed| format!("{}{}\x1b[K", "\x1b[D".repeat(typed - 1), &line[..typed]));
    typed.collect::<String>() + "\r\n"
}

async fn hmp() -> (Hmp, Qemu) {
    let (ours, theirs) = duplex(1 << 20);
    let mut qemu = Qemu(BufReader::new(theirs));
    qemu.says("QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ")
        .await;
    (Hmp::connect(ours).await.unwrap(), qemu)
}

#[tokio::test]
async fn hmp_commands() {
    let (hmp, mut qemu) = hmp().await;
    assert!(hmp.greeting().starts_with("QEMU 7.2.22"));
    for (command, reply, text) in [
        (
            "info status",
            "VM status: running\r\n",
            "VM status: running\n",
        ),
        ("stop", "", ""),
        ("info qtree", "one\r\n  two\r\n", "one\n  two\n"),
        ("tricky", "a\r\n(qemu) \r\n(qemu) b", "a\n(qemu) \n(qemu) b"),
    ] {
        let (replied, ()) = tokio::join!(hmp.command(command), qemu.replies(command, reply));
        assert_eq!(replied.unwrap(), text, "{command}");
    }
}

#[tokio::test]
async fn hmp_closed_in_mid_reply() {
    let (hmp, mut qemu) = hmp().await;
    let closes = async {
        qemu.hears().await;
        qemu.says(echo("info status") + "VM sta").await;
        drop(qemu);
    };
    let (replied, ()) = tokio::join!(hmp.command("info status"), closes);
    assert!(matches!(replied, Err(Error::Closed)), "{replied:?}");
    assert!(matches!(
        hmp.command("info status").await,
        Err(Error::Closed)
    ));
}

#[tokio::test]
async fn hmp_a_dropped_command_does_no_harm() {
    let (hmp, mut qemu) = hmp().await;
    tokio::select! {
        biased;
        result = hmp.command("slow") => panic!("{result:?}"),
        () = std::future::ready(()) => {} // the command is sent, and nothing comes
    }
    let qemu_goes_on = async {
        qemu.replies("slow", "the slow one's\r\n").await;
        qemu.replies("quick", "the quick one's\r\n").await;
    };
    let (replied, ()) = tokio::join!(hmp.command("quick"), qemu_goes_on);
    assert_eq!(replied.unwrap(), "the quick one's\n");
}

#[tokio::test]
async fn hmp_refuses_what_its_line_editor_would_act_on() {
    let (hmp, _qemu) = hmp().await;
    for command in ["a\nb", "info\tstatus", "\u{1b}[A", "a\0"] {
        let refused = hmp.command(command).await;
        assert!(
            matches!(refused, Err(Error::ControlCharacter { .. })),
            "{refused:?}"
        );
    }
    let refused = hmp.command(&"x".repeat(4096)).await;
    assert!(matches!(
        refused,
        Err(Error::CommandTooLong {
            length: 4096,
            limit: 4095
        })
    ));
}

#[tokio::test]
async fn hmp_somewhere_else() {
    let (ours, mut theirs) = duplex(1024);
    theirs.write_all(b"{\"QMP\": {}}\r\n").await.unwrap();
    let error = Hmp::connect(ours).await.unwrap_err();
    assert!(matches!(error, Error::Unexpected { .. }), "{error}");
}

async fn qmp() -> (Qmp, Qemu) {
    let (ours, theirs) = duplex(1 << 20);
    let mut qemu = Qemu(BufReader::new(theirs));
    let negotiates = async {
        qemu.says("{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n")
            .await;
        assert_eq!(
            qemu.hears().await,
            r#"{"execute":"qmp_capabilities","id":1}"#
        );
        qemu.says("{\"return\": {}, \"id\": 1}\r\n").await;
    };
    let (qmp, ()) = tokio::join!(Qmp::connect(ours), negotiates);
    (qmp.unwrap(), qemu)
}

fn event(name: &str) -> String {
    format!("{{\"timestamp\": {{\"seconds\": 1, \"microseconds\": 2}}, \"event\": \"{name}\"}}\r\n")
}

#[tokio::test]
async fn qmp_results_errors_and_events() {
    let (qmp, mut qemu) = qmp().await;
    let mut events = qmp.events();
    let answers = async {
        assert_eq!(qemu.hears().await, r#"{"execute":"a","id":2}"#);
        assert_eq!(
            qemu.hears().await,
            r#"{"execute":"b","arguments":{"x":1},"id":3}"#
        );
        qemu.says(event("STOP")).await;
        // Out of order.
        qemu.says("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 3}\r\n")
            .await;
        qemu.says(event("RESUME")).await;
        qemu.says("{\"return\": null, \"id\": 2}\r\n").await;
    };
    let (a, b, ()) = tokio::join!(
        qmp.execute("a", Value::Null),
        qmp.execute("b", json!({ "x": 1 })),
        answers
    );
    assert_eq!(a.unwrap(), Value::Null);
    let Err(Error::Refused {
        command,
        class,
        desc,
    }) = b
    else {
        panic!("{b:?}")
    };
    assert_eq!(
        (command.as_str(), class, desc.as_str()),
        ("b", ErrorClass::GenericError, "no")
    );
    assert_eq!(events.next().await.unwrap().unwrap().name, "STOP");
    assert_eq!(events.wait_for("RESUME").await.unwrap().name, "RESUME");
}

#[tokio::test]
async fn qmp_closed_ends_everything() {
    let (qmp, mut qemu) = qmp().await;
    let mut events = qmp.events();
    let closes = async {
        qemu.hears().await;
        qemu.says("{\"return\": ").await;
        drop(qemu);
    };
    let (pending, ()) = tokio::join!(qmp.execute("quit", Value::Null), closes);
    assert!(matches!(pending, Err(Error::Closed)), "{pending:?}");
    assert!(matches!(
        events.wait_for("SHUTDOWN").await,
        Err(Error::Closed)
    ));
    assert!(matches!(
        qmp.execute("x", Value::Null).await,
        Err(Error::Closed)
    ));
    assert!(qmp.events().next().await.is_none());
}

#[tokio::test]
async fn qmp_who_is_slow_is_told_what_is_lost() {
    let (qmp, mut qemu) = qmp().await;
    let mut events = qmp.events();
    let floods = async {
        for _ in 0..2000 {
            qemu.says(event("STOP")).await;
        }
        qemu.hears().await;
        qemu.says("{\"return\": {}, \"id\": 2}\r\n").await;
    };
    // The answer comes behind the events: they have all been read.
    let (done, ()) = tokio::join!(qmp.execute("x", Value::Null), floods);
    done.unwrap();
    let first = events.next().await.unwrap();
    assert!(
        matches!(first, Err(Error::Lagged { missed }) if missed >= 900),
        "{first:?}"
    );
    assert_eq!(events.next().await.unwrap().unwrap().name, "STOP");
}

#[tokio::test]
async fn qmp_garbage() {
    let (qmp, mut qemu) = qmp().await;
    let garbage = async {
        qemu.hears().await;
        qemu.says("this is no JSON\r\n").await;
    };
    let (pending, ()) = tokio::join!(qmp.execute("x", Value::Null), garbage);
    assert!(
        matches!(pending, Err(Error::Unexpected { .. })),
        "{pending:?}"
    );
}
