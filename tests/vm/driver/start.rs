use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use vm_tests::{driver, start_script};

use super::{Ended, Run};

/// Writes a configuration as Nix does.
pub(super) fn config(dir: &Path, vms: &[(&str, &Path)], script: &Path) -> PathBuf {
    let vms = vms.iter().map(|(name, start_script)| {
        let vm = json!({"name": "not-used", "start_script": start_script});
        ((*name).to_owned(), vm)
    });
    config_of(dir, &Value::Object(vms.collect()), &json!({}), script)
}

/// The same with nodes that are described as in the configuration.
pub(super) fn config_of(dir: &Path, vms: &Value, containers: &Value, script: &Path) -> PathBuf {
    let config = json!({
        "vms": vms,
        "containers": containers,
        "vlans": [1],
        "global_timeout": 1000,
        "enable_ssh_backdoor": false,
        "test_script": script,
    });
    let path = dir.join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    path
}

/// The driver, started by a configuration. The output directory is created.
pub(super) fn configured(run: &Run, config: &Path) -> Command {
    let mut command = Command::new(driver());
    let log_level = ["--log-level", "info"];
    command
        .arg("--config")
        .arg(config)
        .args(log_level)
        .arg("-o");
    command
        .arg(run.out().join("new/out"))
        .env("TMPDIR", run.out())
        .env_remove("XDG_RUNTIME_DIR");
    command
}

/// Two machines on a network, whose start scripts have other names than the machines.
#[test]
fn a_configuration_describes_a_run() {
    // The scripts of the configuration pass the names to those of the image.
    let run = Run::booting(&[("server", "minimal"), ("a-client", "minimal")]);
    let [server, client] = ["start.sh", "another"].map(|name| run.out().join(name));
    for (start, image) in [&server, &client].into_iter().zip(&run.start_scripts) {
        let text = format!("#!/bin/sh\nexec {} \"$@\"\n", image.display());
        fs::write(start, text).unwrap();
        fs::set_permissions(start, Permissions::from_mode(0o755)).unwrap();
    }
    let script = run.script(
        "\
assert [vm.name for vm in machines] == ['a-client', 'server'], machines
assert (a_client, server) == (machines[0], machines[1])
assert os.environ['VM_NODES'] == 'a-client server' and vlan1.nr == 1
start_all()
server.connect()
a_client.wait_until_succeeds('ping -c 1 -W 1 server', timeout=60)
assert server.state_dir.name == 'vm-state-server'
assert driver.config.global_timeout.total_seconds() == 1000 and list(driver.config.vms) == ['a-client', 'server']
assert 'driver.config' in driver.tests
log.debug('a detail')
log.info('an info')
",
    );
    let config = config(
        run.out(),
        &[("server", &server), ("a-client", &client)],
        &script,
    );
    let ended = Ended::of(&mut configured(&run, &config));
    let log = ended.stderr.clone();
    ended.passed();
    assert!(run.out().join("new/out/trace.html").exists());
    assert!(
        log.contains("an info") && !log.contains("a detail"),
        "{log}"
    );
}

#[test]
fn a_script_can_run_another_driver() {
    let run = Run::booting(&[]);
    let inner = run.script("raise Exception('not run')");
    let inner = config(run.out(), &[("inner", &start_script("minimal"))], &inner);
    let script = format!(
        "\
from test_driver.driver import Driver, load_driver_configuration
with Driver(
    config=load_driver_configuration({inner:?}),
    out_dir=driver.out_dir,
    logger=driver.logger,
    interactive=True,
) as another:
    assert [vlan.nr for vlan in another.vlans] == [1] and driver.vlans == []
    print(another.machines_qemu[0].succeed('echo up'), machines)
assert not another.machines[0].booted
try:
    load_driver_configuration(driver.out_dir / 'script.py')
except ValueError as error:
    assert 'script.py: ' in str(error), error
"
    );
    assert_eq!(run.run(&script).passed(), "up\n []\n");
}

#[test]
fn the_script_is_an_argument_or_an_option() {
    let run = Run::booting(&[]);
    let other = run.script("raise Exception('not this script')");
    let config = config(run.out(), &[("server", &start_script("minimal"))], &other);
    let script = run.out().join("option.py");
    fs::write(&script, "print(machines)").unwrap();
    let mut command = configured(&run, &config);
    command.arg("--test-script").arg(&script);
    // As Nix abbreviates them.
    command.args(["--interactive", "--no-interactive", "--junit=junit.xml"]);
    let printed = Ended::of(&mut command).passed();
    assert_eq!(printed, "[<Machine 'server'>]\n");
    assert!(run.out().join("new/out/junit.xml").exists());
    let reason = Ended::of(command.arg(&script)).failed(2);
    assert!(reason.contains("cannot be used with"), "{reason}");
}

