use std::fs;

use vm_tests::virtiofs_script;

use super::{Ended, Run};

/// Prints the id of the machine's boot, its machine id and its host name.
const PRINT_IDS: &str = "\
machine.start()
print(machine.succeed('cat /proc/sys/kernel/random/boot_id /etc/machine-id; hostname'), end='')
";

#[test]
fn machines_continue_from_a_template() {
    let run = Run::new(&[("machine", "systemd")]);
    let [one, other] = [(); 2].map(|()| run.run(PRINT_IDS).passed());
    let [one, other]: [Vec<&str>; 2] = [&one, &other].map(|output| output.lines().collect());
    assert_eq!(one.len(), 3, "{one:?}");
    assert!(one[1] != other[1], "{one:?} and {other:?}");
    assert_eq!(one[2], "machine");
    if !vm_tests::boots_everything() {
        assert_eq!(one[0], other[0]);
    }
}

/// The command's shell is connected after the clone has its new identity, even if the clone
/// agent sets it.
#[test]
fn commands_wait_for_the_new_identity() {
    let script = "\
from threading import Thread
from time import time
# The template was saved before.
before = int(time())
start = Thread(target=machine.start)
start.start()
seconds = int(machine.succeed('date +%s'))
start.join()
assert seconds >= before, f'{seconds} before {before}'
with open(f'/proc/{machine.pid}/cmdline') as file:
    print('-incoming' in file.read())
";
    let output = Run::new(&[("machine", "systemd")]).run(script).passed();
    if !vm_tests::boots_everything() {
        assert_eq!(output, "True\n");
    }
}

/// Its state would be that of virtiofsd, too. One warning says so, at the first start.
#[test]
#[ignore = "needs virtiofsd"]
fn a_machine_with_a_virtiofs_share_boots() {
    let mut run = Run::booting(&[]);
    let script = virtiofs_script("minimal", run.out());
    run.start_scripts = vec![script];
    let script = run.script(
        "\
for _ in range(2):
    minimal.succeed('true')
    minimal.crash()
",
    );
    let templates = run.out().join("templates");
    let ended = Ended::of(run.command().arg("--templates").arg(templates).arg(script));
    let log = ended.stderr.clone();
    ended.passed();
    let warning = "booted instead of cloned: its device vhost-user-fs-pci";
    assert_eq!(log.matches(warning).count(), 1, "{log}");
    assert_eq!(log.matches("booted instead of cloned").count(), 1, "{log}");
    let starts = fs::read_to_string(run.out().join("starts")).unwrap();
    assert_eq!(starts.lines().count(), 3, "{log}");
}
