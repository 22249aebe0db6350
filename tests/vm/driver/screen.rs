use super::{Ended, Run};

/// Runs a script without Tesseract's language data.
fn without_data(run: &Run, script: &str) -> Ended {
    let mut command = run.command();
    command.arg(run.script(script));
    Ended::of(command.env("TESSDATA_PREFIX", "/nowhere"))
}

const MISSING: &str = "no data for the language `eng`: /nowhere";

/// An unchanged screen, such as that of a stopped machine, is searched once.
#[test]
fn a_console_is_read_without_language_data() {
    let run = Run::new(&[("machine", "console")]);
    let script = "\
machine.succeed('echo exact text >/dev/tty1')
machine.wait_for_text('^exact text *$')
assert 'exact text' in machine.get_screen_text()
[exact] = machine.get_screen_text_variants()
assert 'exact text' in exact
try:
    machine.wait_for_text('never', timeout=0.1)
except AssertionError as error:
    print(error)
machine.send_monitor_command('stop')
texts = []
try:
    machine._vm.wait_for_text('never', texts.append, 2)
except AssertionError:
    pass
assert len(texts) == 1, texts
machine.send_monitor_command('cont')
";
    let output = without_data(&run, script).passed();
    for part in [
        "exact text",
        MISSING,
        "machine-last-screen-1.png",
        "last console lines",
    ] {
        assert!(output.contains(part), "no {part:?} in {output}");
    }
    assert!(!output.contains("(none)"), "{output}");
}

#[test]
fn a_desktop_is_not_read_without_language_data() {
    let run = Run::new(&[("machine", "desktop")]);
    // The X server has drawn its screen when it answers.
    let script = "\
from datetime import timedelta
from test_driver.errors import MachineError
machine.wait_for_x(timeout=timedelta(minutes=15))
machine.succeed('xwininfo -root; xterm -T opened >&2 &')
machine.wait_for_window('opened', timeout=timedelta(minutes=15))
for read in (
    machine.get_screen_text,
    machine.get_screen_text_variants,
    lambda: machine.wait_for_text('x'),
):
    try:
        read()
    except MachineError as error:
        print(error)
";
    let output = without_data(&run, script).passed();
    assert_eq!(output.matches(MISSING).count(), 3, "{output}");
}
