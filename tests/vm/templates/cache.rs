//! The cache of templates: reuse, rebuilding and removal.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use machine::{Builder, ErrorKind, Template};
use vm_tests::{other_test, soon, template};

use super::{dir_of, has_booted};

#[tokio::test]
async fn a_damaged_template_is_rebuilt() {
    let cache = tempfile::tempdir().unwrap();
    let booted = template("minimal").build().await.unwrap();
    let build = || booted.extend().cache_dir(cache.path()).build();
    let (first, second) = tokio::join!(build(), build());
    let (first, second) = (first.unwrap(), second.unwrap());
    let dir = dir_of(&first);
    assert_eq!(dir, dir_of(&second), "the template was built twice");
    assert_eq!(
        dir,
        dir_of(&build().await.unwrap()),
        "the template was not reused"
    );

    // A damaged file, and a directory left by a killed build: clones boot until the template
    // is rebuilt.
    std::fs::write(dir.join("devices"), "nonsense").unwrap();
    let left = dir.with_extension("abcdefghijkl");
    std::fs::create_dir(&left).unwrap();
    assert!(has_booted(&first.clone_machine().await.unwrap()));
    assert!(!dir.join("template.json").exists());
    let rebuilt = build().await.unwrap();
    assert_ne!(dir, dir_of(&rebuilt));
    assert!(!left.exists());
    assert!(dir.exists(), "a template in use was removed");
    for template in [&rebuilt, &second] {
        assert!(!has_booted(&template.clone_machine().await.unwrap()));
    }

    // Unused templates are removed.
    drop((first, second, rebuilt));
    Template::clear(cache.path()).unwrap();
    let entries = std::fs::read_dir(cache.path()).unwrap().flatten();
    let left: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_none_or(|it| it != "lock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Its disks are overlays of those of the removed parent.
#[tokio::test]
async fn a_child_of_a_rebuilt_template_is_rebuilt() {
    let cache = tempfile::tempdir().unwrap();
    let booted = template("minimal").build().await.unwrap();
    let base = || {
        let base = booted.extend().cache_dir(cache.path());
        base.succeed("echo $RANDOM >/disk/base").build()
    };
    let extend = |base: &Template| {
        base.extend()
            .succeed("cp /disk/base /disk/copy; echo 3 >/proc/sys/vm/drop_caches")
            .build()
    };
    let is_whole = "cmp /disk/base /disk/copy";
    let first = base().await.unwrap();
    let extended = extend(&first).await.unwrap();
    let vm = extended.clone_machine().await.unwrap();
    std::fs::write(dir_of(&first).join("devices"), "nonsense").unwrap();

    let rebuilt = base().await.unwrap();
    let rebuilt_child = extend(&rebuilt).await.unwrap();
    assert_ne!(dir_of(&extended), dir_of(&rebuilt_child));
    let clone = rebuilt_child.clone_machine().await.unwrap();
    assert!(!has_booted(&clone));
    clone.succeed(is_whole).await.unwrap();
    // A running clone is not affected, and keeps its disks when it boots.
    vm.succeed(is_whole).await.unwrap();
    vm.shutdown().await.unwrap();
    vm.succeed(is_whole).await.unwrap();
}

/// The parent is damaged after its `Template` was built.
#[tokio::test]
async fn a_damaged_parent_is_rebuilt() {
    let cache = tempfile::tempdir().unwrap();
    let base = extended_in(cache.path()).await;
    std::fs::write(dir_of(&base).join("devices"), "nonsense").unwrap();
    let extended = base.extend().succeed("echo kept >/tmp/file").build();
    let extended = extended.await.unwrap();
    assert_eq!(extended.unsupported_reason(), None);
    let vm = extended.clone_machine().await.unwrap();
    assert!(!has_booted(&vm));
    assert_eq!(vm.succeed("cat /tmp/file").await.unwrap(), "kept\n");
}

/// The cache key would not describe the template.
#[tokio::test]
async fn a_file_that_changes_during_the_build_is_an_error() {
    let [cache, source] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let file = source.path().join("file");
    std::fs::write(&file, "one").unwrap();
    let booted = template("minimal").build().await.unwrap();
    let build = || {
        let template = booted.extend().cache_dir(cache.path());
        template.copy_from_host(&file, "/tmp/file").build()
    };
    let change = async {
        let has_begun = || std::fs::read_dir(cache.path()).unwrap().count() > 1;
        assert!(
            soon(has_begun).await,
            "the build has not created its directory"
        );
        std::fs::write(&file, "another").unwrap();
    };
    let (made, ()) = tokio::join!(build(), change);
    let error = made.unwrap_err();
    assert!(error.to_string().contains("has changed"), "{error}");
    let vm = build().await.unwrap().clone_machine().await.unwrap();
    assert_eq!(vm.succeed("cat /tmp/file").await.unwrap(), "another");
}

#[tokio::test]
async fn a_clone_that_fails_to_start_leaves_the_template_intact() {
    let cache = tempfile::tempdir().unwrap();
    let template = extended_in(cache.path()).await;
    let wrong = |builder: Builder| builder.env("QEMU_OPTS", "-no-such-option");
    let error = template.clone_with(wrong).await.unwrap_err();
    assert!(error.to_string().contains("no-such-option"), "{error}");
    let other = |builder: Builder| builder.env("QEMU_OPTS", "-device virtio-balloon-pci");
    let vm = template.clone_with(other).await.unwrap();
    assert!(
        has_booted(&vm),
        "a clone with another device was not booted"
    );
    assert!(!has_booted(&template.clone_machine().await.unwrap()));
}

#[tokio::test]
async fn a_failed_preparation_leaves_no_files() {
    let cache = tempfile::tempdir().unwrap();
    let builder = || template("minimal").cache_dir(cache.path());
    let error = builder()
        .succeed("echo no luck; false")
        .build()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no luck"), "{error}");
    // A clone is prepared like a booted machine.
    let booted = template("minimal").build().await.unwrap();
    let builder = || booted.extend().cache_dir(cache.path());
    let panic = "echo c >/proc/sysrq-trigger";
    let error = builder().succeed(panic).build().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::GuestEnded { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("sysrq triggered crash"),
        "{error}"
    );
    let error = builder()
        .copy_from_host("/no/such/file", "/tmp")
        .build()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
    let left = std::fs::read_dir(cache.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter()
            .all(|name| name.to_string_lossy().ends_with(".lock")),
        "{left:?}"
    );
}

/// It is dropped while a command runs in its guest.
#[tokio::test]
async fn an_abandoned_build_leaves_no_files() {
    let cache = tempfile::tempdir().unwrap();
    let dirs = || {
        let entries = std::fs::read_dir(cache.path()).unwrap().flatten();
        let dirs: Vec<_> = entries.map(|entry| entry.path()).collect();
        dirs.into_iter().filter(|path| path.is_dir())
    };
    let booted = template("minimal").build().await.unwrap();
    let building = booted.extend().cache_dir(cache.path());
    tokio::select! {
        built = building.succeed("sleep 1d").build() => panic!("{built:?}"),
        begun = soon(|| dirs().any(|dir| dir.join("vm-state-minimal/console.log").exists())) => {
            assert!(begun, "the machine was not started");
        }
    }
    assert!(soon(|| dirs().count() == 0).await, "files are left");
}

/// A disk without space for the RAM, and one without space for the rest.
#[tokio::test]
#[ignore = "needs to mount file systems"]
async fn a_full_disk_leaves_no_files() {
    let disk = tempfile::tempdir().unwrap();
    for size in ["100m", "257m"] {
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=700"),
                "tmpfs",
            ])
            .arg(disk.path())
            .status();
        assert!(mounted.unwrap().success(), "mounting a tmpfs failed");
        let error = template("minimal")
            .cache_dir(disk.path())
            .build()
            .await
            .unwrap_err();
        let left = std::fs::read_dir(disk.path()).unwrap().count();
        // The killed QEMU may not have exited yet.
        let mut umount = Command::new("umount");
        let unmounted = umount.arg("--lazy").arg(disk.path()).status();
        assert!(unmounted.unwrap().success());
        assert!(
            matches!(error.kind(), ErrorKind::Template { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("No space left"), "{error}");
        assert_eq!(left, 1, "more than the lock is left");
    }
}

/// The next build removes what the killed one left, and makes the template.
#[tokio::test]
async fn a_build_killed_while_saving_leaves_no_files() {
    template("minimal").build().await.unwrap();
    let cache = tempfile::tempdir().unwrap();
    // Before the first write, and before the disks are moved.
    for step in ["saving vm", "forced crash"] {
        let mut victim = builder_process(cache.path());
        let output = BufReader::new(victim.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains(step)));
        victim.kill().unwrap(); // SIGKILL
        victim.wait().unwrap();
    }
    let template = extended_in(cache.path()).await;
    assert!(!has_booted(&template.clone_machine().await.unwrap()));
    let kept = std::fs::read_dir(cache.path()).unwrap().flatten();
    let kept: Vec<_> = kept.filter(|entry| entry.path().is_dir()).collect();
    // The directory, and the link to it.
    assert_eq!(kept.len(), 2, "{kept:?}");
}

#[tokio::test]
async fn several_processes_build_a_template_once() {
    template("minimal").build().await.unwrap();
    let cache = tempfile::tempdir().unwrap();
    let processes = [builder_process(cache.path()), builder_process(cache.path())];
    let outputs = processes.map(|process| {
        let output = process.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        text
    });
    let has_built = |text: &&String| text.contains("saving vm");
    assert_eq!(outputs.iter().filter(has_built).count(), 1, "{outputs:?}");
}

/// A template that is built without a boot.
async fn extended_in(cache: &Path) -> Template {
    let booted = template("minimal").build().await.unwrap();
    let extended = booted.extend().cache_dir(cache).build();
    extended.await.unwrap()
}

/// A process that builds a template.
fn builder_process(cache: &Path) -> Child {
    let mut command = other_test("templates::cache::build_template");
    command.env("MAKER_DIR", cache).stdout(Stdio::piped());
    command.spawn().unwrap()
}

#[tokio::test]
#[ignore = "run by other tests in a process of its own"]
async fn build_template() {
    let cache = std::env::var_os("MAKER_DIR").expect("run by another test");
    assert_eq!(
        extended_in(Path::new(&cache)).await.unsupported_reason(),
        None
    );
}
