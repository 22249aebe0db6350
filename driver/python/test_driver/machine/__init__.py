"""The classes of machines and containers of test scripts.

They have the names, arguments and defaults of the NixOS test driver, and search with
Python's regular expressions. The operations themselves are those of the Rust crate
`machine`. Each group of methods is in a file of its own.
"""

import shlex
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterable, List, Optional, Tuple, Union

import _vmwright
from test_driver import vsock
from test_driver.duration import Duration, as_seconds, as_timedelta, one_of
from test_driver.errors import CommandExpired, CommandTimedOut, NotRunning
from test_driver.errors import MachineError as MachineError
from test_driver.errors import RequestedAssertionFailed as RequestedAssertionFailed
from test_driver.keys import CHAR_TO_KEY as CHAR_TO_KEY
from test_driver.logger import Logger, rootlog
from test_driver.machine.console import Console
from test_driver.machine.files import Files
from test_driver.machine.firmware import Firmware
from test_driver.machine.keyboard import Keyboard
from test_driver.machine.lifecycle import Lifecycle
from test_driver.machine.monitor import Monitors
from test_driver.machine.network import Network
from test_driver.machine.screen import Screen
from test_driver.machine.search import Regex as Regex
from test_driver.machine.shell import Commands
from test_driver.machine.trouble import Signs
from test_driver.machine.trouble import Trouble as Trouble
from test_driver.machine.units import Units
from test_driver.polling_condition import pause_after
from test_driver.qemu import Lines, Monitor, Process, Shell  # noqa: F401, for scripts
from test_driver.start_command import LegacyStartCommand, NixStartScript, StartCommand


def make_command(args: Iterable[Any]) -> str:
    """Joins words to a shell command."""
    return " ".join(shlex.quote(str(arg)) for arg in args)


def retry(
    fn: Callable[[bool], Any],
    timeout_seconds: Optional[Duration] = None,
    timeout: Optional[Duration] = None,
) -> None:
    """Calls `fn(False)` until it returns true, for at most `timeout`, by default 15 minutes,
    then `fn(True)` once. `timeout_seconds` is an older name of `timeout`."""
    timeout = one_of("retry", "timeout timeout_seconds", timeout, timeout_seconds)
    seconds = as_seconds(900 if timeout is None else timeout)
    deadline = time.monotonic() + _vmwright.scaled(seconds)
    while (start := time.monotonic()) < deadline:
        if fn(False):
            return
        now = time.monotonic()
        time.sleep(max(min(pause_after(now - start), deadline - now), 0))
    if not fn(True):
        raise RequestedAssertionFailed(f"action timed out after {seconds:g} seconds")


class BaseMachine(
    Lifecycle,
    Commands,
    Units,
    Files,
    Network,
    Keyboard,
    Console,
    Signs,
    Screen,
    Monitors,
    Firmware,
):
    """A virtual machine or a container.

    A timeout is a `timedelta` or a number of seconds; None is no limit. An operation raises
    RequestedAssertionFailed if an assertion of the script does not hold, and MachineError for
    all other failures.
    """

    name: str
    out_dir: Path
    tmp_dir: Path
    shared_dir: Path
    monitor_path: Path
    qmp_path: Path
    shell_path: Path

    vsock_guest: Optional[Path]
    vsock_host: Optional[Path]

    start_command: StartCommand
    keep_vm_state: bool

    callbacks: List[Callable[[], None]]
    logger: Logger

    def __repr__(self) -> str:
        return f"<Machine '{self.name}'>"

    def __init__(
        self,
        out_dir: Path,
        tmp_dir: Path,
        start_command: Union[str, StartCommand],
        logger: Logger = rootlog,
        name: Optional[str] = None,
        keep_machine_state: bool = False,
        callbacks: Optional[List[Callable[[], None]]] = None,
        vsock_guest: Optional[Path] = None,
        vsock_host: Optional[Path] = None,
        *,
        keep_vm_state: bool = False,
        vsock_daemon: Optional[List[str]] = None,
        templates: Optional[Path] = None,
        shell: bool = True,
    ) -> None:
        if not isinstance(start_command, StartCommand):
            start_command = NixStartScript(start_command)
        self.vsock_guest, self.vsock_host = vsock_guest, vsock_host
        self._vsock_daemon = vsock_daemon
        keep_vm_state = keep_vm_state or keep_machine_state
        name = name or start_command.machine_name
        self.out_dir = Path(out_dir)
        self.tmp_dir = Path(tmp_dir)
        self.keep_vm_state = keep_vm_state
        self.name = name
        self.start_command = start_command
        self.callbacks = callbacks if callbacks is not None else []
        self.logger = logger
        self._process = None
        self._overrides = {}
        self._vm = _vmwright.Machine(
            # It is called before each start, as a script may have changed the command.
            self._native_command,
            name,
            self.out_dir,
            self.tmp_dir,
            keep_vm_state,
            shell,
            templates,
            self._has_callbacks,
            self.run_callbacks,
        )
        self.shared_dir = self._vm.shared_dir
        self._state_dir = self._vm.state_dir
        self.monitor_path = self.state_dir / "monitor"
        self.qmp_path = self.state_dir / "qmp"
        self.shell_path = self.state_dir / "shell"

    def _native_command(self) -> Dict[str, Any]:
        native = self.start_command._native()
        if "name" in native:
            native["name"] = self.name
        if self.vsock_guest is not None and "command" in native:
            command, guest = native["command"], self.vsock_guest
            native["command"] = vsock.connected(command, guest, self._vsock_daemon)
        return native

    @staticmethod
    def create_startcommand(args: Dict[str, str]) -> StartCommand:
        """A start command made of QEMU arguments. Prefer a start script."""
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

    @property
    def monitor(self) -> Optional[Monitor]:
        """The human monitor, if QEMU runs."""
        process = self._last_process()
        return process.monitor if process is not None and self.booted else None

    @property
    def shell(self) -> Optional[Shell]:
        """The connection to the root shell, if QEMU runs."""
        process = self._last_process()
        return process.shell if process is not None and self.booted else None

    @property
    def serial_thread(self) -> None:
        """Always None, as consoles are not read by Python threads."""

    @property
    def last_lines(self) -> Lines:
        """The console's lines after the last match of a wait."""
        process = self._last_process()
        return process.lines if process else Lines()

    @property
    def keep_machine_state(self) -> bool:
        """A newer name for `keep_vm_state`."""
        return self.keep_vm_state

    # The log

    def log(self, msg: str) -> None:
        self.logger.log(msg, {"machine": self.name})

    def log_serial(self, msg: str) -> None:
        self.logger.log_serial(msg, self.name)

    def nested(self, msg: str, attrs: Dict[str, str] = {}) -> ContextManager[None]:
        return self.logger.nested(msg, {"machine": self.name, **attrs})

    def run_callbacks(self) -> None:
        """Calls the callbacks, as before each command."""
        for callback in self.callbacks:
            callback()

    def _has_callbacks(self) -> bool:
        # Functions are true. The driver's callback is false if there are no conditions.
        return any(self.callbacks)


