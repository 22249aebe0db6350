"""The names that are defined in a script."""

import os
import re
from typing import Any, Dict, Optional
from unittest import TestCase

from test_driver.errors import RequestedAssertionFailed
from test_driver.logger import rootlog
from test_driver.machine import BaseMachine, Machine, NspawnMachine, retry


class AssertionTester(TestCase):
    """The assertions of unittest: `t` in scripts."""

    failureException = RequestedAssertionFailed
    maxDiff = None


def pythonize_name(name: str) -> str:
    """Converts the name of a machine to a Python identifier."""
    return re.sub(r"^[^A-Za-z_]|[^A-Za-z0-9_]", "_", name)


def test_symbols(driver: Any) -> Dict[str, Any]:
    """All names that are defined in a script."""
    symbols = _common(driver)
    symbols.update({f"vlan{vlan.nr}": vlan for vlan in driver.vlans})
    if len(driver.machines) == 1:
        symbols["machine"] = driver.machines[0]
    symbols.update({pythonize_name(vm.name): vm for vm in driver.machines})
    return symbols


def conflict(driver: Any) -> Optional[str]:
    """Why the names of machines can't be variables of a script that differ from all others."""
    owners = dict.fromkeys(_common(driver), "a name of the test driver")
    owners.update({f"vlan{nr}": "a network" for nr in driver.config.vlans})
    for machine in [*driver.config.vms, *driver.config.containers]:
        variable = pythonize_name(machine)
        if variable in owners:
            owner = owners[variable]
            return f"the machine {machine} can't be the variable {variable}: this is {owner}"
        owners[variable] = f"the machine {machine}"
    return None


def _common(driver: Any) -> Dict[str, Any]:
    """The names that are defined whatever the machines and networks."""
    return dict(
        start_all=driver.start_all,
        join_all=driver.join_all,
        run_tests=driver.run_tests,
        test_script=driver.test_script,
        machines=driver.machines,
        machines_qemu=driver.machines_qemu,
        machines_nspawn=driver.machines_nspawn,
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
        dump_machine_ssh=driver.dump_machine_ssh,
        Machine=Machine,
        BaseMachine=BaseMachine,
        QemuMachine=Machine,
        NspawnMachine=NspawnMachine,
        debug=driver.debug,
        t=AssertionTester(),
    )
