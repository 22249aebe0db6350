//! Templates of each kind of start command, and machines that can't be saved.

use std::path::Path;

use machine::{QemuCommand, ShellCommand, StartCommand, StartScript, Template, TemplateBuilder};
use vm_tests::{show_steps, start_script, template, virtiofs_script};

use super::{SLEEPS, dir_of, has_booted};

fn of(start: impl Into<StartCommand>, cache: &Path) -> TemplateBuilder {
    show_steps();
    Template::builder(start).cache_dir(cache)
}

/// `minimal`, started by a shell command with more arguments.
fn minimal_with(arguments: &str) -> ShellCommand {
    ShellCommand::new(format!(
        "exec '{}' {arguments}",
        start_script("minimal").display()
    ))
}

pub(super) fn minimal_typed() -> QemuCommand {
    let part = |name| start_script("minimal").with_file_name(name);
    let append = "console=ttyS0 panic=-1 no_timer_check";
    let qemu = QemuCommand::new("typed").kernel(part("vmlinux"), part("initrd"), append);
    qemu.shared_dir(true)
}

#[tokio::test]
async fn other_arguments_make_another_template() {
    let cache = tempfile::tempdir().unwrap();
    let build = async |arguments| {
        let template = of(minimal_with(arguments), cache.path()).build();
        template.await.unwrap()
    };
    let plain = build("").await;
    let other = build("-device virtio-rng-pci").await;
    assert_ne!(
        dir_of(&plain),
        dir_of(&other),
        "other arguments use the same template"
    );
    assert_eq!(dir_of(&plain), dir_of(&build("").await));
    let devices = "cat /sys/bus/virtio/devices/*/device | grep -c .";
    let mut counts = Vec::new();
    for template in [&plain, &other] {
        assert_eq!(template.unsupported_reason(), None);
        let vm = template.clone_machine().await.unwrap();
        assert!(!has_booted(&vm));
        counts.push(vm.succeed(devices).await.unwrap().trim().parse().unwrap());
    }
    let [without, with]: [u32; 2] = counts.try_into().unwrap();
    assert_eq!(without + 1, with);
}

#[tokio::test]
async fn a_typed_command_is_cloned() {
    let cache = tempfile::tempdir().unwrap();
    let template = of(minimal_typed(), cache.path());
    let template = template.succeed("echo kept >/tmp/file").build().await;
    let template = template.unwrap();
    assert_eq!(template.unsupported_reason(), None);
    let vm = template.clone_machine().await.unwrap();
    assert!(!has_booted(&vm));
    assert_eq!(vm.succeed("cat /tmp/file").await.unwrap(), "kept\n");
    // Each has a shared directory of its own.
    std::fs::write(vm.shared_dir().join("file"), "shared").unwrap();
    assert_eq!(vm.succeed("cat /tmp/shared/file").await.unwrap(), "shared");
}

/// Checks that the machine can't be saved, for a reason that names `what`, and is booted.
async fn assert_booted(template: TemplateBuilder, what: &str) {
    let template = template.build().await.unwrap();
    let reason = template.unsupported_reason().unwrap();
    assert!(reason.contains(what), "{reason}");
    assert!(has_booted(&template.clone_machine().await.unwrap()));
}

/// The same for `minimal` with more arguments, which is not booted to find that out.
async fn assert_refused_before_its_boot(arguments: &str, what: &str) {
    let dir = tempfile::tempdir().unwrap();
    let starts = dir.path().join("starts");
    let start = ShellCommand::new(format!(
        "echo started >>'{}'; exec '{}' {arguments}",
        starts.display(),
        start_script("minimal").display()
    ));
    assert_booted(of(start, &dir.path().join("templates")), what).await;
    // That of a paused QEMU, and that of the clone.
    let starts = std::fs::read_to_string(starts).unwrap();
    assert_eq!(starts, "started\n".repeat(2));
}

/// QEMU removes its temporary disk when it exits.
#[tokio::test]
async fn a_typed_command_with_a_disk_is_booted() {
    let cache = tempfile::tempdir().unwrap();
    let disk = start_script("minimal").with_file_name("disk.raw");
    assert_booted(of(minimal_typed().disk(disk), cache.path()), "snapshot=on").await;
}

#[tokio::test]
async fn a_machine_with_a_disk_that_is_not_kept_is_booted() {
    assert_refused_before_its_boot("-snapshot", "(snapshot=on)").await;
}

#[tokio::test]
async fn a_machine_with_an_unsavable_device_is_booted() {
    let dir = tempfile::tempdir().unwrap();
    // QEMU can't migrate an emulated NVMe disk.
    let disk = dir.path().join("nvme");
    std::fs::File::create(&disk)
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    let nvme = format!(
        "-drive file='{}',if=none,id=nvme,format=raw,readonly=on -device nvme,drive=nvme,serial=1",
        disk.display()
    );
    assert_refused_before_its_boot(&nvme, "nvme").await;
}

/// The balloon would free RAM that clones share.
#[tokio::test]
async fn a_machine_with_a_balloon_is_booted() {
    assert_refused_before_its_boot("-device virtio-balloon-pci", "balloon").await;
}

/// NixOS guests run their programs from it, and can't unmount it.
#[tokio::test]
async fn a_machine_with_its_store_on_9p_is_booted() {
    let share = "-virtfs local,path=/usr,mount_tag=nix-store,security_model=none,readonly=on";
    assert_refused_before_its_boot(share, "9p share nix-store").await;
}

/// A part of its state is that of virtiofsd.
#[tokio::test]
#[ignore = "needs virtiofsd"]
async fn a_machine_with_a_virtiofs_share_is_booted() {
    let dir = tempfile::tempdir().unwrap();
    let start = StartScript::new(virtiofs_script("minimal", dir.path()));
    let what = "its device vhost-user-fs-pci is run by another process";
    assert_booted(of(start, &dir.path().join("templates")), what).await;
    // That of a paused QEMU, and that of the clone.
    let starts = std::fs::read_to_string(dir.path().join("starts")).unwrap();
    assert_eq!(starts, "started\n".repeat(2));
}

#[tokio::test]
async fn a_guest_without_what_clones_need_is_booted() {
    let cache = tempfile::tempdir().unwrap();
    let template = of(minimal_typed(), cache.path());
    let template = template.succeed("rm \"$(type -P date)\"");
    assert_booted(template, "the identity of a clone: date").await;
}

#[tokio::test]
async fn a_machine_that_cannot_be_saved_is_booted() {
    let cache = tempfile::tempdir().unwrap();
    let busy = "cd /tmp/shared; sleep 4321 >&2 &";
    let build = || {
        template("minimal")
            .cache_dir(cache.path())
            .succeed(busy)
            .build()
    };
    let template = build().await.unwrap();
    let reason = template.unsupported_reason().unwrap();
    assert!(reason.contains("/tmp/shared"), "{reason}");
    assert_eq!(
        build().await.unwrap().unsupported_reason(),
        Some(reason),
        "saving was tried again"
    );
    let vm = template.clone_machine().await.unwrap();
    vm.succeed(SLEEPS).await.unwrap();
}