class Machine(BaseMachine):
    """A virtual machine."""


class NspawnMachine(BaseMachine):
    """A container of systemd-nspawn. It has no QEMU: operations that need a monitor, a screen,
    a keyboard or a terminal raise RuntimeError. A command that takes longer than its time
    limit raises subprocess.TimeoutExpired."""

    def execute(
        self,
        command: str,
        check_return: bool = True,
        check_output: bool = True,
        timeout: Optional[Duration] = 900,
    ) -> Tuple[int, str]:
        """As that of a machine, but it always waits for the command, and returns its exit
        status and output."""
        return super().execute(command, True, True, timeout)

    def succeed(self, *commands: str, timeout: Optional[Duration] = None) -> str:
        return "".join(self._succeed(command, timeout) for command in commands)

    def _succeed(self, command: str, timeout: Optional[Duration]) -> str:
        try:
            return super().succeed(command, timeout=timeout)
        except CommandTimedOut as error:
            raise CommandExpired.of(error, command, as_seconds(timeout or 0)) from None

    def fail(self, *commands: str, timeout: Optional[Duration] = None) -> str:
        return "".join(self._fail(command, timeout) for command in commands)

    def _fail(self, command: str, timeout: Optional[Duration]) -> str:
        with self.nested(f"must fail: {command}"):
            status, output = self.execute(command, timeout=timeout)
            if status == 0:
                raise RequestedAssertionFailed(
                    f"{self.name}: command `{command}` unexpectedly succeeded"
                )
            return output

    def wait_until_succeeds(self, command: str, timeout: Optional[Duration] = 900) -> str:
        return self._repeat(command, timeout, "success")

    def wait_until_fails(self, command: str, timeout: Optional[Duration] = 900) -> str:
        return self._repeat(command, timeout, "failure")

    def _repeat(self, command: str, timeout: Optional[Duration], wanted: str) -> str:
        """As a wait of a machine, but a command that takes longer than the time limit ends
        it. Without time, there is one try, which takes a second at most."""
        limit = timedelta.max if timeout is None else as_timedelta(timeout)
        output = ""

        def has_ended(is_last: bool) -> bool:
            nonlocal output
            status, output = self.execute(command, timeout=limit or timedelta(seconds=1))
            is_wanted = (status == 0) == (wanted == "success")
            if is_last and not is_wanted:
                raise RequestedAssertionFailed(
                    f"{self.name}: no {wanted} of `{command}` within {as_seconds(limit):g} s;"
                    f" the last status was {status}, the output: {output}"
                )
            return is_wanted

        with self.nested(f"waiting for {wanted} of `{command}`"):
            retry(has_ended, limit)
        return output

    def is_up(self) -> bool:
        """Whether it was started, and has not ended."""
        return self.pid is not None

    def ssh_backdoor_command(self, index: Optional[int] = None) -> str:
        """The command by which root of the host connects to the container's SSH server, which
        needs systemd 256 or newer on the host and in the container."""
        if self.pid is None:
            raise NotRunning(f"{self.name}: it has no SSH server, because it does not run")
        # The directory is in a mount namespace of the container's own.
        exports = f"/proc/{self.pid}/root/run/systemd/nspawn/unix-export"
        socket = f"{exports}/{self.name.replace('_', '-')}/ssh"
        return f'ssh -o User=root -o ProxyCommand="socat - UNIX-CLIENT:{socket}" bash'

    def _timed_out(self, command: str, timeout: Optional[Duration], output: str) -> None:
        limit = as_seconds(timeout or 0)
        message = f"{self.name}: command `{command}` did not end within {limit:g} seconds"
        raise CommandExpired(message, command, limit, output)


# Names in newer versions of the NixOS test driver.
QemuMachine = Machine
QemuStartCommand = NixStartScript
