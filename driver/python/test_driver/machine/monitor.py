"""QEMU's monitors."""

from typing import Any, Callable, Dict, Optional

import _vmwright
from test_driver.duration import Duration
from test_driver.errors import MachineError, NotRunning
from test_driver.machine.qmp import QMPSession
from test_driver.qemu import Process


class Monitors:
    """The monitors of a machine's QEMU."""

    name: str
    booted: bool
    _vm: _vmwright.Machine
    _last_process: Callable[[], Optional[Process]]

    @property
    def qmp_client(self) -> Optional[QMPSession]:
        """QEMU's machine protocol, if QEMU runs."""
        process = self._last_process()
        return process.qmp if process is not None and self.booted else None

    def send_monitor_command(self, command: str) -> str:
        """Sends a command to QEMU's human monitor; returns the reply."""
        try:
            return self._vm.send_monitor_command(command)
        except MachineError:
            # QEMU exits without a reply.
            if command.strip() in ("q", "quit") and self._vm.exit_status is not None:
                return ""
            raise

    def wait_for_monitor_prompt(self) -> str:
        """Waits until the human monitor accepts commands; returns what it has printed since
        the last command of `monitor.send`."""
        process = self._last_process()
        printed = process.monitor.take() if process is not None else ""
        return printed or self._vm.send_monitor_command("")

    def wait_for_qmp_event(
        self, event_filter: Callable[[Dict[str, Any]], bool], timeout: Duration = 600
    ) -> Dict[str, Any]:
        """Waits for a QMP event for which `event_filter` returns true. The events before it
        are lost."""
        process = self._last_process()
        if process is None:
            raise NotRunning(f"{self.name}: waiting for a QMP event: start the machine first")
        return process.qmp.wait_for(event_filter, timeout)
