"""What goes wrong, as a script may catch it."""


class MachineError(Exception):
    """A machine, or what drives it, failed: the test itself may be right."""


class RequestedAssertionFailed(AssertionError):
    """What the script demands does not hold: a command failed, a wait was in vain."""


class GlobalTimeout(BaseException):
    """The time for the whole run is up. No `except Exception` is to stop it."""


class Terminated(BaseException):
    """The driver was told to end, by SIGTERM."""


# In a traceback they have no other name than in a script.
for _error in (MachineError, RequestedAssertionFailed, GlobalTimeout, Terminated):
    _error.__module__ = "builtins"
