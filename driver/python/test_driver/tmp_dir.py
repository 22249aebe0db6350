"""Directories for state."""

import os
import tempfile
from pathlib import Path


def get_tmp_dir() -> Path:
    """The directory for state that is kept from run to run."""
    tmp_dir = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    tmp_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tmp_dir
