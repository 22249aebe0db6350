"""The names that are defined in a script."""

import os
import re
from typing import Any, Dict
from unittest import TestCase

from test_driver.errors import RequestedAssertionFailed
from test_driver.logger import rootlog
from test_driver.machine import Machine, retry


class Debug:
    """`debug` in scripts. In the NixOS test driver, it can pause a script."""

    def breakpoint(self, host: str = "127.0.0.1", port: int = 4444) -> None:
        """Does nothing, as in a NixOS test driver without its option for debugging."""


class AssertionTester(TestCase):
    """The assertions of unittest: `t` in scripts."""

    failureException = RequestedAssertionFailed
    maxDiff = None


def pythonize_name(name: str) -> str:
    """Converts the name of a machine to a Python identifier."""
    return re.sub(r"^[^A-Za-z_]|[^A-Za-z0-9_]", "_", name)


def test_symbols(driver: Any) -> Dict[str, Any]:
    """All names that are defined in a script."""
    symbols: Dict[str, Any] = dict(
        start_all=driver.start_all,
        join_all=driver.join_all,
        run_tests=driver.run_tests,
        test_script=driver.test_script,
        machines=driver.machines,
        machines_qemu=driver.machines,
        vlans=driver.vlans,
        driver=driver,
        log=rootlog,
        os=os,
        create_machine=driver.create_machine,
        subtest=driver.subtest,
        retry=retry,
        serial_stdout_on=driver.serial_stdout_on,
        serial_stdout_off=driver.serial_stdout_off,
        polling_condition=driver.polling_condition,
        Machine=Machine,
        BaseMachine=Machine,
        QemuMachine=Machine,
        debug=Debug(),
        t=AssertionTester(),
    )
    symbols.update({f"vlan{vlan.nr}": vlan for vlan in driver.vlans})
    if len(driver.machines) == 1:
        symbols["machine"] = driver.machines[0]
    symbols.update({pythonize_name(vm.name): vm for vm in driver.machines})
    return symbols
