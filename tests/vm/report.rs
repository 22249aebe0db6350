//! The reports of a run of the driver: `trace.html` and the XML log.

use std::fs;
use std::path::Path;

use serde_json::Value;
use vm_tests::repository;

use super::driver::{Ended, Run};

/// The data of a run that is embedded in its page.
fn trace(out: &Path) -> Value {
    let page = fs::read_to_string(out.join("trace.html")).unwrap();
    let (_, data) = page.split_once("type=\"application/json\">").unwrap();
    let (data, rest) = data.split_once("</script>").unwrap();
    assert_eq!(
        rest.matches("</script>").count(),
        1,
        "only the page's own script follows"
    );
    serde_json::from_str(data).unwrap()
}

fn steps(trace: &Value) -> &Vec<Value> {
    trace["steps"].as_array().unwrap()
}

/// The step with the description `what`.
fn step<'a>(trace: &'a Value, what: &str) -> &'a Value {
    let mut all = steps(trace).iter();
    all.find(|step| step["what"] == what)
        .unwrap_or_else(|| panic!("no {what} in {trace}"))
}

#[test]
fn a_failing_script_leaves_its_message() {
    let run = Run::booting(&[("machine", "minimal")]);
    let script = "\
machine.wait_for_console_text('Linux version')
with subtest('outer'):
    with machine.nested('inner'):
        machine.succeed('echo a reason; exit 3')
";
    let log = run.run(script).failed(1);
    let last = log.lines().last().unwrap();
    assert_eq!(
        last,
        format!("trace: {}", run.out().join("trace.html").display())
    );

    let trace = trace(run.out());
    assert_eq!(
        (&trace["title"], &trace["outcome"]),
        (&"script".into(), &"failed".into())
    );
    let failing = &steps(&trace)[usize::try_from(trace["root_cause"].as_u64().unwrap()).unwrap()];
    assert_eq!(failing["what"], "must succeed: echo a reason; exit 3");
    let mut chain = Vec::new();
    let mut step = failing;
    while let Some(outer) = step["parent"].as_u64() {
        step = &steps(&trace)[usize::try_from(outer).unwrap()];
        chain.push(step["what"].as_str().unwrap());
    }
    assert_eq!(chain, ["inner", "subtest: outer", "run the VM test script"]);
    assert!(
        step["error"].as_str().unwrap().starts_with("Traceback"),
        "{step}"
    );
    let command = &failing["entries"][0]["command"];
    assert_eq!(
        (&command["status"], &command["output"]["text"]),
        (&3.into(), &"a reason\n".into())
    );

    let console = trace["machines"][0]["console"]["lines"].as_array().unwrap();
    assert!(
        console
            .iter()
            .any(|line| line.as_str().unwrap().contains("Linux version"))
    );
    let pictures = trace["pictures"].as_array().unwrap();
    assert!(
        pictures[0]
            .as_str()
            .unwrap()
            .starts_with("data:image/png;base64,")
    );
    assert!(run.out().join("machine-at-failure.png").exists());
    let start = self::step(&trace, "starting vm").to_string();
    assert!(start.contains("qemu-system-x86_64"), "{start}");
}

#[test]
fn the_failing_example_shows_its_error() {
    let run = Run::new(&[("client", "systemd"), ("server", "systemd")]);
    let example = repository().join("driver/examples/fails.py");
    let command = &mut run.command();
    let log = Ended::of(command.args(["--vlans", "1", "--"]).arg(example)).failed(1);
    let failed_step = "    client: must succeed: curl";
    assert!(log.contains(failed_step), "{log}");
    let trace = trace(run.out());
    let failing = usize::try_from(trace["root_cause"].as_u64().unwrap()).unwrap();
    let error = steps(&trace)[failing]["error"].as_str().unwrap();
    assert!(
        error.contains("curl: (7) Failed to connect to server port 80"),
        "{error}"
    );
    // The picture contains the positions of recognized words.
    let reading = step(&trace, "waiting for login|root@ to appear on screen");
    let words = reading["entries"].as_array().unwrap().last().unwrap()["picture"]["words"].as_str();
    assert!(words.unwrap().contains("\"server\""), "{reading}");
}

