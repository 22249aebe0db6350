"""The text on pictures of screens."""

from pathlib import Path
from typing import List

import _vmwright


def perform_ocr_on_screenshot(screenshot_path: Path) -> str:
    """The text on a picture: a PPM file of QEMU's `screendump`, or a PNG file."""
    return "".join(perform_ocr_variants_on_screenshot(screenshot_path, False))


def perform_ocr_variants_on_screenshot(
    screenshot_path: Path, variants: bool = True
) -> List[str]:
    """Interpretations of the text on a picture; only the best without `variants`."""
    texts = _vmwright.read_picture(screenshot_path)
    return texts if variants else texts[:1]
