//! This project's waits.

use std::time::{Duration, Instant};

use machine::{Machine, Unit};
use tokio::time::timeout;

use super::figures::{Figures, STATISTICS};
use super::kinds::{Kind, Wait};
use super::{ROUNDS, STILL, WAITING, event, passed};

pub(crate) async fn measure(vm: &Machine, kind: &Kind) -> Figures {
    let mut latencies = Vec::new();
    for round in 1..=ROUNDS {
        let (command, marker) = event(kind, round);
        vm.succeed(command).await.unwrap();
        let happened = async {
            vm.wait_for_console_text(&marker).await.unwrap();
            Instant::now()
        };
        let ended = async {
            wait(vm, kind.wait, round).await.unwrap();
            Instant::now()
        };
        let (happened, ended) = tokio::join!(happened, ended);
        let mut latency = ended.saturating_duration_since(happened);
        if let Wait::StillScreen = kind.wait {
            latency = latency.saturating_sub(STILL);
        }
        latencies.push(latency);
    }
    prepare_in_vain(vm, kind.wait).await.unwrap();
    // A user's manager reports to PID 1 once a second that a unit is being started, say.
    let idle = vm.succeed(STATISTICS).await.unwrap();
    passed(WAITING).await;
    let before = vm.succeed(STATISTICS).await.unwrap();
    // A wait that times out would collect the evidence of it, too.
    let waited = timeout(WAITING, wait_in_vain(vm, kind.wait)).await;
    waited.expect_err(kind.name);
    let after = vm.succeed(STATISTICS).await.unwrap();
    Figures::new(latencies, [idle, before, after])
}

/// Prepares what [`wait_in_vain`] waits for.
async fn prepare_in_vain(vm: &Machine, kind: Wait) -> machine::Result<()> {
    let prepare = match kind {
        Wait::ClosedPort => {
            "perl -e 'use Socket; socket(S, PF_INET, SOCK_STREAM, 0); \
             bind(S, sockaddr_in(7099, INADDR_LOOPBACK)); listen(S, 5); \
             exit if fork; sleep 60' >&2 </dev/null"
        }
        Wait::Unit | Wait::Job => {
            "systemctl -q is-active never || systemctl start --no-block never || \
             systemd-run --no-block --unit=never -p Type=notify sleep 1d 2>&1"
        }
        Wait::UserUnit => {
            "printf '[Service]\nType=notify\nExecStart=sleep 1d\n' \
             >/run/systemd/user/never.service"
        }
        Wait::X => "systemctl stop xorg; rm -f /tmp/.X11-unix/X0",
        _ => return Ok(()),
    };
    vm.succeed(prepare).await?;
    if let Wait::UserUnit = kind {
        for query in ["daemon-reload", "start --no-block never"] {
            vm.systemctl(query, Some("alice")).await?;
        }
    }
    Ok(())
}

/// Waits for what does not happen.
async fn wait_in_vain(vm: &Machine, kind: Wait) -> machine::Result<()> {
    match kind {
        Wait::ClosedPort => vm.wait_for_closed_port(7099).await,
        Wait::Fails => vm.wait_until_fails("grep root /etc/passwd").await.map(drop),
        Wait::Unit | Wait::Job => vm.wait_for_unit("never").await,
        Wait::UserUnit => vm.wait_for_unit(Unit::of_user("alice", "never")).await,
        Wait::StillScreen => vm.wait_for_still_screen(Duration::from_hours(1)).await,
        _ => wait(vm, kind, 99).await,
    }
}

async fn wait(vm: &Machine, kind: Wait, n: usize) -> machine::Result<()> {
    let port = 6000 + u16::try_from(n).unwrap();
    match kind {
        Wait::File => vm.wait_for_file(&format!("/run/e{n}")).await,
        Wait::Port => vm.wait_for_open_port(port).await,
        Wait::ClosedPort => vm.wait_for_closed_port(port + 1000).await,
        Wait::UnixSocket => {
            let path = format!("/run/socket{n}");
            vm.wait_for_open_unix_socket(&path, false).await
        }
        Wait::Succeeds => {
            let waited = vm.wait_until_succeeds(format!("test -e /run/s{n}"));
            waited.await.map(drop)
        }
        Wait::SucceedsWithPrograms => {
            let waited = vm.wait_until_succeeds(format!("grep there /run/p{n} 2>&1"));
            waited.await.map(drop)
        }
        Wait::Fails => {
            let waited = vm.wait_until_fails(format!("grep there /run/f{n} 2>&1"));
            waited.await.map(drop)
        }
        Wait::Job => vm.wait_for_job(format!("j{n}.service")).await,
        Wait::UserUnit => {
            let unit = format!("v{n}.service");
            vm.wait_for_unit(Unit::of_user("alice", unit)).await
        }
        Wait::Unit => vm.wait_for_unit(format!("u{n}.service")).await,
        Wait::Tty => vm.wait_until_tty_matches("1", &format!("text{n}$")).await,
        Wait::Retry => {
            let exists = format!("test -e /run/r{n}");
            let exists = async || Ok(vm.execute(exists.as_str()).await?.success());
            vm.retry("the file", exists).await
        }
        Wait::Window => vm.wait_for_window(&format!("window{n}$")).await,
        Wait::X => vm.wait_for_x().await,
        Wait::Text => vm.wait_for_text(&format!("number{n}")).await,
        Wait::StillScreen => vm.wait_for_still_screen(STILL).await,
        Wait::Script(wait) => panic!("{wait} is a wait of a script"),
    }
}
