use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use machine::{ErrorKind, Machine, serial_log};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use vm_tests::{fresh, minimal};

/// A machine whose kernel prints nothing to the console.
async fn quiet(image: &str) -> Machine {
    let vm = fresh(image).await;
    vm.succeed("dmesg -n 1").await.unwrap();
    vm
}

#[tokio::test]
async fn finds_past_and_future_text() {
    let vm = minimal();
    vm.start().await.unwrap();
    // Without a time limit; each search continues after the last match.
    assert_eq!(
        vm.wait_for_console_text(r"Linux version \d").await.unwrap(),
        "Linux version 6"
    );
    vm.wait_for_console_text("Run /init as init process")
        .await
        .unwrap();
    // A prompt has no newline.
    vm.wait_for_console_text("minimal# ").await.unwrap();
    vm.succeed("dmesg -n 1; echo one >/dev/ttyS0; echo two >/dev/ttyS0")
        .await
        .unwrap();
    let patient = vm.within(Duration::from_mins(1));
    assert_eq!(
        patient.wait_for_console_text(r"one\s+two").await.unwrap(),
        "one\ntwo"
    );
}

#[tokio::test]
async fn a_match_is_consumed() {
    let vm = quiet("systemd").await;
    vm.succeed("echo only once >/dev/ttyS0").await.unwrap();
    vm.wait_for_console_text("only once").await.unwrap();
    let error = vm
        .within(Duration::ZERO)
        .wait_for_console_text("only once")
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let ErrorKind::Console(serial_log::Error::TimedOut { last_lines, .. }) = error.kind() else {
        panic!("{error}")
    };
    assert!(
        last_lines.iter().any(|line| line.contains("only once")),
        "{error}"
    );
}

#[tokio::test]
async fn typing_on_the_console() {
    let vm = fresh("minimal").await;
    // A prompt is an incomplete line; the first was printed before the template was saved.
    vm.send_console("\n").await.unwrap();
    vm.wait_for_console_text("minimal# ").await.unwrap();
    vm.send_console("echo typed: $((6 * 7))\n").await.unwrap();
    vm.wait_for_console_text("typed: 42").await.unwrap();
}

#[tokio::test]
async fn logging_in_on_systemd() {
    let vm = fresh("systemd").await;
    // The first prompt was printed during the boot.
    vm.send_console("\n").await.unwrap();
    vm.wait_for_console_text("login: ").await.unwrap();
    vm.send_console("root\n").await.unwrap();
    vm.wait_for_console_text("root@systemd:~# ").await.unwrap();
}

#[tokio::test]
async fn a_wait_and_a_command_at_once() {
    let vm = quiet("systemd").await;
    vm.connect().await.unwrap();
    let (found, done) = tokio::join!(
        vm.wait_for_console_text("from the command"),
        vm.succeed("sleep 0.2; echo from the command >/dev/ttyS0")
    );
    assert_eq!(found.unwrap(), "from the command");
    done.unwrap();
}

#[tokio::test]
async fn the_whole_log_is_kept() {
    let vm = quiet("minimal").await;
    vm.succeed(
        "echo the beginning >/dev/ttyS0; seq 20000 | sed 's/.*/line & of the flood/' >/dev/ttyS0",
    )
    .await
    .unwrap();
    vm.wait_for_console_text("line 20000 of the flood")
        .await
        .unwrap();
    vm.crash().await.unwrap();
    let log = vm.get_console_log().await.unwrap();
    assert!(log.contains("the beginning"));
    assert_eq!(log.matches("of the flood").count(), 20_000);
    let file = std::fs::read_to_string(vm.state_dir().join("console.log")).unwrap();
    assert_eq!(file, log);
}

#[tokio::test]
async fn bytes_that_are_not_utf_8() {
    let vm = quiet("systemd").await;
    vm.succeed("printf 'bad \\377\\376 bytes\\r\\n' >/dev/ttyS0")
        .await
        .unwrap();
    vm.wait_for_console_text("bad .. bytes").await.unwrap();
}

/// Bash and systemd send colours and titles.
#[tokio::test]
async fn text_between_escape_sequences() {
    let vm = quiet("systemd").await;
    let prompt = r"\033]0;root@host: ~\007\033[01;32mroot@host\033[00m:\033[01;34m~\033[00m# ";
    let ok = r"[\033[0;32m  OK  \033[0m] Started \033[0;1;39mssh\033[0m.\r\n";
    vm.succeed(format!("printf '{ok}{prompt}' >/dev/ttyS0"))
        .await
        .unwrap();
    let vm = vm.within(Duration::from_secs(10));
    let started = vm
        .wait_for_console_text(r"^\[  OK  \] Started ssh\.$")
        .await;
    assert_eq!(started.unwrap(), "[  OK  ] Started ssh.");
    let found = vm.wait_for_console_text_with("a prompt", |text| {
        let start = text.find("root@host:~# ")?;
        Some(start..start + 13)
    });
    assert_eq!(found.await.unwrap(), "root@host:~# ");
}

#[tokio::test]
async fn errors_show_what_is_seen_of_a_full_screen_program() {
    let vm = quiet("systemd").await;
    let screen = r"\033[H\033[2J\033[2;3H\033[44m Install \033[0m";
    vm.succeed(format!(
        "for i in {{1..100}}; do printf '{screen}'; done >/dev/ttyS0; echo >/dev/ttyS0"
    ))
    .await
    .unwrap();
    vm.wait_for_console_text(" Install \n").await.unwrap();
    let soon = vm.within(Duration::from_secs(1));
    let on_console = soon.wait_for_console_text("never").await.unwrap_err();
    let in_guest = soon.wait_until_succeeds("false").await.unwrap_err();
    for error in [on_console.to_string(), in_guest.to_string()] {
        let rows = error.lines().filter(|line| *line == "       Install");
        assert_eq!(rows.count(), 1, "{error}");
        assert!(!error.contains("\\x1b"), "{error}");
        assert!(error.lines().all(|line| line.len() < 300), "{error}");
    }
}

/// Each line is a `DEBUG` event.
#[tokio::test]
async fn console_lines_are_traced_unless_switched_off() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(lines.clone());
    let _here = tracing::subscriber::set_default(subscriber);
    let vm = quiet("systemd").await;
    let print = async |text: &str| {
        vm.succeed(format!("echo {text} >/dev/ttyS0"))
            .await
            .unwrap();
        // The event is emitted at the end of the line.
        vm.wait_for_console_text(&format!("{text}\n"))
            .await
            .unwrap();
    };
    print("first line").await;
    vm.serial_stdout_off();
    print("silent line").await;
    vm.serial_stdout_on();
    print("last line").await;
    let was_traced = |text| {
        lines
            .0
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(text))
    };
    assert!(was_traced("first line") && !was_traced("silent line") && was_traced("last line"));
    assert!(vm.get_console_log().await.unwrap().contains("silent line"));
}

/// The console lines that were emitted as events.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "machine::console" {
            let mut visitor = Message(&self.0);
            event.record(&mut visitor);
        }
    }
}

struct Message<'a>(&'a Mutex<Vec<String>>);

impl Visit for Message<'_> {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        self.0.lock().unwrap().push(format!("{value:?}"));
    }
}
