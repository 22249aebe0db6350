//! Commands of a real bash that are stopped at any moment.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guest;

use std::time::{Duration, Instant};

use backdoor_shell::{Event, Nonce, Request, ShellCodec, Signal};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::timeout;
use tokio_util::codec::Framed;

use crate::guest::{Line, agent, children, signal};

/// Whatever the agent is doing with a command, it stops it, and goes on.
#[tokio::test]
async fn a_command_that_is_stopped_at_any_moment() {
    let (_process, mut line, session) = agent().await;
    // Bash may lose a SIGTERM while it forks, so it does not fork.
    let short = "exec sleep 1000";
    let long = format!(": {}; {short}", "x".repeat(90_000));
    for round in 0..40 {
        for (signal, status) in [(Signal::Term, 143), (Signal::Kill, 137)] {
            let script = if round % 4 == 0 { &*long } else { short };
            let nonce = start(&mut line, session, script).await;
            pass(round * Duration::from_micros(100)).await;
            stop(&mut line, session, nonce, signal).await;
            assert_eq!(end(&mut line, nonce).await, status, "{round} {signal:?}");
        }
    }
}

/// The same while the worker is stopped.
#[tokio::test]
async fn a_command_whose_worker_is_stopped_at_any_moment() {
    let (process, mut line, session) = agent().await;
    for round in 0..40 {
        let first = start(&mut line, session, "true").await;
        assert_eq!(end(&mut line, first).await, 0);
        let workers = children(&process.id().unwrap().to_string());
        let worker = workers.split_whitespace().next_back().unwrap();
        let nonce = start(&mut line, session, "exec sleep 1000").await;
        pass(round * Duration::from_micros(50)).await;
        signal(worker, rustix::process::Signal::STOP);
        stop(&mut line, session, nonce, Signal::Term).await;
        // 137: the worker was taken for ended before it got the command.
        let status = end(&mut line, nonce).await;
        assert!([137, 143].contains(&status), "{round}: {status}");
    }
}

type AgentLine = Framed<Line, ShellCodec>;

async fn start(line: &mut AgentLine, session: Nonce, script: &str) -> Nonce {
    let nonce = Nonce::random();
    line.send(Request::Run {
        session,
        nonce,
        script,
    })
    .await
    .unwrap();
    nonce
}

async fn stop(line: &mut AgentLine, session: Nonce, nonce: Nonce, signal: Signal) {
    line.send(Request::Stop {
        session,
        nonce,
        signal,
    })
    .await
    .unwrap();
}

/// The status of a command. The end of the one before may be sent twice: by its process that was
/// killed, too.
async fn end(line: &mut AgentLine, nonce: Nonce) -> i32 {
    loop {
        let event = timeout(Duration::from_secs(30), line.next()).await;
        match event.unwrap().unwrap().unwrap() {
            Event::End {
                nonce: it, status, ..
            } if it == nonce => return status,
            Event::End { .. } => (),
            event => panic!("{event:?}"),
        }
    }
}

async fn pass(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        tokio::task::yield_now().await;
    }
}
