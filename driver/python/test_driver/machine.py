"""One virtual machine, as scripts see it.

The work is done in Rust, by the class of the same name in the crate `machine`; what is
here are the names, arguments and defaults that scripts know, and Python's own regular
expressions.
"""

import re
import shlex
import time
from contextlib import _GeneratorContextManager
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Pattern,
    Tuple,
    Union,
)

import _vmwright
from test_driver.errors import MachineError, RequestedAssertionFailed
from test_driver.keys import CHAR_TO_KEY  # noqa: F401, for scripts
from test_driver.logger import Logger, rootlog
from test_driver.qemu import Lines, Monitor, Process, Shell
from test_driver.start_command import LegacyStartCommand, NixStartScript, StartCommand

# The longest pause between two looks of `retry`, in seconds.
LONGEST_PAUSE = 1.0


def make_command(args: Iterable[Any]) -> str:
    """A command of the shell's, of its words."""
    return " ".join(shlex.quote(str(arg)) for arg in args)


# A regular expression of Python's, compiled or not.
Regex = Union[str, Pattern[str]]


def retry(
    fn: Callable, timeout: int = 900, *, timeout_seconds: Optional[int] = None
) -> None:
    """Calls `fn` until it returns true: again and again for `timeout` seconds, with
    False; and with True for a last time. `timeout_seconds` is its newer name."""
    if timeout_seconds is not None:
        timeout = timeout_seconds
    deadline = time.monotonic() + timeout
    pause = 0.05
    while (left := deadline - time.monotonic()) > 0:
        if fn(False):
            return
        time.sleep(min(pause, max(left, 0)))
        pause = min(pause * 1.5, LONGEST_PAUSE)
    if not fn(True):
        raise RequestedAssertionFailed(f"action timed out after {timeout} seconds")


def _search(regex: Regex) -> Tuple[str, Callable[[str], Optional[Tuple[int, int]]]]:
    """A regular expression as it is written, and where it matches. `^` and `$` are the
    ends of lines, unless it was compiled otherwise."""
    if isinstance(regex, str):
        regex = re.compile(regex, re.MULTILINE)
    pattern = regex

    def search(text: str) -> Optional[Tuple[int, int]]:
        match = pattern.search(text)
        return match.span() if match else None

    return pattern.pattern, search


def _expandable(path: str) -> Optional[str]:
    """A word of the shell's for a path which it has to expand: with `~` or `~user` before
    it, or `*`, `?` or `[]` in it; all else stays as it is."""
    home = re.match(r"~[\w.-]*(?=/|$)", path)
    rest = path[home.end() :] if home else path
    parts = re.split(r"([*?\[\]]+)", rest)
    if home is None and len(parts) == 1:
        return None
    # Those at odd places are what splits.
    words = [part if at % 2 else shlex.quote(part) for at, part in enumerate(parts) if part]
    return (home.group() if home else "") + "".join(words)


class Trouble(NamedTuple):
    """A sign of trouble that a machine's console has shown."""

    name: str
    # The first that showed it.
    line: str
    count: int


