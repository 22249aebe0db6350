"""QEMU's monitors."""

from typing import Any, Callable, Dict

from test_driver.errors import MachineError


class Monitors:
    """The monitors of a machine's QEMU."""

    _vm: Any

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
        """Waits until the human monitor accepts commands."""
        return self._vm.send_monitor_command("")

    def wait_for_qmp_event(
        self, event_filter: Callable[[Dict[str, Any]], bool], timeout: int = 60 * 10
    ) -> Dict[str, Any]:
        """Waits for a QMP event for which `event_filter` returns true."""
        return self._vm.wait_for_qmp_event(event_filter, timeout)
