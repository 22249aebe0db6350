"""QEMU's monitors."""

from typing import Any, Callable, Dict

from test_driver.errors import MachineError


class Monitors:
    """What a machine's QEMU is told, and tells."""

    _vm: Any

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
