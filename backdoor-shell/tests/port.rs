//! A guest whose shell greets at the port, as [`BACKDOOR`] does in unmodified guests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::OwnedFd;
use std::process::Stdio;

use backdoor_shell::{BACKDOOR, Error, GREETING, Shell};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// A shell at a port, restarted by its service, and the guest's end of the silent console.
fn guest() -> (Shell<UnixStream>, Child, UnixStream) {
    let announce = BACKDOOR
        .lines()
        .filter(|line| line.starts_with("printf") || line.starts_with("echo"))
        .fold(String::new(), |text, line| text + line + "; ");
    let (console, silent) = UnixStream::pair().unwrap();
    let (port, at_port) = UnixStream::pair().unwrap();
    let at_port = at_port.into_std().unwrap();
    at_port.set_nonblocking(false).unwrap();
    let at_port = OwnedFd::from(at_port);
    let bash = Command::new("bash")
        .args(["-c", &format!("while {announce} do bash --norc; done")])
        .stdin(at_port.try_clone().unwrap())
        .stdout(at_port)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    (Shell::new(console).with_port(port), bash, silent)
}

#[tokio::test]
async fn a_greeting_at_the_port_alone_counts() {
    let (mut shell, _bash, _console) = guest();
    let mut lines = Vec::new();
    let greeted = shell.connect(|line| lines.push(line.to_owned()));
    greeted.await.unwrap();
    assert_eq!(lines, [GREETING]);
    // The agent knows that it is at a port: its output is not encoded.
    let on_port = shell.run("echo $__vm_on_port; env | grep -c __vm || :");
    assert_eq!(on_port.await.unwrap().text(), "1\n0\n");
    let long = shell.run("head -c 300000 /dev/zero").await.unwrap();
    assert_eq!(long.stdout, vec![0; 300_000]);
    shell
        .write_file("/dev/null", &mut &*vec![0; 100_000])
        .await
        .unwrap();
}

/// The shell is killed with the job of its command, which leaves unencoded output without
/// an end.
#[tokio::test]
async fn a_shell_that_was_killed_returns() {
    let (mut shell, _bash, _console) = guest();
    shell.connect(|_| ()).await.unwrap();
    let agent = shell.run("printf %s ${$#0}").await.unwrap().text();
    for output in [
        "",
        "head -c 200000 /dev/zero; ",
        "printf %0500d 1; sleep 1.5; ",
    ] {
        let killed =
            format!("{output}read -r _ _ _ job _ </proc/$BASHPID/stat; kill -9 ${{$#0}} -- -$job");
        let error = shell.run(killed).await.unwrap_err();
        assert!(
            matches!(error, Error::Restarted { .. }),
            "{output}: {error}"
        );
        shell.connect(|_| ()).await.unwrap();
        let another = shell.run("printf %s ${$#0}").await.unwrap().text();
        assert_ne!(agent, another, "{output}");
    }
    // Its text in the output of a command is not a new shell.
    let text = format!(
        "printf %s {}; sleep 1.2; seq 1000",
        backdoor_shell::quote(BACKDOOR).unwrap()
    );
    assert!(shell.run(text).await.unwrap().text().contains(GREETING));
}

#[tokio::test]
async fn after_a_disconnection_the_next_greeting_counts() {
    let (mut shell, _bash, _console) = guest();
    shell.connect(|_| ()).await.unwrap();
    let agent = shell.run("printf %s ${$#0}").await.unwrap().text();
    shell.disconnect();
    Command::new("kill")
        .args(["-9", &agent])
        .status()
        .await
        .unwrap();
    shell.connect(|_| ()).await.unwrap();
    assert_eq!(shell.run("echo back").await.unwrap().text(), "back\n");
}
