"""The time limit of a script."""

import faulthandler
import signal
from time import monotonic
from types import FrameType
from typing import ClassVar, List, NoReturn, Optional

import _vmwright
from test_driver.duration import Duration, as_seconds
from test_driver.errors import GlobalTimeout
from test_driver.failure import script_stack
from test_driver.logger import rootlog

# Seconds between the interrupts of a script that continues after its time limit. No
# interrupt must coincide with the stack dump of faulthandler.
INTERVAL = 7


class RaceTimer:
    """Raises GlobalTimeout in the main thread while it runs and the limit has expired:
    `driver.race_timer` in scripts. A script that runs another driver has two: the one that
    expires first is armed."""

    _running: ClassVar[List["RaceTimer"]] = []

    def __init__(self, limit: Optional[Duration], exit_status: int):
        self._limit = as_seconds(limit or 0)
        self.exit_status = exit_status
        self._deadline = 0.0
        # Once the limit has expired: the reason, and the script's stack at that time.
        self.expired: List[str] = []

    def start(self) -> None:
        """Begins to measure the time."""
        if not self._limit or self.expired:
            return
        rootlog.info(f"Test will time out and terminate in {self._limit:g} seconds")
        self._deadline = monotonic() + self._limit
        if self not in self._running:
            self._running.append(self)
        self._arm_first()

    def cancel(self) -> None:
        """Ends the limit, unless it has expired: then the clean-up has a limit, too."""
        if self in self._running and not self.expired:
            self._running.remove(self)
            self._arm_first()

    @classmethod
    def _arm_first(cls) -> None:
        """Arms the timer that expires first, if there is one. One that has expired stays armed:
        the clean-up has a limit."""
        if any(timer.expired for timer in cls._running):
            return
        if cls._running:
            min(cls._running, key=lambda timer: timer._deadline)._arm()
        else:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
            _vmwright.cancel_end()

    def _arm(self) -> None:
        # 0 would disarm it.
        left = max(self._deadline - monotonic(), 0.001)
        signal.signal(signal.SIGALRM, self._expire)
        signal.setitimer(signal.ITIMER_REAL, left, INTERVAL)
        # Prints the stacks of a script that still has not ended, before the process ends.
        faulthandler.dump_traceback_later(left + _vmwright.CLEAN_UP_SECONDS)
        _vmwright.end_after(left, self.exit_status)

    def _expire(self, _number: int, frame: Optional[FrameType]) -> NoReturn:
        error = GlobalTimeout(f"the run took longer than {self._limit:g} seconds")
        if not self.expired:
            rootlog.log("timeout reached; test terminating...")
            self.expired.extend([f"{error}; it was at", script_stack(frame)])
        raise error
