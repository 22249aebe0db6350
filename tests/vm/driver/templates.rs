use super::Run;

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
