use std::fs;

use super::Run;

/// A subtest for each of these assertions; the error of each is printed.
fn errors_of(assertions: &[&str]) -> String {
    let definitions = "one, text = 1, 'hallo\\n'\n\ndef values():\n    return [1, 2]\n";
    let tries = assertions.iter().map(|assertion| {
        format!("try:\n    {assertion}\nexcept AssertionError as error:\n    print(error)\n")
    });
    let script = definitions.to_owned() + &tries.collect::<String>();
    Run::new(&[]).run(&script).passed()
}

#[test]
fn an_assertion_shows_its_values() {
    let errors = errors_of(&[
        "assert text.strip() == 'hello'",
        "assert 3 in values()",
        "assert one > 1",
        "assert one is None",
        "assert values() != [1, 2]",
        "assert not values()",
        "assert one - 1",
        "assert 0 < one < 1",
        "assert one == 2, 'a message of its own'",
    ]);
    assert_eq!(
        errors,
        "\
assert text.strip() == 'hello': 'hallo' != 'hello'
- hallo
?  ^
+ hello
?  ^

assert 3 in values(): 3 not found in [1, 2]
assert one > 1: 1 not greater than 1
assert one is None: 1 is not None
assert values() != [1, 2]: [1, 2] == [1, 2]
assert not values(): values() is [1, 2]
assert one - 1: one - 1 is 0
assert 0 < one < 1: 0 < one < 1 is False
a message of its own
"
    );
}

/// Only a failed assertion calls anything more than the script wrote.
#[test]
fn an_assertion_evaluates_its_operands_once() {
    let script = "\
calls = []

def call(value):
    calls.append(value)
    return value

class Odd:
    def __eq__(self, other):
        return call('eq') is None
    def __repr__(self):
        return 'Odd()'

assert call(1) == call(1) and call(2)
assert calls == [1, 1, 2], calls
calls.clear()
try:
    assert call(3) == Odd() or not call(4)
except AssertionError:
    pass
assert calls == [3, 'eq', 4], calls
";
    Run::new(&[]).run(script).passed();
}

#[test]
fn a_failed_assertion_is_explained_in_the_log_and_in_junit() {
    let script = "\
with subtest('greets'):
    assert machine.succeed('echo hallo').strip() == 'hello'
";
    let ended = Run::new(&[("machine", "minimal")]).run(script);
    let report = fs::read_to_string(ended.report.as_ref().unwrap().path()).unwrap();
    let log = ended.failed(1);
    let values = "'hallo' != 'hello'";
    assert!(
        log.contains(r#"Test "greets" failed with error: "assert machine"#),
        "{log}"
    );
    let traceback = log.split_once("Traceback").unwrap().1;
    assert!(traceback.contains("script.py\", line 2"), "{log}");
    assert!(traceback.contains(values), "{log}");
    let escaped = values.replace('\'', "&apos;");
    assert!(
        report.contains(values) || report.contains(&escaped),
        "{report}"
    );
}
