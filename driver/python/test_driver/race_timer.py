"""The time limit of a script."""

import faulthandler
import signal
from types import FrameType
from typing import List, NoReturn, Optional

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
    `driver.race_timer` in scripts."""

    def __init__(self, limit: Optional[Duration], exit_status: int):
        self._limit = as_seconds(limit or 0)
        self.exit_status = exit_status
        # Once the limit has expired: the reason, and the script's stack at that time.
        self.expired: List[str] = []

    def start(self) -> None:
        """Begins to measure the time."""
        if not self._limit or self.expired:
            return
        rootlog.info(f"Test will time out and terminate in {self._limit:g} seconds")
        signal.signal(signal.SIGALRM, self._expire)
        signal.setitimer(signal.ITIMER_REAL, self._limit, INTERVAL)
        # Prints the stacks of a script that still has not ended, before the process ends.
        faulthandler.dump_traceback_later(self._limit + _vmwright.CLEAN_UP_SECONDS)
        _vmwright.end_after(self._limit, self.exit_status)

    def cancel(self) -> None:
        """Ends the limit, unless it has expired: then the clean-up has a limit, too."""
        if self._limit and not self.expired:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
            _vmwright.cancel_end()

    def _expire(self, _number: int, frame: Optional[FrameType]) -> NoReturn:
        error = GlobalTimeout(f"the run took longer than {self._limit:g} seconds")
        if not self.expired:
            rootlog.log("timeout reached; test terminating...")
            self.expired.extend([f"{error}; it was at", script_stack(frame)])
        raise error
