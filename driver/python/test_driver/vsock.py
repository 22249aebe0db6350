"""Virtual sockets of machines, by which a user connects to their SSH servers."""

import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

# The daemon that connects a machine's virtual socket to sockets of the host.
PROGRAM = "vhost-device-vsock"


class VsockPair(NamedTuple):
    """The sockets of a machine's daemon, and the context identifier of the guest."""

    # For QEMU.
    guest: Path
    # For clients: systemd-ssh-proxy(1) connects to it.
    host: Path
    cid: int

    @property
    def daemon(self) -> List[str]:
        """The command that runs the daemon."""
        sockets = f"socket={self.guest},uds-path={self.host}"
        return [PROGRAM, "--vm", f"guest-cid={self.cid},{sockets}"]


class VHostDeviceVsock:
    """The virtual sockets of a run's machines, by name: `driver.vhost_vsock` in scripts. Each
    machine has a daemon of its own, which is started and ended with its QEMU."""

    sockets: Dict[str, VsockPair]

    def __init__(self, tmp_dir: Path, machines: Iterable[str]):
        self._dir = tempfile.TemporaryDirectory(prefix="vsock-", dir=tmp_dir)
        self.temp_dir = Path(self._dir.name)
        self.sockets = {}
        # The first identifiers have other meanings.
        for cid, name in enumerate(machines, start=3):
            guest, host = (self.temp_dir / f"{name}_{end}.socket" for end in ("guest", "host"))
            self.sockets[name] = VsockPair(guest, host, cid)

    def stop(self) -> None:
        """Removes the sockets."""
        self._dir.cleanup()


def is_available() -> bool:
    """Whether the daemon is installed."""
    return shutil.which(PROGRAM) is not None


def connected(command: str, guest: Path, daemon: Optional[List[str]]) -> str:
    """A start command that connects its QEMU to the socket `guest`, after it has started the
    daemon, if there is one."""
    script = f"exec {shlex.quote(command)}" if Path(command).is_file() else command
    device = "-device vhost-user-vsock-pci,chardev=vsock_ssh"
    line = f"{script} -chardev socket,id=vsock_ssh,path={shlex.quote(str(guest))} {device}"
    if daemon is None:
        return line
    socket = shlex.quote(str(guest))
    wait = f"until [ -S {socket} ]; do kill -0 $! || exit 1; sleep 0.05; done"
    return f"rm -f {socket}; {shlex.join(daemon)} >&2 & {wait}; {line}"


def listing(commands: List[Tuple[str, str]]) -> str:
    """The names of machines with the commands that reach them."""
    width = max(len(name) for name, _ in commands) + 2
    lines = [f"    {name + ':':{width}} {command}" for name, command in commands]
    return "\n".join(
        [
            "SSH backdoor enabled, the machines can be accessed like this:",
            "Note: this requires systemd-ssh-proxy(1) to be enabled (default on NixOS 25.05"
            " and newer).",
            *lines,
        ]
    )
