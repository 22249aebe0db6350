"""Conditions that must hold while a part of a test runs."""

import time
from typing import Any, Callable, Optional

import _vmwright
from test_driver.duration import Duration, as_seconds, one_of
from test_driver.errors import PollingConditionError as PollingConditionError
from test_driver.errors import RequestedAssertionFailed
from test_driver.failure import exception_text
from test_driver.logger import rootlog


# The shortest pause between two checks of a wait, in seconds.
SHORTEST_INTERVAL = 0.05


class PollingCondition:
    """A condition, checked before commands, `seconds_interval` apart or more."""

    condition: Callable[[], Optional[bool]]
    seconds_interval: float
    description: Optional[str]
    last_called: float
    entry_count: int
    # The exception that the last check raised.
    error: Optional[Exception]

    def __init__(
        self,
        condition: Callable[[], Optional[bool]],
        seconds_interval: float = 2.0,
        description: Optional[str] = None,
    ):
        self.condition = condition
        self.seconds_interval = seconds_interval
        self.description = description or condition.__doc__ or condition.__name__
        self.last_called = float("-inf")
        self.entry_count = 0
        self.error = None

    def check(self, force: bool = False) -> bool:
        """Whether it holds. True without a check if it was checked recently."""
        if (self.entered or not self.overdue) and not force:
            return True
        with self, rootlog.nested(f"checking: {self.description}"):
            self.error = None
            try:
                # A function without a return value raises exceptions instead.
                result = self.condition()
                holds = result is None or bool(result)
            except Exception as error:
                rootlog.info(exception_text(error))
                self.error = error
                holds = False
            self.last_called = time.monotonic()
        return holds

    def maybe_raise(self) -> None:
        """Fails if the condition does not hold."""
        if not self.check():
            message = f"does not hold: {self.description}"
            raise PollingConditionError(message) from self.error

    @property
    def overdue(self) -> bool:
        """Whether it is time to check again."""
        return time.monotonic() >= self.last_called + self.seconds_interval

    @property
    def entered(self) -> bool:
        """Whether a check is in progress. Its own commands must not start another."""
        return self.entry_count > 0

    def __enter__(self) -> None:
        self.entry_count += 1

    def __exit__(self, *_) -> None:  # type: ignore
        self.entry_count -= 1


class Poll:
    """A polling condition as scripts use it: it must hold within `with`."""

    def __init__(self, driver: Any, condition: PollingCondition):
        self._driver = driver
        self.condition = condition

    def __enter__(self) -> None:
        self._driver.polling_conditions.append(self.condition)
        # Operations may already run in other threads.
        for machine in self._driver.machines + self._driver._created:
            machine._vm.update_callbacks()

    def __exit__(self, *_: Any) -> None:
        self._driver.polling_conditions.remove(self.condition)

    def wait(
        self,
        timeout_seconds: Optional[Duration] = None,
        timeout: Optional[Duration] = None,
    ) -> None:
        """Waits until the condition holds, for 15 minutes by default. It is checked at once,
        after each of its intervals and at the time limit. `timeout_seconds` is an older name
        of `timeout`."""
        timeout = one_of("wait", "timeout timeout_seconds", timeout, timeout_seconds)
        seconds = as_seconds(900 if timeout is None else timeout)
        with rootlog.nested(f"waiting for {self.condition.description}"):
            self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + _vmwright.scaled(seconds)
        interval = max(self.condition.seconds_interval, SHORTEST_INTERVAL)
        while not self.condition.check(force=True):
            left = deadline - time.monotonic()
            if left <= 0:
                message = f"action timed out after {seconds:g} seconds"
                raise RequestedAssertionFailed(message) from self.condition.error
            # The last check is at the time limit, and none shortly before it.
            time.sleep(interval if left >= 2 * interval else left)
