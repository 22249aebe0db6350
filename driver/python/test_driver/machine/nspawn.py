"""Containers of systemd-nspawn."""

from typing import Any


class NspawnMachine:
    """A container of the NixOS test driver. There are none here; the name is for
    annotations."""

    name: str

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("containers are not supported, only virtual machines")
