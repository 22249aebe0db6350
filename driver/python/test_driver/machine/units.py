"""Units of systemd's."""

from typing import Any, Dict, Optional, Tuple


class Units:
    """A machine's units, and those of its users."""

    _vm: Any

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
