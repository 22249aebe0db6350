"""The network."""

import _vmwright
from test_driver.duration import Duration


class Network:
    """A machine's ports, sockets and network links."""

    _vm: _vmwright.Machine

    def wait_for_open_port(
        self, port: int, addr: str = "localhost", timeout: Duration = 900
    ) -> None:
        """Waits until a program listens on a TCP port."""
        self._vm.wait_for_open_port(int(port), addr, timeout)

    def wait_for_closed_port(
        self, port: int, addr: str = "localhost", timeout: Duration = 900
    ) -> None:
        """Waits until no program listens on a TCP port."""
        self._vm.wait_for_closed_port(int(port), addr, timeout)

    def wait_for_open_unix_socket(
        self, addr: str, is_datagram: bool = False, timeout: Duration = 900
    ) -> None:
        """Waits until a program listens on a Unix socket."""
        self._vm.wait_for_open_unix_socket(str(addr), is_datagram, timeout)

    def forward_port(self, host_port: int = 8080, guest_port: int = 80) -> None:
        """Forwards a TCP port of the host to one of the guest."""
        self._vm.forward_port(int(host_port), int(guest_port))

    def block(self) -> None:
        """Takes the links to the other machines down."""
        self._vm.block()

    def unblock(self) -> None:
        """Brings the links to the other machines up again."""
        self._vm.unblock()
