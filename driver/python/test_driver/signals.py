"""Signals that end a run."""

import signal
from types import FrameType
from typing import NoReturn, Optional

import _vmwright
from test_driver.errors import Terminated


def handle() -> None:
    """Installs the handlers."""
    end_run()
    # Interrupts system calls of the main thread, so that Python runs the other handlers.
    signal.signal(signal.SIGURG, lambda *_: None)
    wakeup_fd = _vmwright.wakeup_fd(signal.SIGURG)
    signal.set_wakeup_fd(wakeup_fd, warn_on_full_buffer=False)


def end_run() -> None:
    """Raises an exception on Ctrl-C and on SIGTERM."""

    def terminated(_number: int, _frame: Optional[FrameType]) -> NoReturn:
        raise Terminated

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminated)


def ignore() -> None:
    """Ignores signals that would end the run, and the expiry of its time limit."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
