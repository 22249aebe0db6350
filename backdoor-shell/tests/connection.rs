//! The end, the restart and the sharing of a connection with a real bash.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guest;

use std::fmt::Display;
use std::time::Duration;

use backdoor_shell::{Command, Error, SharedShell, Shell};

use crate::guest::{AT_A_PORT, BACKDOOR, bash, guest};

/// A backdoor that is restarted by its service.
const RESPAWNING: &str = "while true; do echo 'Spawning backdoor root shell...'; bash --norc; done";

/// A command that kills the agent, and the worker that would send the command's end.
fn kill_with_worker(agent: impl Display) -> String {
    format!("read -r _ _ _ worker _ </proc/$BASHPID/stat; kill -9 {agent} -- -$worker")
}

#[tokio::test]
async fn shell_closed_during_a_command() {
    let mut guest = guest(BACKDOOR).await;
    let agent = guest.process.id().unwrap();
    let error = guest.shell.run(kill_with_worker(agent)).await.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    assert!(error.to_string().contains("kill -9"), "{error}");
}

/// The shell is used first after its bash is gone.
#[tokio::test]
async fn a_closed_line() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        let abandoned = guest.shell.run("exec sleep 5");
        let abandoned = tokio::time::timeout(Duration::from_millis(100), abandoned);
        abandoned.await.unwrap_err();
        // Its worker, which holds the line, too.
        let agent = guest.process.id().unwrap();
        let kill = format!("kill -9 {agent} -$(pgrep -P {agent})");
        let killed = tokio::process::Command::new("bash")
            .args(["-c", &kill])
            .status();
        assert!(killed.await.unwrap().success());

        let error = guest.shell.run("echo mine").await.unwrap_err();
        assert!(matches!(error, Error::Closed { .. }), "{error}");
        assert!(error.to_string().contains("running `echo mine`"), "{error}");
        assert!(!guest.shell.is_connected());
        let error = guest.shell.connect(|_| ()).await.unwrap_err();
        assert!(matches!(error, Error::Closed { .. }), "{error}");
        let error = guest
            .shell
            .write_file("/mine", &mut &b""[..])
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Closed { .. }), "{error}");
        assert!(error.to_string().contains("writing /mine"), "{error}");
    }
}

#[tokio::test]
async fn shell_restarted_by_its_service() {
    let mut guest = guest(RESPAWNING).await;
    // Not `$$`, for which the command would get a new bash.
    let inner = guest.shell.run("printf %s ${$#0}").await.unwrap().text();
    let error = guest.shell.run(kill_with_worker(inner)).await.unwrap_err();
    assert!(matches!(error, Error::Restarted { .. }), "{error}");
    assert!(matches!(
        guest.shell.run("true").await,
        Err(Error::NotConnected)
    ));
    guest.shell.connect(|_| ()).await.unwrap();
    assert_eq!(guest.shell.run("echo back").await.unwrap().text(), "back\n");
}

/// The greeting of the new shell follows incomplete base64.
#[tokio::test]
async fn shell_restarted_during_output() {
    let mut guest = guest(RESPAWNING).await;
    let inner = guest.shell.run("printf %s ${$#0}").await.unwrap().text();
    // More than a pipe's capacity, so that the encoder still runs.
    let output = format!("head -c 200000 /dev/zero; {}", kill_with_worker(inner));
    let error = guest.shell.run(output).await.unwrap_err();
    assert!(matches!(error, Error::Restarted { .. }), "{error}");
    guest.shell.connect(|_| ()).await.unwrap();
    assert_eq!(guest.shell.run("echo back").await.unwrap().text(), "back\n");
}

/// The worker of an agent that was killed writes to the line of the next one.
#[tokio::test]
async fn a_worker_of_an_earlier_agent_does_not_damage_later_output() {
    let mut guest = guest(RESPAWNING).await;
    for earlier in [
        "sleep 0.3",
        "sleep 0.3; echo late",
        "while echo flood; do sleep 0.05; done",
    ] {
        let agent = guest.shell.run("printf %s ${$#0}").await.unwrap().text();
        let abandoned = guest.shell.run(format!("echo some >&2; {earlier}"));
        tokio::time::timeout(Duration::from_millis(100), abandoned)
            .await
            .unwrap_err();
        guest.shell.disconnect();
        std::process::Command::new("kill")
            .args(["-9", &agent])
            .status()
            .unwrap();
        guest.shell.connect(|_| ()).await.unwrap();
        let long = "for i in {1..20}; do head -c 20000 /dev/zero; sleep 0.05; done";
        let output = guest.shell.run(long).await.unwrap();
        assert_eq!(output.stdout, vec![0; 400_000], "{earlier}");
    }
}

#[tokio::test]
async fn a_bash_that_does_not_greet() {
    let (mut process, line) = bash(&["--norc"]);
    let mut shell = Shell::new(line).without_greeting();
    shell.connect(|_| ()).await.unwrap();
    assert_eq!(shell.run("echo $((6 * 7))").await.unwrap().text(), "42\n");
    // The stream can be taken back.
    let (line, port) = shell.into_inner();
    drop((line, port));
    assert!(process.wait().await.unwrap().success());
}

#[tokio::test]
async fn tasks_that_share_a_shell_queue() {
    let guest = guest(BACKDOOR).await;
    let shell = SharedShell::new(guest.shell);
    let tasks: Vec<_> = (0..5)
        .map(|number| {
            let shell = shell.clone();
            tokio::spawn(async move { shell.run(format!("echo {number}")).await })
        })
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap().unwrap().text(), format!("{number}\n"));
    }
    // The time in the queue does not count.
    let slow = shell.run("sleep 0.5");
    let quick = shell.run(Command::new("echo quick").timeout(Duration::from_millis(400)));
    let (slow, quick) = tokio::join!(slow, quick);
    assert!(slow.unwrap().success());
    assert_eq!(quick.unwrap().text(), "quick\n");
    shell.lock().await.disconnect();
    assert!(matches!(shell.run("true").await, Err(Error::NotConnected)));
}
