"""The names of scripts, for type checkers: mypy accepts a script that begins with
`from script_names import *` and declares its machines, as in `server: QemuMachine`."""

import os
from pathlib import Path
from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    Generator,
    Iterator,
    List,
    Optional,
    Protocol,
    Union,
)
from unittest import TestCase

from test_driver.debug import DebugAbstract, DebugNop
from test_driver.driver import Driver
from test_driver.logger import AbstractLogger, CompositeLogger, Logger
from test_driver.machine import BaseMachine, Machine, NspawnMachine, QemuMachine, retry
from test_driver.symbols import AssertionTester
from test_driver.vlan import VLan

driver: Driver
machines = driver.machines
machines_qemu = driver.machines_qemu
machines_nspawn: List[NspawnMachine]
vlans = driver.vlans
log: Logger
t: AssertionTester
debug: DebugAbstract
start_all = driver.start_all
join_all = driver.join_all
run_tests = driver.run_tests
test_script = driver.test_script
create_machine = driver.create_machine
subtest = driver.subtest
polling_condition = driver.polling_condition
serial_stdout_on = driver.serial_stdout_on
serial_stdout_off = driver.serial_stdout_off
dump_machine_ssh = driver.dump_machine_ssh
