use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use machine::{LegacyStartCommand, Machine, QemuCommand};
use tempfile::TempDir;
use vm_tests::{show_steps, start_script};

/// A start script run without `machine`, as the contract for start scripts describes.
struct ByHand {
    qemu: Child,
    commands: UnixStream,
    answers: BufReader<UnixStream>,
    state: TempDir,
    shared: TempDir,
}

impl ByHand {
    /// Starts it in directories whose names need quoting, and waits for the guest's greeting.
    fn start(image: &str) -> Self {
        let dir = || {
            tempfile::Builder::new()
                .prefix("a dir, ")
                .tempdir()
                .unwrap()
        };
        let (state, shared) = (dir(), dir());
        let monitor = UnixListener::bind(state.path().join("monitor")).unwrap();
        let shell = UnixListener::bind(state.path().join("shell")).unwrap();
        let qemu = qemu(image, state.path(), shared.path());
        let mut greeting = [0; 4];
        monitor
            .accept()
            .unwrap()
            .0
            .read_exact(&mut greeting)
            .unwrap();
        assert_eq!(&greeting, b"QEMU");

        let (commands, _) = shell.accept().unwrap();
        let answers = BufReader::new(commands.try_clone().unwrap());
        let mut started = Self {
            qemu,
            commands,
            answers,
            state,
            shared,
        };
        while !started.answer().contains("Spawning backdoor root shell...") {}
        started
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(
            self.answers.read_line(&mut line).unwrap(),
            0,
            "the shell was closed"
        );
        line
    }
}

