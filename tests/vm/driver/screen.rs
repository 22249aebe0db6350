use super::{Ended, Run};

/// Runs a script where Tesseract has no data.
fn without_data(run: &Run, script: &str) -> Ended {
    let mut command = run.command();
    command.arg(run.script(script));
    Ended::of(command.env("TESSDATA_PREFIX", "/nowhere"))
}

const MISSING: &str = "no data for the language `eng`: /nowhere";

#[test]
fn a_console_is_read_without_language_data() {
    let run = Run::new(&[("machine", "minimal")]);
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
";
    let said = without_data(&run, script).passed();
    for part in [
        "exact text",
        MISSING,
        "machine-last-screen-1.png",
        "last console lines",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(!said.contains("(none)"), "{said}");
}

#[test]
fn a_desktop_is_not_read_without_language_data() {
    let run = Run::new(&[("machine", "desktop")]);
    // A server that answers has drawn its screen.
    let script = "\
from test_driver.errors import MachineError
machine.wait_for_x()
machine.succeed('xwininfo -root')
for look in (
    machine.get_screen_text,
    machine.get_screen_text_variants,
    lambda: machine.wait_for_text('x'),
):
    try:
        look()
    except MachineError as error:
        print(error)
";
    let said = without_data(&run, script).passed();
    assert_eq!(said.matches(MISSING).count(), 3, "{said}");
}