#[test]
fn hostile_output_leaves_a_page_that_is_valid_and_small() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = r#"
machine.execute(r"printf '</script><b>\033[2J\000\377'")
machine.succeed("echo '<img src=x>' >/dev/ttyS0; head -c 1000000 /dev/zero | tr '\\0' '<' >/tmp/block; for ((i = 0; i < 100; i++)); do dd if=/tmp/block bs=1000000; done")
"#;
    run.run(script).passed();
    let page = fs::metadata(run.out().join("trace.html")).unwrap();
    assert!(page.len() < 3_000_000, "{}", page.len());
    let trace = trace(run.out());
    let output = &step(&trace, r"printf '</script><b>\033[2J\000\377'")["entries"][0];
    assert_eq!(
        output["command"]["output"]["text"],
        "</script><b>\\x1b[2J\\x00\u{fffd}"
    );
    let flood = steps(&trace).iter().find_map(|step| {
        let output = &step["entries"][0]["command"]["output"];
        output["cut"].is_object().then_some(output)
    });
    let cut = &flood.unwrap()["cut"];
    assert!(cut["left_out"].as_u64().unwrap() > 99_000_000, "{cut}");
    let files = run.out().join(trace["files"].as_str().unwrap());
    let whole = fs::metadata(files.join(cut["file"].as_str().unwrap())).unwrap();
    assert_eq!(whole.len(), 100_000_000);
}

#[test]
fn every_run_leaves_a_page() {
    let run = Run::new(&[]);
    let log = run.out().join("log.xml");
    let script = run.script("with log.nested('a part'):\n    log.info('a <word>')\n");
    Ended::of(run.command().env("LOGFILE", &log).arg(script)).passed();
    let passed = trace(run.out());
    assert_eq!(passed["outcome"], "passed");
    assert!(step(&passed, "a <word>")["parent"].is_u64());
    let log = fs::read_to_string(log).unwrap();
    let nested = "<nest><head>a part</head><line>a &lt;word&gt;</line>";
    assert!(log.contains(nested) && log.ends_with("</logfile>"), "{log}");

    run.run("raise Exception('no machine yet')").failed(1);
    let failed = trace(run.out());
    assert_eq!(failed["outcome"], "failed");
    assert!(
        failed["message"].as_str().unwrap().contains("line 1"),
        "{failed}"
    );

    run.run("if True\n    pass\n").failed(2);
    let message = trace(run.out())["message"].to_string();
    assert!(message.contains("script.py:1: expected ':'"), "{message}");

    // A caught exception does not fail the run. Each thread has its own steps.
    let script = "\
import threading
def nest(name):
    with log.nested(name):
        pass
with subtest('outer'):
    thread = threading.Thread(target=nest, args=['of a thread'])
    thread.start()
    thread.join()
    nest('of the script')
try:
    with subtest('tried'):
        raise Exception('caught')
except Exception:
    pass
";
    run.run(script).passed();
    let caught = trace(run.out());
    assert_eq!(
        (&caught["outcome"], &caught["root_cause"]),
        (&"passed".into(), &Value::Null)
    );
    assert_eq!(step(&caught, "subtest: tried")["outcome"], "failed");
    assert_eq!(step(&caught, "of a thread")["parent"], Value::Null);
    let outer = steps(&caught)
        .iter()
        .position(|step| step["what"] == "subtest: outer");
    assert_eq!(step(&caught, "of the script")["parent"], outer.unwrap());
}

#[test]
fn a_timed_out_run_shows_its_current_step() {
    let run = Run::new(&[]);
    let script = run.script("import time\nwith subtest('endless'):\n    time.sleep(1000)\n");
    let command = &mut run.command();
    let log = Ended::of(command.args(["--global-timeout", "10"]).arg(script)).failed(124);
    assert!(log.contains("script ran out of time in "), "{log}");
    let trace = trace(run.out());
    assert_eq!(trace["outcome"], "timed-out");
    let failing = usize::try_from(trace["root_cause"].as_u64().unwrap()).unwrap();
    assert_eq!(steps(&trace)[failing]["what"], "subtest: endless");
}
