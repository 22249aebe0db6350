"""Says what each operation gives that any driver can carry out on any guest, and, on
one with systemd, on units."""

import socket
from pathlib import Path


def say(what, operation, only_type=False):
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


say("name", lambda: (machine.name, repr(machine), machine.state_dir.name))
say("paths", lambda: (machine.monitor_path.name, machine.shared_dir.name))
say("before", state)
say("no shutdown", machine.shutdown)
say("no crash", machine.crash)
say("no end", machine.wait_for_shutdown)
say("start", machine.start)
say("started", state)
say("connect", machine.connect)
say("connected", state)

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
    say(f"execute {command}", lambda: machine.execute(command))
say("no status", lambda: machine.execute("echo out; false", check_return=False))
say("time-out", lambda: machine.execute("echo out; exec sleep 100", timeout=10))
say("endless", lambda: machine.execute("echo out", timeout=None))
say("succeed", lambda: machine.succeed("echo a", "echo b", timeout=60))
say("succeed nothing", machine.succeed)
say("does not succeed", lambda: machine.succeed("echo a", "false"))
say("fail", lambda: machine.fail("echo a; false", "exit 7"))
say("does not fail", lambda: machine.fail("true"))
say("wait_until_succeeds", lambda: machine.wait_until_succeeds("echo now"))
say("wait times out", lambda: machine.wait_until_succeeds("false", timeout=1))
say("wait_until_fails", lambda: machine.wait_until_fails("echo not; false"))
say("sleep", lambda: machine.sleep(1))
say("retry", lambda: retry(lambda last: True))
say("retry times out", lambda: retry(lambda last: False, timeout=1))

say("wait_for_file", lambda: machine.wait_for_file("/proc/self"))
say("of a user", lambda: machine.wait_for_file("~root"))
say("no file", lambda: machine.wait_for_file("/no/such/file", timeout=1))
source = Path(machine.out_dir) / "source"
(source / "dir").mkdir(parents=True)
(source / "dir" / "file").write_text("text\n")
say("copy_from_host", lambda: machine.copy_from_host(str(source), "/tmp/a/b"))
say("copied", lambda: machine.succeed("cat /tmp/a/b/dir/file"))
say("via shell", lambda: machine.copy_from_host_via_shell(str(source / "dir/file"), "/tmp/c"))
say("copied", lambda: machine.succeed("cat /tmp/c"))
say("copy_from_vm", lambda: machine.copy_from_vm("/tmp/a/b", "into"))
say("copied", lambda: (machine.out_dir / "into/b/dir/file").read_text())
say("no such file", lambda: machine.copy_from_vm("/no/such/file"))

machine.succeed("(while :; do nc -l -p 1025; done) </dev/null >/dev/null 2>&1 &")
say("wait_for_open_port", lambda: machine.wait_for_open_port(1025))
say("as text", lambda: machine.wait_for_open_port("1025"))
say("not open", lambda: machine.wait_for_open_port(1024, timeout=1))
say("wait_for_closed_port", lambda: machine.wait_for_closed_port(1024))

say("monitor", lambda: machine.send_monitor_command("info status"), only_type=True)
say("send_key", lambda: machine.send_key("shift"))
say("send_key", lambda: machine.send_key("A", delay=None, log=False))
say("send_chars", lambda: machine.send_chars("ab _\n"))
say("get_tty_text", lambda: machine.get_tty_text("1"), only_type=True)
machine.succeed("echo shown on it >/dev/tty1")
say("tty", lambda: machine.wait_until_tty_matches("1", r"(?<=shown) on"))
say("not on tty", lambda: machine.wait_until_tty_matches("1", "never", timeout=1))
machine.succeed("echo on the console >/dev/console")
say("console", lambda: machine.wait_for_console_text("on (the) console"))
say("not on console", lambda: machine.wait_for_console_text("never", timeout=1))
say("send_console", lambda: machine.send_console("\n"))
say("log", lambda: machine.log("a message"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    host_port = free.getsockname()[1]
say("forward_port", lambda: machine.forward_port(host_port, 80))

if machine.execute("[ -d /run/systemd/system ]")[0] == 0:
    target = "multi-user.target"
    say("wait_for_unit", lambda: machine.wait_for_unit(target))
    say("no unit", lambda: machine.wait_for_unit("no-such.service"))
    info = machine.get_unit_info(target)
    say("get_unit_info", lambda: (type(info), sorted(info), info["Description"]))
    say("systemctl", lambda: machine.systemctl("is-active multi-user.target"))
    say("systemctl fails", lambda: machine.systemctl("is-active no-such.service"))
    say("state", lambda: machine.require_unit_state(target))
    say("other state", lambda: machine.require_unit_state(target, "inactive"))
    say("stop_job", lambda: machine.stop_job("cron"))
    say("start_job", lambda: machine.start_job("no-such.service"))
    say("wait_for_job", lambda: machine.wait_for_job(target))
    say("dump_tty_contents", lambda: machine.dump_tty_contents("1"))

say("shutdown", machine.shutdown)
say("off", state)
say("shutdown again", machine.shutdown)
say("start", machine.start)
# The reference returns output that was not requested as that of the next command.
say("no output", lambda: machine.execute("echo out", check_output=False))
say("crash", machine.crash)
say("off", state)
say("start", machine.start)
machine.process.kill()
say("killed", lambda: (machine.process.wait(), machine.process.returncode))
machine.booted = False
machine.connected = False
machine.pid = None
say("forgotten", lambda: state()[:4])
say("start", machine.start)
say("release", machine.release)
