"""The network."""

from typing import Any


class Network:
    """A machine's ports, sockets and cables."""

    _vm: Any

    def wait_for_open_port(
        self, port: int, addr: str = "localhost", timeout: int = 900
    ) -> None:
        """Waits until somebody listens on a TCP port."""
        self._vm.wait_for_open_port(int(port), addr, timeout)

    def wait_for_closed_port(
        self, port: int, addr: str = "localhost", timeout: int = 900
    ) -> None:
        """Waits until nobody listens on a TCP port."""
        self._vm.wait_for_closed_port(int(port), addr, timeout)

    def wait_for_open_unix_socket(
        self, addr: str, is_datagram: bool = False, timeout: int = 900
    ) -> None:
        """Waits until somebody listens on a Unix socket."""
        self._vm.wait_for_open_unix_socket(str(addr), is_datagram, timeout)

    def forward_port(self, host_port: int = 8080, guest_port: int = 80) -> None:
        """Leads a TCP port of the host's into the guest."""
        self._vm.forward_port(int(host_port), int(guest_port))

    def block(self) -> None:
        """Pulls the cable to the other machines."""
        self._vm.block()

    def unblock(self) -> None:
        """Plugs the cable to the other machines in again."""
        self._vm.unblock()
