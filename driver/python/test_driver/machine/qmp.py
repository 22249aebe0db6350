"""QEMU's machine protocol (QMP)."""

import json
import socket
import time
from datetime import timedelta
from pathlib import Path
from queue import Queue
from typing import Any, Callable, Dict, Iterator, Optional

import _vmwright
from test_driver.duration import Duration, as_seconds
from test_driver.errors import TimedOut

TEN_SECONDS = timedelta(seconds=10)


class QMPAPIError(RuntimeError):
    """QEMU's reply that a command failed."""

    def __init__(self, message: Dict[str, Any]):
        error = message.get("error")
        if not isinstance(error, dict) or not {"class", "desc"} <= error.keys():
            raise RuntimeError(f"not QMP's message of an error: {message!r}")
        super().__init__(message)
        self.class_name: str = error["class"]
        self.description: str = error["desc"]
        # QEMU repeats no id if it could not parse the command.
        self.transaction_id: Optional[str] = message.get("id")

    def __str__(self) -> str:
        return (
            f"<QMP API error related to transaction {self.transaction_id}"
            f" [{self.class_name}]: {self.description}>"
        )


class QMPSession:
    """A connection to a QMP server."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        # Replies that were read and not returned yet.
        self.results: "Queue[Dict[str, Any]]" = Queue()
        # Events that were read and not returned yet.
        self.pending_events: "Queue[Dict[str, Any]]" = Queue()
        # The beginning of a message.
        self._partial = b""
        if "QMP" not in self._next_reply():
            raise RuntimeError("the server's first message is not QMP's greeting")
        self.send("qmp_capabilities")

    @classmethod
    def from_path(cls, path: Path) -> "QMPSession":
        """Connects to a server at a Unix socket."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(str(path))
        return cls(sock)

    def close(self) -> None:
        """Closes the connection."""
        self.sock.close()

    def send(self, cmd: str, args: Any = {}) -> Dict[str, Any]:
        """Executes a command with arguments that JSON can represent; returns QEMU's whole
        reply, `{"return": …}`, or raises QMPAPIError."""
        self.read_pending_messages()
        message = {"execute": cmd, **({"arguments": args} if args else {})}
        self.sock.settimeout(None)
        self.sock.sendall(json.dumps(message).encode() + b"\n")
        return self._next_reply()

    def wait_for_event(self, timeout: Duration = TEN_SECONDS) -> Dict[str, Any]:
        """Waits for the next event; TimeoutError after `timeout`."""
        deadline = time.monotonic() + as_seconds(timeout)
        self.read_pending_messages()
        while self.pending_events.empty():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(f"there was no QMP event for {as_seconds(timeout):g} seconds")
            self._read(left)
        return self.pending_events.get_nowait()

    def events(self, timeout: Duration = TEN_SECONDS) -> Iterator[Dict[str, Any]]:
        """The events that have come and were not returned yet; does not wait for more."""
        self.read_pending_messages()
        while not self.pending_events.empty():
            yield self.pending_events.get_nowait()

    def read_pending_messages(self) -> None:
        """Reads the messages that have come, without waiting."""
        while self._read(0):
            pass

    def _next_reply(self) -> Dict[str, Any]:
        while self.results.empty():
            self._read(None)
        reply = self.results.get_nowait()
        if "error" in reply:
            raise QMPAPIError(reply)
        return reply

    def _read(self, seconds: Optional[float]) -> bool:
        """Reads what has come, or comes within `seconds`. Whether there was anything."""
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(1 << 16)
        except (BlockingIOError, TimeoutError):
            return False
        if not data:
            raise ConnectionError("the QMP server has closed the connection")
        *lines, self._partial = (self._partial + data).split(b"\n")
        for message in map(json.loads, filter(bytes.strip, lines)):
            (self.pending_events if "event" in message else self.results).put(message)
        return True


class MachineSession(QMPSession):
    """`qmp_client` of machines: QMP by the driver's own connection to QEMU, which has no
    other."""

    def __init__(self, vm: _vmwright.Machine) -> None:
        self._vm = vm
        self.results = Queue()
        self.pending_events = Queue()

    def close(self) -> None:
        """Does nothing, as the driver needs the connection."""

    def send(self, cmd: str, args: Any = {}) -> Dict[str, Any]:
        reply = json.loads(self._vm.qmp(cmd, json.dumps(args or None)))
        if "error" in reply:
            raise QMPAPIError(reply)
        result: Dict[str, Any] = reply
        return result

    def wait_for_event(self, timeout: Duration = TEN_SECONDS) -> Dict[str, Any]:
        return self.wait_for(lambda _: True, timeout)

    def wait_for(
        self, wanted: Callable[[Dict[str, Any]], bool], timeout: Optional[Duration]
    ) -> Dict[str, Any]:
        """Waits for an event that `wanted` accepts. Those before it are lost."""
        while not self.pending_events.empty():
            event = self.pending_events.get_nowait()
            if wanted(event):
                return event
        return self._vm.wait_for_qmp_event(wanted, timeout)

    def read_pending_messages(self) -> None:
        for event in self._vm.take_qmp_events():
            self.pending_events.put(event)
