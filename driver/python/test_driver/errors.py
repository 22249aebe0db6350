"""The exceptions of test scripts."""

import subprocess
from typing import Any, Optional


class MachineError(Exception):
    """A machine or the driver failed; the test itself may be correct."""

    # Whether the host, QEMU or the image caused it.
    infrastructure = False


class RequestedAssertionFailed(AssertionError):
    """An assertion of the script failed, such as a command's status, or a wait timed out."""


class TimedOut(RequestedAssertionFailed, TimeoutError):
    """The time limit of a wait expired."""


class Expired(TimedOut, subprocess.TimeoutExpired):
    """The time limit of something expired that the NixOS test driver runs as a process."""

    def __init__(self, message: str, cmd: Any, timeout: float, output: Optional[str] = None):
        AssertionError.__init__(self, message)
        self.cmd, self.timeout = cmd, timeout
        self.output, self.stderr = output, None

    @classmethod
    def of(cls, error: Exception, cmd: Any, timeout: float) -> "Expired":
        """The same failure in the trace."""
        expired = cls(str(error), cmd, timeout)
        vars(expired).update(vars(error))
        return expired


class ShutdownTimedOut(Expired):
    """QEMU did not exit within a time limit."""


class CommandTimedOut(RequestedAssertionFailed):
    """A command that should have succeeded did not end within a time limit."""


class CommandExpired(Expired):
    """The same in a container, of any command."""


class NotRunning(MachineError, RuntimeError):
    """The machine was not started, or has been shut down."""


class PollingConditionError(RequestedAssertionFailed):
    """A polling condition does not hold."""


class GlobalTimeout(BaseException):
    """The run took longer than its time limit. `except Exception` does not catch it."""


class Terminated(BaseException):
    """The driver received SIGTERM."""


class Cancelled(BaseException):
    """The script has ended while another thread used a machine."""


# Tracebacks then show the names without a module, as they appear in scripts.
for _error in (
    MachineError,
    RequestedAssertionFailed,
    TimedOut,
    ShutdownTimedOut,
    CommandTimedOut,
    CommandExpired,
    NotRunning,
    PollingConditionError,
    GlobalTimeout,
    Terminated,
    Cancelled,
):
    _error.__module__ = "builtins"
