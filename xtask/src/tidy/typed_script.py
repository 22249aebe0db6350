"""A script that begins as NixOS begins scripts for mypy, and uses newer names."""

from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Generator, List, Optional, Union
from unittest import TestCase

from typing_extensions import Protocol

from test_driver.debug import DebugAbstract, DebugNop
from test_driver.driver import Driver, load_driver_configuration
from test_driver.logger import (
    AbstractLogger,
    CompositeLogger,
    JunitXMLLogger,
    TerminalLogger,
    XMLLogger,
)
from test_driver.machine import BaseMachine, NspawnMachine, QemuMachine
from test_driver.machine.qmp import QMPAPIError, QMPSession
from test_driver.polling_condition import PollingCondition, PollingConditionError
from test_driver.vlan import VLan


class CreateMachineProtocol(Protocol):
    def __call__(
        self,
        start_command: Union[str, Dict[str, Any]],
        *,
        name: Optional[str] = None,
        keep_machine_state: bool = False,
        **kwargs: Any,
    ) -> QemuMachine:
        raise Exception("declared for mypy only")


class PollingConditionProtocol(Protocol):
    def __call__(
        self,
        fun_: Optional[Callable[[], Any]] = None,
        *,
        seconds_interval: float = 2.0,
        description: Optional[str] = None,
    ) -> Union[Callable[[Callable[[], Any]], ContextManager[None]], ContextManager[None]]:
        raise Exception("declared for mypy only")


class AssertionTester(TestCase):
    pass


debug: DebugAbstract = DebugNop()
machines: List[BaseMachine] = []
machines_nspawn: List[NspawnMachine] = []
machines_qemu: List[QemuMachine] = []
t = AssertionTester()
vlans: List[VLan] = []


def declared_driver() -> Driver:
    raise Exception("declared for mypy only")


driver = declared_driver()


def declared_machine() -> QemuMachine:
    raise Exception("declared for mypy only")


def declared_container() -> NspawnMachine:
    raise Exception("declared for mypy only")


def create_machine(
    start_command: str, name: Optional[str] = None, keep_machine_state: bool = False
) -> QemuMachine:
    raise Exception("declared for mypy only")


def dump_machine_ssh() -> None:
    return None


def join_all() -> None:
    return None


log: AbstractLogger = CompositeLogger([])


def polling_condition(
    fun: Optional[Callable[[], Any]],
    seconds_interval: float = 0.0,
    description: Optional[str] = None,
) -> None:
    pass


def retry(
    fn: Callable[[bool], bool],
    timeout_seconds: Union[int, timedelta, None] = None,
    timeout: Optional[timedelta] = None,
) -> None:
    pass


def start_all() -> None:
    return


@contextmanager
def subtest(name: str) -> Generator[None, None, None]:
    yield


server = declared_machine()
container = declared_container()
# Here begins the script.
log = CompositeLogger([TerminalLogger(), XMLLogger("log.xml"), JunitXMLLogger(Path("j.xml"))])
log.add_logger(TerminalLogger())
another_machine: QemuMachine = create_machine("run-another-vm", keep_machine_state=True)
condition = PollingCondition(server.is_up, log, interval=timedelta(seconds=5))
every: timedelta = condition.interval
names: List[str] = [machine.name for machine in machines]

minute = timedelta(minutes=1)
with subtest("all limits"):
    server.start(allow_reboot=True)
    server.wait_for_unit("sshd.service", timeout=minute)
    server.wait_for_open_port(22, timeout=minute)
    server.sleep(duration=minute)
    server.send_chars("text", delay=timedelta(milliseconds=10))
    status, output = server.execute("true", timeout=minute)
    t.assertEqual((status, output.strip()), (0, ""))
    retry(lambda _: server.is_up(), timeout=minute)


@driver.polling_condition(interval=timedelta(seconds=5), description="it is up")
def up() -> bool:
    return server.is_up()


try:
    up.wait(timeout=minute)
    with up:
        server.succeed("true")
except PollingConditionError as error:
    log.info(str(error))

client: Optional[QMPSession] = server.qmp_client
if client is not None:
    try:
        reply: Dict[str, Any] = client.send("query-status", {"any": ["JSON"]})
    except QMPAPIError as refused:
        log.warning(f"{refused.class_name}: {refused.description}")

lines: List[str] = server.full_console_log
directory: Path = server.state_dir
server.wait_for_shutdown(timeout=minute)

with Driver(load_driver_configuration("config.json"), driver.out_dir, driver.logger) as another:
    another.start_all()
if driver.vhost_vsock is not None:
    socket: Path = driver.vhost_vsock.sockets["server"].host
    command: str = server.ssh_backdoor_command()
dump_machine_ssh()
