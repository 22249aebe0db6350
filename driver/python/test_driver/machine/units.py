"""Units of systemd."""

from typing import Callable, Dict, Optional, Tuple

import _vmwright
from test_driver.duration import Duration


class Units:
    """The units of a machine and of its users."""

    _vm: _vmwright.Machine
    _timed_out: Callable[[str, Optional[Duration], str], None]

    def wait_for_unit(
        self, unit: str, user: Optional[str] = None, timeout: Duration = 900
    ) -> None:
        """Waits until a unit is active. Fails at once if the unit failed, or is inactive
        without a job that starts it."""
        self._vm.wait_for_unit(unit, user, timeout)

    def wait_for_cloud_init(self, timeout: Duration = 900) -> None:
        """Waits until cloud-init is done. Fails if it has reported errors, or has found no
        data source."""
        self._vm.wait_for_cloud_init(timeout)

    def get_unit_info(self, unit: str, user: Optional[str] = None) -> Dict[str, str]:
        """The properties of a unit, as in the output of `systemctl show`."""
        return self._vm.get_unit_info(unit, user)

    def get_unit_property(
        self, unit: str, property: str, user: Optional[str] = None
    ) -> str:
        """A property of a unit."""
        return self._vm.get_unit_property(unit, property, user)

    def systemctl(self, q: str, user: Optional[str] = None) -> Tuple[int, str]:
        """Runs systemctl for the system's units or a user's; returns its status and
        output."""
        status, output, timed_out = self._vm.systemctl(q, user)
        if timed_out:
            self._timed_out(f"systemctl {q}", 900, output)
        return status, output

    def require_unit_state(self, unit: str, require_state: str = "active") -> None:
        """Fails if a unit is not in the state `require_state`."""
        self._vm.require_unit_state(unit, require_state)

    def start_job(self, jobname: str, user: Optional[str] = None) -> Tuple[int, str]:
        """Starts a unit; returns systemctl's status and output."""
        return self.systemctl(f"start {jobname}", user)

    def stop_job(self, jobname: str, user: Optional[str] = None) -> Tuple[int, str]:
        """Stops a unit; returns systemctl's status and output."""
        return self.systemctl(f"stop {jobname}", user)

    def wait_for_job(self, jobname: str) -> None:
        """Waits until a unit is active."""
        self.wait_for_unit(jobname)
