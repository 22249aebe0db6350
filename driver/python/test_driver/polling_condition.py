"""Conditions that must hold while a part of a test runs."""

import time
from datetime import timedelta
from typing import Any, Callable, List, Optional, overload

import _vmwright
from test_driver.duration import Duration, as_seconds, as_timedelta, one_of
from test_driver.errors import PollingConditionError as PollingConditionError
from test_driver.errors import RequestedAssertionFailed
from test_driver.failure import exception_text
from test_driver.logger import Logger, rootlog


# The pauses between two checks of a wait, in seconds. The longest is the NixOS test driver's only
# one.
SHORTEST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


def pause_after(check: float) -> float:
    """The pause after a check that took so many seconds: checks take a seventh of the time, or
    a fifth with what a guest does after a command's result. Checks that take longer than a
    sixth of a second take more of it, lest the wait end late."""
    return min(max(6 * check, SHORTEST_PAUSE), LONGEST_PAUSE)


class PollingCondition:
    """A condition, checked before commands, `interval` apart or more. `seconds_interval` is
    an older name of `interval`, which is 2 seconds by default."""

    condition: Callable[[], Optional[bool]]
    interval: timedelta
    description: Optional[str]
    # Whether the script has chosen the interval.
    has_interval: bool
    last_called: float
    entry_count: int
    # The exception that the last check raised.
    error: Optional[Exception]

    def __init__(
        self,
        condition: Callable[[], Optional[bool]],
        logger: Logger = rootlog,
        seconds_interval: Optional[Duration] = None,
        description: Optional[str] = None,
        *,
        interval: Optional[Duration] = None,
    ):
        names = "interval seconds_interval"
        interval = one_of("PollingCondition", names, interval, seconds_interval)
        self.condition = condition
        self.logger = logger
        self.interval = as_timedelta(2 if interval is None else interval)
        self.has_interval = interval is not None
        self.description = description or condition.__doc__ or condition.__name__
        self.last_called = float("-inf")
        self.entry_count = 0
        self.error = None

    def check(self, force: bool = False) -> bool:
        """Whether it holds. True without a check if it was checked recently."""
        if (self.entered or not self.overdue) and not force:
            return True
        with self, self.logger.nested(f"checking: {self.description}"):
            self.error = None
            try:
                # A function without a return value raises exceptions instead.
                result = self.condition()
                holds = result is None or bool(result)
            except Exception as error:
                self.logger.info(exception_text(error))
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
    def seconds_interval(self) -> float:
        """The interval in seconds."""
        return self.interval.total_seconds()

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

    def __init__(self, driver: "Conditions", condition: PollingCondition):
        self._driver = driver
        self.condition = condition

    def __enter__(self) -> None:
        self._driver.polling_conditions.append(self.condition)
        # Operations may already run in other threads.
        for machine in self._driver.all_machines():
            machine._vm.update_callbacks()

    def __exit__(self, *_: Any) -> None:
        self._driver.polling_conditions.remove(self.condition)

    def wait(
        self,
        timeout_seconds: Optional[Duration] = None,
        timeout: Optional[Duration] = None,
    ) -> None:
        """Waits until the condition holds, for 15 minutes by default. It is checked at once,
        after each interval that the script has chosen, or else as often as by `retry`, and at
        the time limit. `timeout_seconds` is an older name of `timeout`."""
        timeout = one_of("wait", "timeout timeout_seconds", timeout, timeout_seconds)
        seconds = as_seconds(900 if timeout is None else timeout)
        with rootlog.nested(f"waiting for {self.condition.description}"):
            self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + _vmwright.scaled(seconds)
        while True:
            start = time.monotonic()
            if self.condition.check(force=True):
                return
            now = time.monotonic()
            left = deadline - now
            if left <= 0:
                message = f"action timed out after {seconds:g} seconds"
                raise RequestedAssertionFailed(message) from self.condition.error
            interval = self._pause_after(now - start)
            # The last check is at the time limit, and none shortly before it.
            time.sleep(interval if left >= 2 * interval else left)

    def _pause_after(self, check: float) -> float:
        if self.condition.has_interval:
            return max(self.condition.seconds_interval, SHORTEST_PAUSE)
        return pause_after(check)


class Conditions:
    """The polling conditions of a driver."""

    polling_conditions: List[PollingCondition]
    # Whether they are checked.
    _checks_conditions: bool
    all_machines: Callable[[], List[Any]]

    def check_polling_conditions(self) -> None:
        """Fails if a polling condition does not hold."""
        if not self._checks_conditions:
            return
        for condition in list(self.polling_conditions):
            condition.maybe_raise()

    @overload
    def polling_condition(
        self,
        fun_: Callable[[], Any],
        *,
        seconds_interval: Optional[Duration] = None,
        interval: Optional[Duration] = None,
        description: Optional[str] = None,
    ) -> Poll: ...

    @overload
    def polling_condition(
        self,
        fun_: None = None,
        *,
        seconds_interval: Optional[Duration] = None,
        interval: Optional[Duration] = None,
        description: Optional[str] = None,
    ) -> Callable[[Callable[[], Any]], Poll]: ...

    def polling_condition(
        self,
        fun_: Optional[Callable[[], Any]] = None,
        *,
        seconds_interval: Optional[Duration] = None,
        interval: Optional[Duration] = None,
        description: Optional[str] = None,
    ) -> Any:
        """Makes a `Poll` of a function. Also a decorator. `seconds_interval` is an older name
        of `interval`, which is 2 seconds by default."""
        names = "interval seconds_interval"
        interval = one_of("polling_condition", names, interval, seconds_interval)
        if interval is not None:
            interval = as_timedelta(interval)

        def poll(fun: Callable[[], Any]) -> Poll:
            condition = PollingCondition(
                fun, rootlog, description=description, interval=interval
            )
            return Poll(self, condition)

        return poll if fun_ is None else poll(fun_)


class ConditionCheck:
    """The callback of a machine that checks the polling conditions. It is false while there
    are none, so that the machine need not call it."""

    def __init__(self, driver: Conditions):
        self._driver = driver

    def __bool__(self) -> bool:
        return bool(self._driver.polling_conditions)

    def __call__(self) -> None:
        self._driver.check_polling_conditions()
