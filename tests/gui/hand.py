"""A mouse and a keyboard at a real screen, and how the panel lies on it."""

from __future__ import annotations

import os
import subprocess
import time

from PyQt6.QtCore import QPoint

from synth_app.ui.settings import PanelSettings
from tests.helpers import jack

SIZE = (1280, 800)
PANEL = PanelSettings(first_run=False, window=(0, 0, *SIZE))


class Hand:
    """A mouse and a keyboard at a screen, by xdotool."""

    def __init__(self, display: str) -> None:
        self._environment = {**os.environ, "DISPLAY": display}

    def do(self, *words: object) -> str:
        """One xdotool command line; what it printed."""
        command = [jack.tool("xdotool"), *map(str, words)]
        result = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=30, check=True)
        time.sleep(0.05)
        return result.stdout.strip()

    def wait_window(self, title: str, seconds: float = 60.0) -> None:
        """Wait until a window of this title is on the screen."""
        end = time.monotonic() + seconds
        command = [jack.tool("xdotool"), "search", "--onlyvisible", "--name", title]
        while subprocess.run(command, env=self._environment, capture_output=True, timeout=30, check=False).returncode:
            assert time.monotonic() < end, f"no window named {title!r} appeared"
            time.sleep(0.2)

    def click(self, at: QPoint, times: int = 1) -> None:
        self.do("mousemove", at.x(), at.y(), "click", "--repeat", times, "--delay", 60, 1)

    def hold(self, at: QPoint, seconds: float) -> None:
        self.do("mousemove", at.x(), at.y(), "mousedown", 1)
        time.sleep(seconds)
        self.do("mouseup", 1)

    def drag(self, *points: QPoint) -> None:
        self.do("mousemove", points[0].x(), points[0].y(), "mousedown", 1)
        for point in points[1:]:
            self.do("mousemove", point.x(), point.y())
        self.do("mouseup", 1)

    def hold_key(self, key: str, seconds: float) -> None:
        self.do("keydown", key)
        time.sleep(seconds)
        self.do("keyup", key)
