"""Networks between machines."""

import os
from pathlib import Path

import _vmwright
from test_driver.logger import Logger, rootlog


class VLan:
    """A network between machines. Start scripts find its switch in the environment,
    as `QEMU_VDE_SOCKET_N`."""

    nr: int
    socket_dir: Path
    pid: int

    def __repr__(self) -> str:
        return f"<Vlan Nr. {self.nr}>"

    def __init__(self, nr: int, tmp_dir: Path, logger: Logger = rootlog):
        self.nr = nr
        self.logger = logger
        self._switch = _vmwright.Vlan(nr, tmp_dir)
        self.socket_dir = self._switch.socket_dir
        self.pid = self._switch.pid
        os.environ[f"QEMU_VDE_SOCKET_{nr}"] = str(self.socket_dir)

    def stop(self) -> None:
        """Stops the switch."""
        self._switch.stop()
