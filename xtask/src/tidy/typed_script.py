"""A script that begins as NixOS begins scripts for mypy, and uses newer names."""

from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, List, Optional, Union
from unittest import TestCase

from typing_extensions import Protocol

from test_driver.driver import Driver, load_driver_configuration
from test_driver.logger import AbstractLogger, CompositeLogger
from test_driver.machine import BaseMachine, NspawnMachine, QemuMachine
from test_driver.machine.qmp import QMPAPIError, QMPSession
from test_driver.polling_condition import PollingConditionError
from test_driver.vlan import VLan


class RetryProtocol(Protocol):
    def __call__(
        self,
        fn: Callable[[bool], bool],
        timeout_seconds: Union[int, timedelta, None] = None,
        timeout: Optional[timedelta] = None,
    ) -> None: ...


start_all: Callable[[], None]
subtest: Callable[[str], ContextManager[None]]
retry: RetryProtocol
machines: List[Union[QemuMachine, NspawnMachine]]
machines_qemu: List[QemuMachine]
machines_nspawn: List[NspawnMachine]
vlans: List[VLan]
driver: Driver
log: AbstractLogger
create_machine: Callable[[str], BaseMachine]
serial_stdout_on: Callable[[], None]
dump_machine_ssh: Callable[[], None]
t: TestCase
server: QemuMachine

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
