"""A panel on a fake instrument."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from synth_app.ui.main_window import MainWindow
from synth_app.ui.settings import PanelSettings
from tests.gui.fake_instrument import FakeInstrument
from tests.gui.hand import PANEL
from tests.helpers import jack


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake(tmp_path: Path, clock: Clock) -> FakeInstrument:
    return FakeInstrument(tmp_path, clock)


@pytest.fixture
def make_window(qtbot: QtBot, fake: FakeInstrument) -> Iterator[Callable[..., MainWindow]]:
    """Builds windows that do not poll by themselves; ``window.bridge.poll()`` is one frame."""
    windows: list[MainWindow] = []

    def build(settings: PanelSettings | None = None, size: tuple[int, int] = (1360, 860)) -> MainWindow:
        path = next(path for name, path in fake.presets() if name == "Welcome")
        window = MainWindow(fake, settings or PanelSettings(first_run=False), preset=path, rng=np.random.default_rng(5))
        window.resize(*size)
        window.show()
        qtbot.waitExposed(window)
        windows.append(window)
        return window

    yield build
    for window in windows:
        QApplication.instance().removeEventFilter(window.player)
        window.bridge.stop()
        window.close = lambda: True  # no question about unsaved edits when a test ends
        window.hide()
        window.deleteLater()


@pytest.fixture
def window(make_window: Callable[..., MainWindow]) -> MainWindow:
    return make_window()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A player's home with the panel's settings and no first-run page."""
    settings = tmp_path / "home" / "config" / "synth_app" / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(tomli_w.dumps({"schema_version": 1, "model": "partials", "panel": PANEL.to_table()}))
    return tmp_path / "home"


@pytest.fixture
def screen() -> Iterator[str]:
    """A virtual screen; its name for DISPLAY."""
    read, write = os.pipe()
    server = subprocess.Popen(
        [jack.tool("Xvfb"), "-displayfd", str(write), "-screen", "0", "1400x900x24", "-dpi", "96", "-nolisten", "tcp"],
        pass_fds=(write,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    assert number, "Xvfb did not start"
    yield f":{number}"
    server.terminate()
    server.wait(10)