class Machine:
    """A virtual machine.

    Time-outs are in seconds; None is endless. An operation that fails raises
    RequestedAssertionFailed if what was demanded does not hold, or else MachineError.
    """

    name: str
    out_dir: Path
    tmp_dir: Path
    shared_dir: Path
    state_dir: Path
    monitor_path: Path
    qmp_path: Path
    shell_path: Path

    start_command: StartCommand
    keep_vm_state: bool

    callbacks: List[Callable]
    logger: Logger

    def __repr__(self) -> str:
        return f"<Machine '{self.name}'>"

    def __init__(
        self,
        out_dir: Path,
        tmp_dir: Path,
        start_command: StartCommand,
        name: str = "machine",
        keep_vm_state: bool = False,
        callbacks: Optional[List[Callable]] = None,
        templates: Optional[Path] = None,
    ) -> None:
        self.out_dir = Path(out_dir)
        self.tmp_dir = Path(tmp_dir)
        self.keep_vm_state = keep_vm_state
        self.name = name
        self.start_command = start_command
        self.callbacks = callbacks if callbacks is not None else []
        self.logger = rootlog
        self._process: Optional[Process] = None
        # What a script has said of this start, against what it finds otherwise.
        self._said: Dict[str, Any] = {}
        self._vm = _vmwright.Machine(
            # It is looked at before each start, as a script may have changed it.
            lambda: self.start_command._native(),
            name,
            self.out_dir,
            self.tmp_dir,
            keep_vm_state,
            templates,
            self.run_callbacks,
        )
        self.shared_dir = self._vm.shared_dir
        self.state_dir = self._vm.state_dir
        self.monitor_path = self.state_dir / "monitor"
        self.qmp_path = self.state_dir / "qmp"
        self.shell_path = self.state_dir / "shell"

    @staticmethod
    def create_startcommand(args: Dict[str, str]) -> StartCommand:
        """The start command of an ad-hoc machine; a start script is better."""
        hda = None
        if args.get("hda"):
            hda = (Path(args["hda"]), args.get("hdaInterface", ""))
        return LegacyStartCommand(
            netBackendArgs=args.get("netBackendArgs"),
            netFrontendArgs=args.get("netFrontendArgs"),
            hda=hda,
            cdrom=args.get("cdrom"),
            usb=args.get("usb"),
            bios=args.get("bios"),
            qemuBinary=args.get("qemuBinary"),
            qemuFlags=args.get("qemuFlags"),
        )

    # What it is at the moment

    @property
    def pid(self) -> Optional[int]:
        """The process number of QEMU, if it runs."""
        return self._now("pid", self._vm.pid)

    @pid.setter
    def pid(self, pid: Optional[int]) -> None:
        self._said["pid"] = pid

    @property
    def booted(self) -> bool:
        """Whether it was started, and neither shut down nor released since. A script may
        set it to False to be done with this QEMU: the next start makes another, and
        nothing is asked of the guest at the end."""
        return self._now("booted", self._vm.booted)

    @booted.setter
    def booted(self, booted: bool) -> None:
        self._said["booted"] = booted

    @property
    def connected(self) -> bool:
        """Whether its root shell is connected. A script may set it to False when it
        has made the guest restart: the next command waits for it to be back."""
        return self._vm.connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        if not connected and self.connected:
            self._vm.disconnect()

    @property
    def process(self) -> Optional[Process]:
        """QEMU as it was last started, if it was."""
        return self._now("process", self._last_process())

    @process.setter
    def process(self, process: Optional[Process]) -> None:
        self._said["process"] = process

    def _now(self, name: str, otherwise: Any) -> Any:
        self._last_process()
        return self._said.get(name, otherwise)

    def _last_process(self) -> Optional[Process]:
        last, pid = self._process, self._vm.pid
        is_another = last is None or (pid is not None and pid != last.pid)
        if self._vm.booted and is_another:
            self._process = Process(self._vm, self.name)
            self._said.clear()
        return self._process

    @property
    def monitor(self) -> Optional[Monitor]:
        """The human monitor, if QEMU runs."""
        return Monitor(self) if self.booted else None

    @property
    def shell(self) -> Optional[Shell]:
        """The root shell's line, if QEMU runs."""
        return Shell(self) if self.booted else None

    @property
    def serial_thread(self) -> None:
        """There is none: consoles are read outside of Python."""

    @property
    def last_lines(self) -> Lines:
        """The console's lines which no wait has gone past."""
        process = self._last_process()
        return process.lines if process else Lines()

    @property
    def keep_machine_state(self) -> bool:
        """A newer name for `keep_vm_state`."""
        return self.keep_vm_state

    def is_up(self) -> bool:
        return self.booted and self.connected

    # The log

    def log(self, msg: str) -> None:
        rootlog.log(msg, {"machine": self.name})

    def log_serial(self, msg: str) -> None:
        rootlog.log_serial(msg, self.name)

    def nested(self, msg: str, attrs: Dict[str, str] = {}) -> _GeneratorContextManager:
        return rootlog.nested(msg, {"machine": self.name, **attrs})

    # Life

    def start(self, allow_reboot: bool = False) -> None:
        """Starts it; does not wait for the guest to boot."""
        if self._now("booted", True) is False:
            self.release()
        self._said.clear()
        self._vm.start(allow_reboot)
        self._last_process()

    def connect(self) -> None:
        """Waits until the guest has booted; starts it if need be."""
        if self.connected:
            return
        if not self.booted:
            self.start()
        self._vm.connect()

    def shutdown(self) -> None:
        """Powers the guest off, and waits for QEMU to end."""
        self._end_by(self._vm.shutdown)

    def crash(self) -> None:
        """Pulls the plug."""
        self._end_by(self._vm.crash)

    def reboot(self) -> None:
        """Presses Ctrl+Alt+Delete; the next command waits for the guest to be back, if
        it was started with `allow_reboot=True`."""
        self._vm.reboot()

    def wait_for_shutdown(self) -> None:
        """Waits for QEMU to end."""
        self._end_by(self._vm.wait_for_shutdown)

    def switch_root(self) -> None:
        """Has systemd leave its initrd, and waits for the root shell after it."""
        self._vm.switch_root()

    def release(self) -> None:
        """Kills QEMU."""
        process = self._last_process()
        if process is not None:
            process.poll()
        self._vm.release()
        if process is not None:
            process.was_released()

    def _end_by(self, operation: Callable[[], Any]) -> None:
        """Ends QEMU, unless it has ended; how it did is remembered."""
        if not self.booted:
            return
        process = self._last_process()
        operation()
        if process is not None:
            process.poll()

    def cleanup_statedir(self) -> None:
        """Kills QEMU and removes the state directory: the machine's end."""
        rootlog.log(f"deleting VM state directory {self.state_dir}")
        rootlog.log("if you want to keep the VM state, pass --keep-vm-state")
        self._vm.cleanup_statedir()

    # Commands

    def execute(
        self,
        command: str,
        check_return: bool = True,
        check_output: bool = True,
        timeout: Optional[int] = 900,
    ) -> Tuple[int, str]:
        """Runs a command with bash, by root, with `set -euo pipefail`; gives its exit
        status and standard output. After `timeout` it is ended, with status 124.

        It has ended when all have closed its standard output: what is to go on in the
        background must be given another (`sleep 1d >&2 &`).

        Without `check_return` the status is -1, also if the guest goes away meanwhile.
        Without `check_output` it is not waited for: (-2, "").
        """
        # A guest that does not boot is nothing that a script may ignore.
        self.connect()
        if not check_output:
            # No one is to wait for what has our standard output.
            command = "{ " + command + "\n} >/dev/null &"
        try:
            status, output = self._vm.execute(command, timeout)
        except MachineError:
            if check_return and check_output:
                raise
            status, output = -1, ""
        if not check_output:
            return (-2, "")
        return (status if check_return else -1, output)

    def succeed(self, *commands: str, timeout: Optional[int] = None) -> str:
        """Runs commands that must all succeed; gives all their output."""
        return "".join(self._vm.succeed(command, timeout) for command in commands)

    def fail(self, *commands: str, timeout: Optional[int] = None) -> str:
        """Runs commands that must all fail; gives all their output."""
        return "".join(self._vm.fail(command, timeout) for command in commands)

    def wait_until_succeeds(self, command: str, timeout: int = 900) -> str:
        """Repeats a command until it succeeds; gives its output."""
        return self._vm.wait_until_succeeds(command, timeout)

    def wait_until_fails(self, command: str, timeout: int = 900) -> str:
        """Repeats a command until it fails; gives its output."""
        return self._vm.wait_until_fails(command, timeout)

    def sleep(self, secs: int) -> None:
        """Lets time pass in the guest."""
        self._vm.sleep(secs)

    def run_callbacks(self) -> None:
        """Calls what is to be called before each command."""
        for callback in self.callbacks:
            callback()

    # Units of systemd's

    def wait_for_unit(
        self, unit: str, user: Optional[str] = None, timeout: int = 900
    ) -> None:
        """Waits until a unit is active. Fails at once if it has failed, or is inactive
        with nothing to start it."""
        self._vm.wait_for_unit(unit, user, timeout)

    def get_unit_info(self, unit: str, user: Optional[str] = None) -> Dict[str, str]:
        """The properties of a unit, as `systemctl show` has them."""
        return self._vm.get_unit_info(unit, user)

    def get_unit_property(
        self, unit: str, property: str, user: Optional[str] = None
    ) -> str:
        """A property of a unit."""
        return self._vm.get_unit_property(unit, property, user)

    def systemctl(self, q: str, user: Optional[str] = None) -> Tuple[int, str]:
        """Runs systemctl, as root or for a user's units: its status and output."""
        return self._vm.systemctl(q, user)

    def require_unit_state(self, unit: str, require_state: str = "active") -> None:
        """Fails if a unit is in another state."""
        self._vm.require_unit_state(unit, require_state)

    def start_job(self, jobname: str, user: Optional[str] = None) -> Tuple[int, str]:
        """Starts a unit: systemctl's status and output."""
        return self.systemctl(f"start {jobname}", user)

    def stop_job(self, jobname: str, user: Optional[str] = None) -> Tuple[int, str]:
        """Stops a unit: systemctl's status and output."""
        return self.systemctl(f"stop {jobname}", user)

    def wait_for_job(self, jobname: str) -> None:
        """Waits until a unit is active."""
        self.wait_for_unit(jobname)

    # Files

    def copy_from_host(self, source: str, target: str) -> None:
        """Copies a file or directory of the host's to `target` in the guest."""
        self._vm.copy_from_host(source, str(target))

    def copy_from_host_via_shell(self, source: str, target: str) -> None:
        """Copies a file of the host's into the guest without a shared directory."""
        self._vm.copy_from_host_via_shell(source, str(target))

    def copy_from_vm(self, source: str, target_dir: str = "") -> None:
        """Copies a file or directory of the guest's into `target_dir`, which is in the
        output directory."""
        self._vm.copy_from_machine(str(source), target_dir)

    def copy_from_machine(self, source: str, target_dir: str = "") -> None:
        """Copies a file or directory of the guest's into `target_dir`, which is in the
        output directory."""
        self._vm.copy_from_machine(str(source), target_dir)

    def wait_for_file(self, filename: str, timeout: int = 900) -> None:
        """Waits until there is a file. `~`, `~user`, `*`, `?` and `[]` are the shell's."""
        word = _expandable(str(filename))
        if word is None:
            self._vm.wait_for_file(str(filename), timeout)
        else:
            look = f"for file in {word}; do if [[ -e $file ]]; then exit; fi; done; false"
            self._vm.wait_until_succeeds(look, timeout)

    # The network

    def wait_for_open_port(
        self, port: int, addr: str = "localhost", timeout: int = 900
    ) -> None:
        """Waits until somebody listens on a TCP port."""
        self._vm.wait_for_open_port(int(port), addr, timeout)

    def wait_for_closed_port(
        self, port: int, addr: str = "localhost", timeout: int = 900
    ) -> None:
        """Waits until nobody listens on a TCP port."""
        self._vm.wait_for_closed_port(int(port), addr, timeout)

    def wait_for_open_unix_socket(
        self, addr: str, is_datagram: bool = False, timeout: int = 900
    ) -> None:
        """Waits until somebody listens on a Unix socket."""
        self._vm.wait_for_open_unix_socket(str(addr), is_datagram, timeout)

    def forward_port(self, host_port: int = 8080, guest_port: int = 80) -> None:
        """Leads a TCP port of the host's into the guest."""
        self._vm.forward_port(int(host_port), int(guest_port))

    def block(self) -> None:
        """Pulls the cable to the other machines."""
        self._vm.block()

    def unblock(self) -> None:
        """Plugs the cable to the other machines in again."""
        self._vm.unblock()

    # Keyboard and terminals

    def send_key(
        self, key: str, delay: Optional[float] = 0.01, log: Optional[bool] = True
    ) -> None:
        """Presses keys, such as `ctrl-alt-delete`, and waits for `delay` seconds."""
        self._vm.send_key(key, delay, bool(log))

    def send_chars(self, chars: str, delay: Optional[float] = 0.01) -> None:
        """Types characters, `delay` seconds apart."""
        self._vm.send_chars(chars, delay)

    def get_tty_text(self, tty: str) -> str:
        """The text on a virtual terminal."""
        return self._vm.get_tty_text(str(tty))

    def wait_until_tty_matches(
        self, tty: str, regexp: str, timeout: int = 900
    ) -> None:
        """Waits until a regular expression matches the text on a virtual terminal."""
        self._vm.wait_until_tty_matches(str(tty), *_search(regexp), timeout)

    def dump_tty_contents(self, tty: str) -> None:
        """Writes the text on a virtual terminal to the guest's journal."""
        self._vm.dump_tty_contents(str(tty))

    def shell_interact(self, address: Optional[str] = None) -> None:
        """A root shell for a person: at this terminal, or at an address to which it
        connects, `tcp:HOST:PORT` or `unix:PATH`. Not for tests."""
        try:
            self._vm.shell_interact(address)
        except KeyboardInterrupt:
            pass  # Whoever leaves it so wants the test to go on.

    # The serial console

    def wait_for_console_text(
        self, regex: str, timeout: Optional[int] = None
    ) -> None:
        """Waits until a regular expression matches what the console has shown since
        the last match; it may span lines."""
        self._vm.wait_for_console_text(*_search(regex), timeout)

    def get_console_log(self) -> str:
        """All that the console has shown."""
        return self._vm.get_console_log()

    def send_console(self, chars: str) -> None:
        """Types on the console."""
        self._vm.send_console(chars)

    def console_interact(self) -> None:
        """The console for a person at this terminal. Not for tests."""
        self._vm.console_interact()

    # Trouble on the console

    def trouble(self) -> List[Trouble]:
        """What this start has shown of it, each kind once."""
        return [Trouble(*seen) for seen in self._vm.trouble()]

    def allow_trouble(self, name: str) -> None:
        """Trouble of this name, such as `kernel panic`, is none: neither what was seen
        already nor what comes."""
        self._vm.allow_trouble(name)

    def watch_console(self, name: str, regex: str, ends: bool = False) -> None:
        """One kind of trouble more: lines of the console that `regex` matches, in the
        words of Rust's regular expressions. Errors mention it; if it `ends` the guest,
        whatever waits for that ends at once."""
        self._vm.watch_console(name, regex, ends)

    # The screen

    def screenshot(self, filename: str) -> None:
        """A picture of the screen: a PNG file, in the output directory."""
        self._vm.screenshot(filename)

    def get_screen_text_variants(self) -> List[str]:
        """Interpretations of the text on the screen, the exact one of a console first."""
        return self._vm.get_screen_text_variants()

    def get_screen_text(self) -> str:
        """The text on the screen."""
        return self._vm.get_screen_text()

    def wait_for_text(self, regex: str, timeout: int = 900) -> None:
        """Waits until a regular expression matches the text on the screen."""
        self._vm.wait_for_text(*_search(regex), timeout)

    def wait_for_x(self, timeout: int = 900) -> None:
        """Waits until there is an X server to connect to."""
        self._vm.wait_for_x(timeout)

    def get_window_names(self) -> List[str]:
        """The names of all windows."""
        return self._vm.get_window_names()

    def wait_for_window(self, regexp: str, timeout: int = 900) -> None:
        """Waits until a regular expression matches the name of a window."""
        self._vm.wait_for_window(*_search(regexp), timeout)

    # QEMU's monitors

    def send_monitor_command(self, command: str) -> str:
        """Gives QEMU's human monitor a command: its reply."""
        try:
            return self._vm.send_monitor_command(command)
        except MachineError:
            # Whoever asks for the end gets no answer.
            if command.strip() in ("q", "quit") and self._vm.exit_status is not None:
                return ""
            raise

    def wait_for_monitor_prompt(self) -> str:
        """Waits until the human monitor takes commands."""
        return self._vm.send_monitor_command("")

    def wait_for_qmp_event(
        self, event_filter: Callable[[Dict[str, Any]], bool], timeout: int = 60 * 10
    ) -> Dict[str, Any]:
        """Waits for an event of QEMU's for which `event_filter` is true."""
        return self._vm.wait_for_qmp_event(event_filter, timeout)


# Names that scripts for newer drivers know it by.
BaseMachine = Machine
QemuMachine = Machine
