"""Screenshots of pages, in a browser that is installed already: nothing is installed for a test."""

import pathlib
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 90


def screenshot(page: pathlib.Path, width: int = 1280, height: int = 1600) -> np.ndarray:
    """Returns what a browser shows of a page, uint8 [height, width, 3].

    Skips the test, and says why, where no browser is installed.
    """
    browser = next(filter(None, map(shutil.which, _NAMES)), None)
    if browser is None:
        pytest.skip(f"none of {', '.join(_NAMES)} is installed: the page was not looked at")
    shot = page.with_suffix(".png")
    subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            f"--user-data-dir={page.parent / 'browser'}",
            "--hide-scrollbars",
            f"--window-size={width},{height}",
            f"--screenshot={shot}",
            page.absolute().as_uri(),
        ],
        capture_output=True,
        check=True,
        timeout=_SECONDS,
    )
    with Image.open(shot) as image:
        return np.asarray(image.convert("RGB"))


def filled(shown: np.ndarray) -> float:
    """Returns the fraction of the rows of pixels that show something, 0 to 1."""
    background = shown[0, 0]
    return float(np.mean((shown != background).any(axis=(1, 2))))
