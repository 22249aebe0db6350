use super::Run;

/// A script that tells which boot its machine is of, and who it is.
const TELLS: &str = "\
machine.start()
print(machine.succeed('cat /proc/sys/kernel/random/boot_id /etc/machine-id; hostname'), end='')
";

#[test]
fn machines_continue_from_a_template() {
    let run = Run::new(&[("machine", "systemd")]);
    let [one, other] = [(); 2].map(|()| run.run(TELLS).passed());
    let [one, other]: [Vec<&str>; 2] = [&one, &other].map(|told| told.lines().collect());
    assert_eq!(one.len(), 3, "{one:?}");
    assert!(one[1] != other[1], "{one:?} and {other:?}");
    assert_eq!(one[2], "machine");
    // Unless all tests boot.
    if !vm_tests::boots_everything() {
        assert_eq!(one[0], other[0]);
    }
}
