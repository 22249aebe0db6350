"""A debugger that stops a script, for a user who connects to it by TCP."""

import contextlib
import os
import pdb
import random
import shutil
import socket
import subprocess
import sys
from types import TracebackType
from typing import Any, Optional

from test_driver.failure import is_script_frame, script_traceback
from test_driver.logger import Logger

# Where it listens unless the script names another address.
HOST = "127.0.0.1"
PORT = 4444


class DebugAbstract:
    """`debug` in scripts."""

    def breakpoint(self, host: str = HOST, port: int = PORT) -> None:
        """Stops the script until a user who connects to the address continues it."""
        raise NotImplementedError

    def after_failure(self, error: BaseException) -> None:
        """Stops where the script has failed."""


class DebugNop(DebugAbstract):
    """Without the option --debug-hook-attach, nothing stops."""

    def breakpoint(self, host: str = HOST, port: int = PORT) -> None:
        """Does nothing."""


class Debug(DebugAbstract):
    """Stops scripts that run in Nix's sandbox, where no other debugger gets to."""

    def __init__(self, logger: Logger, attach: str):
        self._logger = logger
        # The command that enters the sandbox of a process with a given command line.
        self._attach = attach

    def breakpoint(self, host: str = HOST, port: int = PORT) -> None:
        session = self._session(host, port)
        # The last call: the debugger stops at the next line that is run.
        session.set_trace(sys._getframe(1))

    def after_failure(self, error: BaseException) -> None:
        traceback = _script_part(error.__traceback__)
        if traceback is not None:
            self._logger.log_test_error(script_traceback(error))
            try:
                session = self._session(HOST, PORT)
            except OSError as reason:
                # It must not take the place of the script's error.
                self._logger.log_test_error(f"no debugger at {HOST}:{PORT}: {reason}")
                return
            session.interaction(None, traceback)
            session.end()

    def _session(self, host: str, port: int) -> "_Session":
        server = socket.create_server((host, port))
        pattern = str(random.randrange(1_000_000, 10_000_000))
        self._logger.log_test_error(
            f"Breakpoint reached, run 'sudo {self._attach} {pattern}'"
        )
        self._logger.log(f"the debugger waits for a connection to {host}:{port}")
        os.environ["bashInteractive"] = shutil.which("bash") or "bash"
        # The attaching command searches for it.
        marker = subprocess.Popen(["sleep", pattern])
        try:
            return _Session(server, marker)
        except BaseException:
            _kill(marker)
            raise


class _Session(pdb.Pdb):
    """A debugger at the other end of a connection."""

    def __init__(self, server: socket.socket, marker: "subprocess.Popen[bytes]"):
        self._marker = marker
        with server:
            connection, _ = server.accept()
        with connection:
            # One file for both would drop what was typed ahead.
            typed, shown = connection.makefile("r"), connection.makefile("w")
        super().__init__(
            stdin=typed,
            stdout=shown,
            skip=["test_driver*"],
            nosigint=True,
            readrc=False,
        )

    def end(self) -> None:
        """Closes the connection."""
        _kill(self._marker)
        for file in (self.stdin, self.stdout):
            with contextlib.suppress(OSError, ValueError):
                file.close()

    def interaction(self, *args: Any) -> None:
        try:
            super().interaction(*args)
        except OSError:
            # The user has gone.
            self.do_EOF("")

    def do_continue(self, arg: str) -> Optional[bool]:
        if not self.get_all_breaks():
            self.end()
        return super().do_continue(arg)

    do_c = do_cont = do_continue

    def do_quit(self, arg: str) -> Optional[bool]:
        self.end()
        return super().do_quit(arg)

    do_q = do_exit = do_quit

    def do_EOF(self, arg: str) -> Optional[bool]:
        """Continues the script when the user has gone."""
        self.clear_all_breaks()
        return self.do_continue(arg)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _script_part(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    """The frames of the script."""
    frames = []
    while traceback is not None:
        if is_script_frame(traceback.tb_frame):
            frames.append(traceback)
        traceback = traceback.tb_next
    for at in reversed(frames):
        traceback = TracebackType(traceback, at.tb_frame, at.tb_lasti, at.tb_lineno)
    return traceback
