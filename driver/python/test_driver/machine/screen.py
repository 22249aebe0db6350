"""The screen."""

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List

import _vmwright
from test_driver.duration import Duration
from test_driver.machine.search import search


class Screen:
    """A machine's screen and its windows."""

    _vm: _vmwright.Machine

    def screenshot(self, filename: str) -> None:
        """Saves a picture of the screen as a PNG file in the output directory."""
        self._vm.screenshot(filename)

    @contextmanager
    def _managed_screenshot(self) -> Iterator[Path]:
        """A picture of the screen as a PPM file, until the end of `with`."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "ppm"
            self._vm.send_monitor_command(f"screendump {path}")
            yield path

    def get_screen_text_variants(self) -> List[str]:
        """Interpretations of the text on the screen. That of a text console is exact and
        comes first."""
        return self._vm.get_screen_text_variants()

    def get_screen_text(self) -> str:
        """The text on the screen."""
        return self._vm.get_screen_text()

    def wait_for_text(self, regex: str, timeout: Duration = 900) -> None:
        """Waits until a regular expression matches the text on the screen."""
        self._vm.wait_for_text(*search(regex), timeout)

    def wait_for_x(self, timeout: Duration = 900) -> None:
        """Waits until a user has a graphical session and the X server's socket exists."""
        self._vm.wait_for_x(timeout)

    def get_window_names(self) -> List[str]:
        """The names of all windows."""
        return self._vm.get_window_names()

    def wait_for_window(self, regexp: str, timeout: Duration = 900) -> None:
        """Waits until a regular expression matches the name of a window."""
        self._vm.wait_for_window(*search(regexp), timeout)
