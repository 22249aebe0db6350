"""The exceptions of test scripts."""


class MachineError(Exception):
    """A machine or the driver failed; the test itself may be correct."""

    # Whether the host, QEMU or the image caused it.
    infrastructure = False


class RequestedAssertionFailed(AssertionError):
    """An assertion of the script failed, such as a command's status, or a wait timed out."""


class GlobalTimeout(BaseException):
    """The run took longer than its time limit. `except Exception` does not catch it."""


class Terminated(BaseException):
    """The driver received SIGTERM."""


# Tracebacks then show the names without a module, as they appear in scripts.
for _error in (MachineError, RequestedAssertionFailed, GlobalTimeout, Terminated):
    _error.__module__ = "builtins"
