//! The program `vmwright`.

/// What it says about mistakes, without machines.
mod mistakes;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use vm_tests::{program, repository, start_script, unpacked_kernel};

use crate::driver::terminal::User;
use crate::guests::{WITHOUT_CLOUD_INIT, quick_image};
use crate::linux::roots::{install_busybox, oci_layout};

/// `vmwright TASK` with Debian's kernel.
fn vmwright(task: &str, kernel: &TempDir) -> Command {
    let mut command = Command::new(program("vmwright"));
    command.arg(task).arg("--kernel");
    command.arg(kernel.path().join("boot/vmlinuz"));
    command
}

fn output_of(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // The guest may not read all of it.
    let _ = writer.join().unwrap();
    output
}

#[test]
fn a_command_has_its_own_streams_status_and_files() {
    let kernel = unpacked_kernel();
    let dir = tempfile::tempdir().unwrap();
    let [input, copied] = ["in", "copied"].map(|name| dir.path().join(name));
    fs::write(&input, "into the guest").unwrap();
    fs::create_dir(&copied).unwrap();
    // Longer than what a pipe and a port hold, in bytes that a terminal would change.
    let sent: Vec<u8> = (0..1_000_000_u32).map(|it| it.to_le_bytes()[1]).collect();
    let script = "cat; echo \"$VAR\" >/dev/stderr; mkdir /root/out; cp /root/a /root/out; exit 3";
    let mut run = vmwright("run", &kernel);
    run.arg("--host-root").args(["--env", "VAR=a  'b'"]);
    run.arg("--copy-in")
        .arg(format!("{}:/root/a", input.display()));
    run.arg("--copy-out")
        .arg(format!("/root/out:{}", copied.display()));
    run.args(["--", "sh", "-c", script]);
    let output = output_of(&mut run, &sent);
    let stderr = String::from_utf8_lossy(&output.stderr);
    // On a slow host, there is a warning about the boot before it.
    assert!(stderr.ends_with("a  'b'\n"), "{stderr}");
    assert!(output.stdout == sent, "{} bytes", output.stdout.len());
    assert_eq!(output.status.code(), Some(3));
    let copy = fs::read_to_string(copied.join("out/a")).unwrap();
    assert_eq!(copy, "into the guest");
}

/// The first machine boots. The others continue from its template.
#[test]
fn commands_in_a_cloud_image() {
    let dir = tempfile::tempdir().unwrap();
    let image = quick_image(&start_script("cloud"), dir.path(), WITHOUT_CLOUD_INIT);
    let cache = dir.path().join("cache");
    for (command, status, printed) in [
        (&["sh", "-c", "id -un; exit 3"][..], 3, "root\n"),
        (&["/etc/passwd"], 126, ""),
        (&["no-such-command"], 127, ""),
        (&["sh", "-c", "kill -9 $$"], 128 + 9, ""),
    ] {
        let mut run = Command::new(program("vmwright"));
        run.args(["run", "--image"]).arg(&image);
        run.arg("--").args(command).env("XDG_CACHE_HOME", &cache);
        let output = output_of(&mut run, b"");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{command:?}: {stderr}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), printed);
    }
}

#[test]
fn a_crate_is_tested_as_root() {
    let kernel = unpacked_kernel();
    let dir = tempfile::tempdir().unwrap();
    let example = repository().join("vmwright/examples/as_root");
    fs::create_dir(dir.path().join("src")).unwrap();
    for file in ["Cargo.toml", "src/lib.rs"] {
        fs::copy(example.join(file), dir.path().join(file)).unwrap();
    }
    let run = vmwright("run", &kernel);
    let words = run.get_args().map(|word| word.to_str().unwrap());
    let words: Vec<&str> = words.collect();
    let runner = format!(
        "{} {} --host-root --",
        program("vmwright").display(),
        words.join(" ")
    );
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "--offline", "--tests"])
        .current_dir(dir.path())
        .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", runner)
        .env("CARGO_TARGET_DIR", dir.path().join("target"))
        .env("AS_ROOT_FAILS", "1");
    let output = output_of(&mut cargo, b"");
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(101), "{printed}{errors}");
    assert!(printed.contains("3 passed; 1 failed"), "{printed}{errors}");
    assert!(!Path::new("/etc/as-root").exists());
}

