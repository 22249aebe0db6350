use machine::report::{Failure, Outcome, Recorder};
use machine::trace;
use tracing::Span;
use tracing_subscriber::layer::SubscriberExt as _;

/// Markup with visible effects if it is interpreted, and control sequences of terminals.
pub const HOSTILE: &str = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\
     <b>bold</b> &amp; \u{1b}[2J \u{0} \u{202e} {{ title }} \u{fffd}";

/// A PNG image of one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cc`\0\0\0\x02\0\x01H\xaf\xa4q\0\0\0\0IEND\xaeB`\x82";

/// The error id of a failing run.
const FAILURE: u64 = 1;

/// Records the events and spans of `work`.
pub fn record(title: &str, work: impl FnOnce()) -> Recorder {
    let recorder = Recorder::new(title);
    let subscriber = tracing_subscriber::registry().with(recorder.layer());
    tracing::subscriber::with_default(subscriber, work);
    recorder
}

/// A run of two machines whose last step fails.
pub fn failing_run() -> Recorder {
    let recorder = record("web", || {
        group("subtest: the server is up", None, || {
            step(
                "server",
                "waiting for unit nginx.service",
                trace::OK,
                "",
                || {
                    console("server", "Started nginx.service");
                    output("server", "systemctl is-active nginx", 0, "active\n");
                },
            );
            picture("server");
        });
        let error = Some("Exception: client: command `curl` failed");
        group("subtest: the client reaches it", error, || {
            console("client", "the network is up");
            output("client", "ip route", 0, HOSTILE);
            let error = "client: command `curl` failed\n  its output:\n    (7)";
            step("client", "must succeed: curl", trace::FAILED, error, || {
                console("client", HOSTILE);
                output("client", "curl", 7, "curl: (7) no route\n");
                picture("client");
            });
        });
    });
    let message =
        "Traceback:\n  line 7\nException: client: command `curl` failed\n  its output:\n    (7)";
    conclude(&recorder, message);
    recorder
}

/// A run with one step, whose output of 1 000 005 characters is truncated on the page.
pub fn flooded_run() -> Recorder {
    record("flood", || {
        step(
            "server",
            "must succeed: yes",
            trace::FAILED,
            "it broke",
            || {
                output(
                    "server",
                    "yes",
                    1,
                    &format!("begin{}", "y".repeat(1_000_000)),
                );
            },
        );
    })
}

/// A run of three machines with so many steps and console lines. The last step but one fails.
pub fn long_run(steps: usize, lines: usize) -> Recorder {
    let recorder = record("long", || {
        for number in 0..steps {
            let machine = ["one", "other", "third"][number % 3];
            let is_failure = number + 2 == steps;
            let outcome = if is_failure { trace::FAILED } else { trace::OK };
            let error = if is_failure { "it broke" } else { "" };
            step(
                machine,
                &format!("must succeed: make test-{number}"),
                outcome,
                error,
                || {
                    for line in lines * number / steps..lines * (number + 1) / steps {
                        console(
                            machine,
                            &format!("[{line:>12}] systemd[1]: Started unit-{line}.service"),
                        );
                    }
                    output(machine, &format!("make test-{number}"), 0, "test ok\n");
                },
            );
        }
    });
    conclude(&recorder, "it broke");
    recorder
}

fn conclude(recorder: &Recorder, message: &str) {
    let failure = Failure::new(message, Some(FAILURE), false);
    recorder.conclude(Outcome::Failed, Some(failure));
}

fn end(span: &Span, outcome: &str, error: &str) {
    let error_id = (outcome == trace::FAILED).then_some(FAILURE);
    tracing::record_all!(span, outcome = outcome, error = error, error_id = error_id);
}

fn group(what: &str, error: Option<&str>, inside: impl FnOnce()) {
    let span = trace::step(None, None, what);
    span.in_scope(inside);
    let outcome = if error.is_some() {
        trace::FAILED
    } else {
        trace::OK
    };
    end(&span, outcome, error.unwrap_or_default());
}

fn step(machine: &str, what: &str, outcome: &str, error: &str, inside: impl FnOnce()) {
    let span = trace::step(Some(machine), None, what);
    span.in_scope(inside);
    end(&span, outcome, error);
}

fn console(machine: &str, line: &str) {
    tracing::debug!(target: trace::CONSOLE, machine, "{line}");
}

fn output(machine: &str, command: &str, status: i32, output: &str) {
    tracing::debug!(target: trace::OUTPUT, machine, command, status, output);
}

fn picture(machine: &str) {
    let (text, words) = ("login:", r#"[["login:",0,0,1,1,95.0]]"#);
    tracing::trace!(target: trace::SCREEN, machine, png = PNG, text, words);
}