/// Starts the image's script by hand, with its sockets in `state`.
fn qemu(image: &str, state: &Path, shared: &Path) -> Child {
    let arg = |prefix: &str, socket: &str| {
        let path = state.join(socket);
        format!("{prefix}{}", path.to_str().unwrap().replace(',', ",,"))
    };
    Command::new(start_script(image))
        .args(["-monitor", &arg("unix:", "monitor")])
        .args(["-chardev", &arg("socket,id=shell,path=", "shell")])
        .args([
            "-device",
            "virtio-serial",
            "-device",
            "virtconsole,chardev=shell",
        ])
        .args([
            "-device",
            "virtio-rng-pci",
            "-serial",
            "stdio",
            "-no-reboot",
            "-nographic",
        ])
        .current_dir(state)
        .env_remove("NIX_DISK_IMAGE")
        .env("TMPDIR", state)
        .env("SHARED_DIR", shared)
        .env("USE_TMPDIR", "1")
        .env(
            "QEMU_OPTS",
            "-smbios type=1,manufacturer=words-of-QEMU_OPTS",
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for ByHand {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn keeps_the_contract(image: &str) {
    let mut vm = ByHand::start(image);
    // The script replaced itself by QEMU.
    let exe = fs::read_link(format!("/proc/{}/exe", vm.qemu.id())).unwrap();
    assert!(exe.ends_with("qemu-system-x86_64"), "{}", exe.display());
    // The disk is an overlay in the state directory.
    let disk = vm.state.path().join(format!("{image}.qcow2"));
    let info = Command::new("qemu-img")
        .args(["info", "-U"])
        .arg(&disk)
        .output()
        .unwrap();
    let info = String::from_utf8_lossy(&info.stdout).into_owned();
    assert!(info.contains("backing file: "), "{info}");
    // No echo, no prompt, and bash.
    assert_eq!(vm.ask("echo $((6 * 7)) ${BASH_VERSION:+bash}"), "42 bash\n");
    // The share, both ways.
    fs::write(vm.shared.path().join("from-host"), "hello guest\n").unwrap();
    let mounted = "until grep -q /tmp/shared /proc/mounts; do sleep 0.1; done; echo ok";
    assert_eq!(vm.ask(mounted), "ok\n");
    assert_eq!(vm.ask("cat /tmp/shared/from-host"), "hello guest\n");
    assert_eq!(
        vm.ask("echo hello host >/tmp/shared/from-guest; echo ok"),
        "ok\n"
    );
    let from_guest = fs::read_to_string(vm.shared.path().join("from-guest")).unwrap();
    assert_eq!(from_guest, "hello host\n");
    // QEMU_OPTS was passed on.
    assert_eq!(
        vm.ask("cat /sys/class/dmi/id/sys_vendor"),
        "words-of-QEMU_OPTS\n"
    );
    // The NixOS test driver runs commands like this.
    let run = "timeout 900 bash -c 'set -euo pipefail; echo hi' | (base64 -w 0; echo)";
    assert_eq!(vm.ask(run), "aGkK\n");
    assert_eq!(vm.ask("echo ${PIPESTATUS[0]}"), "0\n");

    writeln!(vm.commands, "poweroff").unwrap();
    assert!(vm.qemu.wait().unwrap().success());
}

#[test]
fn minimal_keeps_the_contract() {
    keeps_the_contract("minimal");
}

#[test]
fn systemd_keeps_the_contract() {
    keeps_the_contract("systemd");
}

/// A file of the image `minimal`, for other start commands.
fn part(name: &str) -> std::path::PathBuf {
    start_script("minimal").parent().unwrap().join(name)
}

#[tokio::test]
async fn a_legacy_start_command() {
    show_steps();
    let flags = format!(
        "-accel ${{VM_ACCEL:-tcg}} -kernel '{}' -initrd '{}' -append 'console=ttyS0 panic=-1 no_timer_check'",
        part("vmlinuz").display(),
        part("initrd").display()
    );
    let disk = tempfile::NamedTempFile::new().unwrap();
    fs::copy(part("disk.raw"), disk.path()).unwrap();
    let legacy = LegacyStartCommand::new()
        .qemu_binary("qemu-system-x86_64")
        .net_frontend_args("mac=52:54:00:aa:bb:cc")
        .hda(disk.path(), "virtio")
        .qemu_flags(flags);
    let vm = Machine::builder(legacy).name("old").build().unwrap();
    assert_eq!(
        vm.succeed("cat /sys/class/net/eth0/address").await.unwrap(),
        "52:54:00:aa:bb:cc\n"
    );
    let memory: u64 = vm
        .succeed("awk '/MemTotal/ {print $2}' /proc/meminfo")
        .await
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!((300_000..384 * 1024).contains(&memory), "{memory} kB");
    vm.succeed("echo kept >/disk/file").await.unwrap();
    assert_eq!(vm.name(), "old");
    vm.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_typed_start_command() {
    show_steps();
    let qemu = QemuCommand::new("typed")
        .memory_mib(200)
        .cpus(2)
        .kernel(
            part("vmlinuz"),
            part("initrd"),
            "console=ttyS0 panic=-1 no_timer_check",
        )
        .disk(part("disk.raw"))
        .shared_dir(true)
        .args(["-smbios", "type=1,manufacturer=typed"]);
    let vm = Machine::new(qemu).unwrap();
    assert_eq!(vm.name(), "typed");
    assert_eq!(vm.succeed("nproc").await.unwrap(), "2\n");
    assert_eq!(
        vm.succeed("cat /sys/class/dmi/id/sys_vendor")
            .await
            .unwrap(),
        "typed\n"
    );
    fs::write(vm.shared_dir().join("file"), "shared").unwrap();
    assert_eq!(vm.succeed("cat /tmp/shared/file").await.unwrap(), "shared");
    vm.succeed("echo gone >/disk/file; sync").await.unwrap();
    vm.crash().await.unwrap();
    vm.fail("test -e /disk/file").await.unwrap();
}

#[test]
fn the_image_is_read_only() {
    let mode = |path: &Path| path.metadata().unwrap().permissions().readonly();
    assert!(mode(&part("disk.raw")), "the base of all disks is writable");
}