#[test]
fn a_terminal() {
    let kernel = unpacked_kernel();
    let mut run = vmwright("run", &kernel);
    run.arg("--host-root");
    let script = "stty size; tty; trap 'stty size' WINCH; while sleep 0.1; do :; done";
    run.args(["--", "sh", "-c", script]);
    let mut user = User::of(&run);
    user.sees("33 99\r\n/dev/hvc0\r\n");
    user.resizes(44, 111);
    user.sees("44 111\r\n");
    // As the kernel shows it.
    user.types("\x03");
    user.sees("^C");
    assert_eq!(user.exit_code(), Some(130));
}

#[test]
fn a_command_in_an_archive_and_in_a_container_image() {
    let kernel = unpacked_kernel();
    let dir = tempfile::tempdir().unwrap();
    let [root, archive, layout] = ["root", "root.tar", "layout"].map(|name| dir.path().join(name));
    fs::create_dir(&root).unwrap();
    install_busybox(&root);
    let mut tar = Command::new("tar");
    tar.args(["--owner=7", "-cf"]).arg(&archive);
    assert!(
        tar.arg("-C")
            .arg(&root)
            .arg(".")
            .status()
            .unwrap()
            .success()
    );
    oci_layout(&layout, "amd64", &[&archive]);
    std::thread::scope(|scope| {
        for (flag, path) in [("--root-tar", &archive), ("--oci-layout", &layout)] {
            let mut run = vmwright("run", &kernel);
            run.arg("--boot").arg(flag).arg(path);
            run.env("XDG_CACHE_HOME", dir.path().join(flag));
            run.args(["--", "stat", "-c", "%u", "/bin/busybox"]);
            scope.spawn(move || {
                let output = output_of(&mut run, b"");
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.stdout, b"7\n", "{flag}: {stderr}");
                assert_eq!(output.status.code(), Some(0));
            });
        }
    });
}

#[test]
fn a_second_shell_continues_from_the_template_of_the_first() {
    let kernel = unpacked_kernel();
    let dir = tempfile::tempdir().unwrap();
    let [root, cache] = ["root", "cache"].map(|name| dir.path().join(name));
    fs::create_dir(&root).unwrap();
    install_busybox(&root);
    let templates = cache.join("vmwright/templates");
    let links = || {
        let entries = fs::read_dir(&templates).into_iter().flatten();
        let links = entries.map(|entry| entry.unwrap().path());
        let links = links.filter(|path| path.is_symlink());
        links.map(|link| fs::read_link(link).unwrap()).collect()
    };
    let mut made: Vec<std::path::PathBuf> = Vec::new();
    for round in 0..2 {
        let mut shell = vmwright("shell", &kernel);
        shell.arg("--root-dir").arg(&root);
        shell.env("XDG_CACHE_HOME", &cache);
        let input = b"test -e /file && exit 1; echo >/file; echo written; exit 7";
        let output = output_of(&mut shell, input);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.stdout, b"written\n", "{stderr}");
        assert_eq!(output.status.code(), Some(7));
        if round == 1 {
            assert_eq!(made, links());
        }
        made = links();
        assert_eq!(made.len(), 1, "{made:?}");
    }
    // Without a terminal, Ctrl-C is a signal for this process: it ends the machine, too, or its
    // template would be kept below.
    let mut shell = vmwright("shell", &kernel);
    shell.arg("--root-dir").arg(&root);
    shell.env("XDG_CACHE_HOME", &cache);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"echo it runs; sleep 1234\n").unwrap();
    let mut line = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut line).unwrap();
    let clean = || {
        let mut clean = Command::new(program("vmwright"));
        clean.arg("clean").env("XDG_CACHE_HOME", &cache);
        assert!(clean.status().unwrap().success());
        let roots = fs::read_dir(cache.join("vmwright/roots")).unwrap();
        let roots = roots.map(|entry| entry.unwrap().path());
        roots
            .filter(|path| path.extension().unwrap() != "lock")
            .count()
    };
    assert_eq!(clean(), 1, "the disk image of a running machine is kept");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(clean(), 0);
    // Only the locks of templates stay.
    let mut left = fs::read_dir(&templates).unwrap();
    assert!(left.all(|entry| entry.unwrap().file_type().unwrap().is_file()));
}
