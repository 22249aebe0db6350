//! Machines whose first start is a clone of a template of the start command.

use std::fs;
use std::path::Path;

use machine::{Builder, Machine, StartScript};
use vm_tests::{SOON, show_steps, start_script};

use super::has_booted;

/// Without the environment variables of `vm_tests::builder`.
fn minimal() -> Builder {
    show_steps();
    Machine::builder(StartScript::new(start_script("minimal")))
}

async fn started(builder: Builder) -> Machine {
    let vm = builder.build().unwrap();
    vm.connect().await.unwrap();
    vm
}

#[tokio::test]
async fn the_first_start_is_a_clone() {
    let cache = tempfile::tempdir().unwrap();
    let warm = || minimal().templates(cache.path());
    let [one, other] = [started(warm()).await, started(warm()).await];
    assert!(!has_booted(&one) && !has_booted(&other));

    // The boot's console is theirs.
    for vm in [&one, &other] {
        let limited = vm.within(SOON);
        limited
            .wait_for_console_text("Linux version")
            .await
            .unwrap();
        vm.succeed("echo later >/dev/ttyS0").await.unwrap();
        limited.wait_for_console_text("later").await.unwrap();
        let log = vm.get_console_log().await.unwrap();
        assert_eq!(log.matches("Linux version").count(), 1, "{log}");
        assert!(log.trim_end().ends_with("later"), "{log}");
        let file = fs::read_to_string(vm.state_dir().join("console.log")).unwrap();
        assert!(file.contains("Linux version"), "{file}");
    }

    // They have random values and disks of their own.
    let uuid = "cat /proc/sys/kernel/random/uuid";
    let [of_one, of_other] = [one.succeed(uuid).await, other.succeed(uuid).await];
    assert_ne!(of_one.unwrap(), of_other.unwrap());
    one.succeed("echo one >/disk/file; sync").await.unwrap();
    other.fail("cat /disk/file").await.unwrap();

    one.crash().await.unwrap();
    assert_eq!(one.succeed("cat /disk/file").await.unwrap(), "one\n");
    assert!(has_booted(&one));
}

#[tokio::test]
async fn a_machine_without_a_template_boots() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("templates");
    let warm = || minimal().templates(&cache);
    let with_kept_state = warm().tmp_dir(dir.path()).keep_vm_state(true);
    let with_variable = warm().env("A_VARIABLE", "of its own");
    let unusable_cache = minimal().templates("/proc/no/templates");
    for description in [with_kept_state, with_variable, unusable_cache] {
        let vm = started(description).await;
        assert!(has_booted(&vm));
    }
    assert!(!cache.exists());
}

/// Makes the template impossible to load for QEMU, without a change of size or time.
fn damage_devices(cache: &Path) {
    let entries = fs::read_dir(cache).unwrap();
    let devices = entries.map(|entry| entry.unwrap().path().join("devices"));
    for file in devices.filter(|file| file.exists()) {
        let length = file.metadata().unwrap().len();
        let before = file.metadata().unwrap().modified().unwrap();
        let content = vec![0xff; usize::try_from(length).unwrap()];
        fs::write(&file, content).unwrap();
        let file = fs::File::options().write(true).open(&file).unwrap();
        file.set_modified(before).unwrap();
    }
}

#[tokio::test]
async fn a_machine_boots_if_its_template_cannot_be_loaded() {
    let cache = tempfile::tempdir().unwrap();
    let warm = || minimal().templates(cache.path());
    drop(started(warm()).await);
    damage_devices(cache.path());
    let vm = started(warm()).await;
    assert!(has_booted(&vm));
    vm.succeed("echo >/disk/file").await.unwrap();
    // The template was rebuilt.
    assert!(!has_booted(&started(warm()).await));
}

/// The user put the disk into the state directory.
#[tokio::test]
async fn a_machine_boots_from_an_existing_disk() {
    let cache = tempfile::tempdir().unwrap();
    let other = started(minimal()).await;
    other.succeed("echo own >/disk/file; sync").await.unwrap();
    other.crash().await.unwrap();
    let vm = minimal().templates(cache.path()).build().unwrap();
    let disk = |vm: &Machine| vm.state_dir().join("minimal.qcow2");
    fs::copy(disk(&other), disk(&vm)).unwrap();
    assert_eq!(vm.succeed("cat /disk/file").await.unwrap(), "own\n");
    assert!(has_booted(&vm));
}
