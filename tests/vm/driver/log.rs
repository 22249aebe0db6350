use super::Run;

/// Consoles, log entries, errors and tracebacks are escaped.
#[test]
fn guest_output_does_not_control_the_terminal() {
    let run = Run::booting(&[("vm", "minimal")]);
    let ended = run.run(
        r#"
vm.succeed(r"printf '\e[2J\e]0;title\a on the console\n' >/dev/ttyS0")
vm.wait_for_console_text("on the console")
log.warning(vm.succeed(r"printf '\e[2J of a log\n'"))
try:
    vm.succeed(r"printf '\e[2J of a command\n'; false")
finally:
    output = vm.succeed(r"printf '\e[2J of a script\n'")
    assert output == "", output
"#,
    );
    for shown in [
        r"\x07 on the console",
        r"\x1b[2J of a log",
        r"\x1b[2J of a command",
        r"\x1b[2J of a script",
    ] {
        assert!(ended.stderr.contains(shown), "{}", ended.stderr);
    }
    let must_be_escaped = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(
        !ended.stderr.contains(must_be_escaped),
        "{:?}",
        ended.stderr
    );
}

#[test]
fn invalid_utf8_must_be_escaped() {
    let script = r"
log.info('odd: \udcff')
raise Exception(os.fsdecode(b'\xfe'))
";
    let log = Run::new(&[]).run(script).failed(1);
    assert!(log.contains(r"odd: \udcff"), "{log}");
    assert!(log.contains(r"Exception: \udcfe"), "{log}");
}
