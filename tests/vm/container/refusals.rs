use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use machine::{Container, ContainerCommand};
use vm_tests::{container_root, other_test, show_steps};

/// The first line of an error's message.
fn line(error: &machine::Error) -> String {
    error.to_string().lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn bad_names_are_refused() {
    let long = Container::new(ContainerCommand::new("n".repeat(64))).unwrap_err();
    assert!(line(&long).contains("at most 63 letters"), "{long}");
    for name in ["", "../x", "-x", "a b"] {
        let error = Container::new(ContainerCommand::new(name)).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs containers"]
async fn bad_roots_are_refused() {
    show_steps();
    let root = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let start = async |command: ContainerCommand| {
        let container = Container::builder(command).tmp_dir(dir.path());
        let error = container.build().unwrap().connect().await.unwrap_err();
        line(&error)
    };
    let new = || ContainerCommand::new("one");
    let error = start(new()).await;
    assert!(error.contains("it has no root: set one by"), "{error}");
    let error = start(new().root_dir("/nothing")).await;
    assert!(
        error.contains("/nothing can't be a guest's root"),
        "{error}"
    );
    let error = start(new().root_dir(root.path())).await;
    assert!(error.contains("it has no init"), "{error}");
    let error = start(new().start_script("/nothing")).await;
    assert!(error.contains("can't find the start script"), "{error}");
    // An init that can't be executed.
    for (dir, file) in [("lib/systemd", "systemd"), ("bin", "bash")] {
        fs::create_dir_all(root.path().join(dir)).unwrap();
        fs::write(root.path().join(dir).join(file), "").unwrap();
    }
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::create_dir(root.path().join("usr")).unwrap();
    let error = start(new().root_dir(root.path())).await;
    assert!(error.contains("systemd-nspawn has ended"), "{error}");
    // An option that systemd-nspawn does not know.
    let error = start(new().root_dir(container_root()).args(["--no-such-option"])).await;
    assert!(error.contains("systemd-nspawn has ended"), "{error}");
    let left = fs::read_dir(dir.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["shared-xchg"]);
}

#[test]
#[ignore = "needs containers"]
fn a_host_that_lacks_something_is_named() {
    let bin = tempfile::tempdir().unwrap();
    fs::set_permissions(bin.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let run = |test: &mut std::process::Command, expected: &[&str]| {
        let output = test.output().unwrap();
        let output = [output.stdout, output.stderr].concat();
        let output = String::from_utf8_lossy(&output);
        for expected in expected {
            assert!(output.contains(expected), "{expected}: {output}");
        }
    };
    let starts = || other_test("container::refusals::starts");
    run(
        starts().env("VICTIM", "1").env("PATH", bin.path()),
        &["systemd-nspawn is not in PATH (Debian's package systemd-container has it)"],
    );
    // The binary may be where other users may not look, so it gives up root itself.
    run(
        starts().env("VICTIM", "nobody").uid(65534),
        &[
            "systemd-nspawn needs root: run the test as root, or by `systemd-run --user --scope \
             --property=Delegate=yes -- unshare --user --map-auto --map-root-user -- COMMAND`, \
             which fails here because ",
            "/etc/subuid gives nobody no 65536 ids, and /etc/subgid gives nobody no 65536 ids",
        ],
    );
}

#[tokio::test]
#[ignore = "run by a_host_that_lacks_something_is_named"]
#[expect(clippy::print_stdout, reason = "the other test reads it")]
async fn starts() {
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    let container = Container::new(ContainerCommand::new("one").root_dir("/"));
    println!("{}", container.unwrap().start().await.unwrap_err());
}
