"""Prints the results of all operations that every driver has. On a guest with systemd, those
of units are included."""

import socket
from pathlib import Path


def report(what, operation, only_type=False):
    try:
        value = operation()
    except Exception as error:
        print(what, "raises", flush=True)
    else:
        shown = "" if only_type else repr(value)
        print(what, type(value).__name__, shown, flush=True)


def state():
    process = machine.process
    ended = process and process.poll()
    return machine.booted, machine.connected, machine.is_up(), machine.pid is None, ended


report("name", lambda: (machine.name, repr(machine), machine.state_dir.name))
report("paths", lambda: (machine.monitor_path.name, machine.shared_dir.name))
report("before", state)
report("no shutdown", machine.shutdown)
report("no crash", machine.crash)
report("no end", machine.wait_for_shutdown)
report("start", machine.start)
report("started", state)
report("connect", machine.connect)
report("connected", state)

for command in [
    "echo out; echo err >&2; exit 3",
    "printf 'no newline'",
    r"printf 'a\xffb\n\n'",
    "echo $undefined",
    "false | true",
    "false; echo not here",
    "seq 2000",
    "true",
    "echo 'quoted \"$HOME\"' # comment",
    "kill -9 $BASHPID",
    "no-such-command",
]:
    report(f"execute {command}", lambda: machine.execute(command))
report("no status", lambda: machine.execute("echo out; false", check_return=False))
report("time-out", lambda: machine.execute("echo out; exec sleep 100", timeout=10))
report("endless", lambda: machine.execute("echo out", timeout=None))
report("succeed", lambda: machine.succeed("echo a", "echo b", timeout=60))
report("succeed nothing", machine.succeed)
report("does not succeed", lambda: machine.succeed("echo a", "false"))
report("fail", lambda: machine.fail("echo a; false", "exit 7"))
report("does not fail", lambda: machine.fail("true"))
report("wait_until_succeeds", lambda: machine.wait_until_succeeds("echo now"))
report("wait times out", lambda: machine.wait_until_succeeds("false", timeout=1))
report("wait_until_fails", lambda: machine.wait_until_fails("echo not; false"))
report("sleep", lambda: machine.sleep(1))
report("retry", lambda: retry(lambda last: True))
report("retry times out", lambda: retry(lambda last: False, timeout=1))

report("wait_for_file", lambda: machine.wait_for_file("/proc/self"))
report("of a user", lambda: machine.wait_for_file("~root"))
report("no file", lambda: machine.wait_for_file("/no/such/file", timeout=1))
source = Path(machine.out_dir) / "source"
(source / "dir").mkdir(parents=True)
(source / "dir" / "file").write_text("text\n")
report("copy_from_host", lambda: machine.copy_from_host(str(source), "/tmp/a/b"))
report("copied", lambda: machine.succeed("cat /tmp/a/b/dir/file"))
report("via shell", lambda: machine.copy_from_host_via_shell(str(source / "dir/file"), "/tmp/c"))
report("copied", lambda: machine.succeed("cat /tmp/c"))
report("copy_from_vm", lambda: machine.copy_from_vm("/tmp/a/b", "into"))
report("copied", lambda: (machine.out_dir / "into/b/dir/file").read_text())
report("no such file", lambda: machine.copy_from_vm("/no/such/file"))

machine.succeed("(while :; do nc -l -p 1025; done) </dev/null >/dev/null 2>&1 &")
report("wait_for_open_port", lambda: machine.wait_for_open_port(1025))
report("as text", lambda: machine.wait_for_open_port("1025"))
report("not open", lambda: machine.wait_for_open_port(1024, timeout=1))
report("wait_for_closed_port", lambda: machine.wait_for_closed_port(1024))

report("monitor", lambda: machine.send_monitor_command("info status"), only_type=True)
report("send_key", lambda: machine.send_key("shift"))
report("send_key", lambda: machine.send_key("A", delay=None, log=False))
report("send_chars", lambda: machine.send_chars("ab _\n"))
report("get_tty_text", lambda: machine.get_tty_text("1"), only_type=True)
machine.succeed("echo shown on it >/dev/tty1")
report("tty", lambda: machine.wait_until_tty_matches("1", r"(?<=shown) on"))
report("not on tty", lambda: machine.wait_until_tty_matches("1", "never", timeout=1))
machine.succeed("echo on the console >/dev/console")
report("console", lambda: machine.wait_for_console_text("on (the) console"))
report("not on console", lambda: machine.wait_for_console_text("never", timeout=1))
report("send_console", lambda: machine.send_console("\n"))
report("log", lambda: machine.log("a message"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    host_port = free.getsockname()[1]
report("forward_port", lambda: machine.forward_port(host_port, 80))

if machine.execute("[ -d /run/systemd/system ]")[0] == 0:
    target = "multi-user.target"
    report("wait_for_unit", lambda: machine.wait_for_unit(target))
    report("no unit", lambda: machine.wait_for_unit("no-such.service"))
    info = machine.get_unit_info(target)
    report("get_unit_info", lambda: (type(info), sorted(info), info["Description"]))
    report("systemctl", lambda: machine.systemctl("is-active multi-user.target"))
    report("systemctl fails", lambda: machine.systemctl("is-active no-such.service"))
    report("state", lambda: machine.require_unit_state(target))
    report("other state", lambda: machine.require_unit_state(target, "inactive"))
    report("stop_job", lambda: machine.stop_job("cron"))
    report("start_job", lambda: machine.start_job("no-such.service"))
    report("wait_for_job", lambda: machine.wait_for_job(target))
    report("dump_tty_contents", lambda: machine.dump_tty_contents("1"))

report("shutdown", machine.shutdown)
report("off", state)
report("shutdown again", machine.shutdown)
report("start", machine.start)
# The reference returns output that was not requested as that of the next command.
report("no output", lambda: machine.execute("echo out", check_output=False))
report("crash", machine.crash)
report("off", state)
report("start", machine.start)
machine.process.kill()
report("killed", lambda: (machine.process.wait(), machine.process.returncode))
machine.booted = False
machine.connected = False
machine.pid = None
report("forgotten", lambda: state()[:4])
report("start", machine.start)
report("release", machine.release)