/// It can be read only once, also if the driver executes itself again for a locale.
#[test]
fn the_script_may_be_a_pipe() {
    let run = Run::booting(&[]);
    for (text, status) in [("print('ä piped script')", 0), ("1 / 0", 1)] {
        let mut command = Command::new("bash");
        command
            .args(["-c", r#"exec "$0" -o "$1" <(printf %s "$2")"#])
            .arg(driver())
            .args([run.out().as_os_str(), text.as_ref()])
            .env_remove("LANG")
            .env_remove("LC_ALL");
        let ended = Ended::of(&mut command);
        if status == 0 {
            assert_eq!(ended.passed(), "ä piped script\n");
        } else {
            let failure = ended.failed(status);
            assert!(failure.contains("1 / 0\n"), "{failure}");
        }
    }
}

#[test]
fn options_take_precedence_over_a_configuration() {
    let run = Run::booting(&[("other", "minimal")]);
    let script = run.script("raise Exception('not this script')");
    let config = config(run.out(), &[("server", &start_script("minimal"))], &script);
    let other = run.out().join("other.py");
    fs::write(&other, "print(machines, vlans, driver.global_timeout)").unwrap();
    let mut command = configured(&run, &config);
    command.arg("--start-scripts").args(&run.start_scripts);
    command
        .args(["--vlans", "--global-timeout", "30", "--"])
        .arg(other);
    // The environment gives way to both.
    command
        .env("vmNames", "a b")
        .env("testScript", "/no/such/file");
    assert_eq!(
        Ended::of(&mut command).passed(),
        "[<Machine 'other'>] [] 0:00:30\n"
    );
}

#[test]
fn invalid_configurations_are_one_line() {
    let run = Run::booting(&[]);
    let script = run.script("");
    let start_script = start_script("minimal");
    let valid = config(run.out(), &[("vm", &start_script)], &script);
    let valid = fs::read_to_string(valid).unwrap();
    let start_script = start_script.to_str().unwrap();
    let (config, missing) = (run.out().join("bad.json"), run.out().join("missing"));
    for (text, reason) in [
        ("{".to_owned(), "EOF while parsing"),
        (valid.replace("vlans", "lans"), "missing field `vlans`"),
        (valid.replace("1000", "-1"), "`global_timeout` is -1"),
        (valid.replace("1000", "true"), "`global_timeout` is true"),
        (
            valid.replace("1000", "\"soon\""),
            "`global_timeout` is \"soon\"",
        ),
        (
            valid.replace(start_script, missing.to_str().unwrap()),
            "missing: No such file",
        ),
        (
            valid.replace(start_script, "/dev/null"),
            "/dev/null: not an executable file",
        ),
        (valid.replace("script.py", "no.py"), "no.py: No such file"),
        (
            valid.replace("\"vm\"", "\"x y\""),
            "\"x y\" can't be a machine's name",
        ),
        (
            valid.replace("\"containers\":{", "\"containers\":{\"c\":0"),
            "expected struct Container",
        ),
        (
            valid.replace(
                "\"containers\":{",
                r#""containers":{"c":{"start_script":"/no\n\u001b/start"}"#,
            ),
            r"/no\n\u{1b}/start: No such file",
        ),
        (
            valid.replace(start_script, r"/no\n\u001b/start"),
            r"/no\n\u{1b}/start: No such file",
        ),
        (valid.replace("script.py", r"no\n.py"), r"no\n.py: No such"),
    ] {
        fs::write(&config, &text).unwrap();
        let stderr = Ended::of(&mut configured(&run, &config)).failed(2);
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(reason), "no {reason} in {stderr}");
    }
}

#[test]
fn names_and_start_scripts_in_the_environment() {
    let run = Run::booting(&[]);
    let start = start_script("minimal");
    let script = run.script("print([vm.name for vm in machines], vlans, b is machines[1])");
    let scripts = format!("{0} {0}", start.display());
    let mut command = Command::new(driver());
    command
        .current_dir(run.out())
        .env("vmNames", "a b")
        .env("vmStartScripts", scripts);
    command
        .env("testScript", script)
        .env("vlans", "")
        .env("containerNames", "");
    assert_eq!(Ended::of(&mut command).passed(), "['a', 'b'] [] True\n");
}

#[test]
fn names_and_start_scripts_as_options() {
    let run = Run::booting(&[]);
    let start = start_script("minimal");
    let script = run.script("print([vm.name for vm in machines], b is machines[1])");
    let mut command = Command::new(driver());
    command.current_dir(run.out());
    command.arg("--vm-start-scripts").args([&start, &start]);
    command.args(["--vm-names", "a", "b"]);
    command.args(["--container-names", "--container-start-scripts", "--"]);
    let output = Ended::of(command.arg(script)).passed();
    assert_eq!(output, "['a', 'b'] True\n");
}

/// A start script may have any name.
#[test]
fn a_start_script_of_another_name_starts_the_machine() {
    let run = Run::booting(&[]);
    for (file, name) in [("hash-run-vm-vm", "vm"), ("start.sh", "machine")] {
        let start = run.out().join(file);
        symlink(start_script("minimal"), &start).unwrap();
        let script = run.script("print(machine.name, machine.succeed('echo up'), end='')");
        let mut command = run.command();
        command
            .arg("--start-scripts")
            .arg(start)
            .arg("--")
            .arg(script);
        assert_eq!(Ended::of(&mut command).passed(), format!("{name} up\n"));
    }
}

#[test]
fn the_log_level_is_an_option_or_a_variable() {
    let run = Run::booting(&[]);
    let script = run.script(
        "log.debug('a detail')\nlog.info('an info')\nlog.warning('a warning')\nlog.log('always')",
    );
    for (level, shown) in [
        ("debug", vec!["a detail", "an info", "a warning", "always"]),
        ("info", vec!["an info", "a warning", "always"]),
        ("warning", vec!["a warning", "always"]),
        ("error", vec!["always"]),
    ] {
        let by_option = Ended::of(run.command().args(["--log-level", level]).arg(&script));
        let by_variable = Ended::of(run.command().arg(&script).env("logLevel", level));
        for ended in [by_option, by_variable] {
            let log = ended.stderr.clone();
            ended.passed();
            for message in ["a detail", "an info", "a warning", "always"] {
                let is_shown = log.contains(message);
                assert_eq!(is_shown, shown.contains(&message), "{level}: {log}");
            }
        }
    }
}

#[test]
fn the_state_is_kept_under_the_newer_option() {
    let run = Run::booting(&[("machine", "minimal")]);
    let script = run.script("assert driver.keep_machine_state and machine.keep_machine_state");
    Ended::of(run.command().arg("--keep-machine-state").arg(script)).passed();
    assert!(run.out().join("vm-state-machine").exists());
}

#[test]
fn the_sockets_of_the_ssh_backdoor_are_printed() {
    let run = Run::booting(&[("client", "minimal"), ("server-1", "minimal")]);
    let script = run.script("dump_machine_ssh()");
    let printed = |number: &str| {
        let number = format!("--dump-vsocks={number}");
        Ended::of(run.command().arg(number).arg(&script)).passed()
    };
    let output = printed("2");
    let (before_the_script, by_the_script) = output.split_at(output.len() / 2);
    assert_eq!(before_the_script, by_the_script);
    let machines = "
    client:    ssh -o User=root vsock/3
    server-1:  ssh -o User=root vsock/4\n";
    assert!(by_the_script.ends_with(machines), "{by_the_script}");
    assert!(
        by_the_script.contains("systemd-ssh-proxy(1)"),
        "{by_the_script}"
    );
    assert_eq!(printed("0"), "");
    // The arguments of older scripts.
    let script = "dump_machine_ssh(2)\nprint(client.ssh_backdoor_command(7))\n";
    let output = run.run(script).passed();
    let command = "ssh -o User=root vsock/7\n";
    assert_eq!(output, format!("{by_the_script}{command}"));
}

/// Under the names that Nix uses.
#[test]
fn the_names_of_scripts_are_written_for_nix() {
    let run = Run::booting(&[]);
    let program = run.out().join("generate-driver-symbols");
    symlink(driver(), &program).unwrap();
    Ended::of(Command::new(program).current_dir(run.out())).passed();
    let names = fs::read_to_string(run.out().join("driver-symbols")).unwrap();
    let names: Vec<&str> = names.split(',').collect();
    for name in [
        "start_all",
        "dump_machine_ssh",
        "machines_nspawn",
        "NspawnMachine",
        "t",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(!names.contains(&"machine"), "{names:?}");

    let program = run.out().join("nixos-test-driver");
    symlink(driver(), &program).unwrap();
    let mut command = Command::new(program);
    command
        .current_dir(run.out())
        .arg(run.script("print(machines_nspawn)"));
    assert_eq!(Ended::of(&mut command).passed(), "[]\n");
}
