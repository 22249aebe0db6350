use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use vm_tests::{program, repository};

/// Runs it with these arguments, and returns its status and its last line.
fn run(args: &str, change: impl FnOnce(&mut Command)) -> (Option<i32>, String) {
    let mut command = Command::new(program("vmwright"));
    command.args(args.split_whitespace());
    change(&mut command);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

#[test]
fn each_is_one_clear_line() {
    let not_a_kernel = repository().join("Cargo.toml");
    for (args, line) in [
        (
            "run --image /no/image -- ls",
            "vmwright: reading the image /no/image: No such file",
        ),
        (
            &*format!("run --kernel {} --host-root -- ls", not_a_kernel.display()),
            "it is no kernel for x86",
        ),
        ("run --host-root --env =x -- ls", "no name of a variable"),
        ("run --host-root --env NO_SUCH -- ls", "--env NO_SUCH: "),
        ("run --host-root", "required arguments"),
        ("run -- ls", "required arguments"),
        ("run --host-root --image a -- ls", "cannot be used with"),
    ] {
        let (status, text) = run(args, |_| ());
        assert_eq!(status, Some(125), "{args}: {text}");
        assert!(text.contains(line), "{args}: {text}");
    }
}

/// Neither in the directory for caches, nor in that for temporary files.
#[test]
fn nothing_is_left_of_a_root_that_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let [tmp, cache, archive] = ["tmp", "cache", "root.tar"].map(|name| dir.path().join(name));
    fs::create_dir(&tmp).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["-C", "/", "-cf"])
        .arg(&archive)
        .arg("etc/hostname");
    assert!(tar.status().unwrap().success());
    let kernel = vm_tests::unpacked_kernel();
    let kernel = kernel.path().join("boot/vmlinuz");
    let args = format!(
        "run --boot --kernel {} --root-tar {} -- ls",
        kernel.display(),
        archive.display()
    );
    let (status, text) = run(&args, |command| {
        command.env("TMPDIR", &tmp).env("XDG_CACHE_HOME", &cache);
    });
    assert_eq!(status, Some(125), "{text}");
    assert!(text.contains("no /bin/sh"), "{text}");
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);
    let roots = fs::read_dir(cache.join("vmwright/roots")).unwrap();
    let mut names = roots.map(|entry| entry.unwrap().file_name());
    assert!(names.all(|name| name.to_string_lossy().ends_with(".lock")));
}

#[test]
fn a_host_without_qemu() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = vm_tests::unpacked_kernel();
    let kernel = kernel.path().join("boot/vmlinuz");
    fs::create_dir(dir.path().join("bin")).unwrap();
    symlink("/bin/busybox", dir.path().join("bin/busybox")).unwrap();
    let args = format!("run --kernel {} --host-root -- ls", kernel.display());
    let (status, text) = run(&args, |command| {
        command
            .env("PATH", dir.path().join("bin"))
            .env("VM_ACCEL", "tcg");
    });
    assert_eq!(status, Some(125), "{text}");
    assert!(text.contains("qemu-system-x86_64"), "{text}");
}
