"""Draw the pictures of the README: the real instrument, played by itself, photographed by the panel.

Run it from the checkout with a JACK server (a dummy one will do): ``python docs/images/make_images.py``.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PyQt6.QtWidgets import QApplication, QWidget

from synth_app.app.instrument import LiveInstrument, LiveOptions
from synth_app.ui.main import create_window, make_application
from synth_app.ui.main_window import MainWindow
from synth_app.ui.settings import PanelSettings

HERE = Path(__file__).resolve().parent
CHORDS = ((48, 55, 64), (45, 52, 60, 67), (53, 57, 60, 69))


def wait(app: QApplication, seconds: float) -> None:
    """Let the panel live for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        app.processEvents()
        time.sleep(0.002)


def wait_until(app: QApplication, true: Callable[[], bool], longest_s: float = 60.0) -> None:
    """Let the panel live until something holds: pictures may be taken on a busy machine."""
    end = time.monotonic() + longest_s
    while not true() and time.monotonic() < end:
        wait(app, 0.05)


def play(app: QApplication, window: MainWindow) -> None:
    """A few chords under a slow turn of the handle; ends with a chord held and the handle on its way."""
    wait_until(app, lambda: window.bridge.now.warm > 0.99)
    window.morphing.press()
    for number, chord in enumerate(CHORDS):
        for pitch in chord:
            window.player.press(pitch, 70 + 9 * (pitch % 5))
        wait_until(app, lambda: window.bridge.now.peak_left > 0.01)
        window.status.clear_counts()
        for step in range(36):
            angle = 0.6 + 0.055 * (36 * number + step)
            window.morphing.move(0.5 - 0.24 * math.cos(angle), 0.5 - 0.2 * math.sin(1.3 * angle))
            wait(app, 1 / 25)
        if number < len(CHORDS) - 1:
            for pitch in chord:
                window.player.release(pitch)
            wait(app, 0.15)
    wait_until(app, lambda: window.bridge.now.peak_left > 0.01)
    wait(app, 2.0)
    for step in range(12):  # the trail, and what sounds on its way to what is asked
        window.morphing.move(0.32 + 0.012 * step, 0.36 + 0.01 * step)
        wait(app, 1 / 25)


def picture(app: QApplication, window: MainWindow, name: str) -> None:
    """Take a picture of the window."""
    wait(app, 0.05)
    window.bridge.stop()  # or a word that has just grown is drawn into its old place
    wait(app, 0.05)
    window.grab().save(str(HERE / name), "PNG")
    window.bridge.start()


def main() -> int:
    """Take all pictures."""
    app = make_application()
    instrument = LiveInstrument(LiveOptions(preset="Welcome"))
    instrument.wait_ready()
    settings = PanelSettings(first_run=False, favourite_timbres=frozenset({"Cello", "Harp", "Choir Aahs"}))
    window = create_window(instrument, settings, lambda _: None, preset=instrument.preset_path)
    try:
        for name, theme, zoom, size in (
            ("panel.png", "dark", 1.0, (1360, 860)),
            ("panel-light.png", "light", 1.0, (1360, 860)),
            ("panel-200.png", "dark", 2.0, (1920, 1200)),
            ("panel-light-200.png", "light", 2.0, (1920, 1200)),
        ):
            window.change_settings(replace(window.settings, theme=theme, zoom=zoom))
            window.resize(*size)
            window.show()
            wait(app, 1.0)
            play(app, window)
            picture(app, window, name)
            window.morphing.release()
            window.player.let_go()
            wait(app, 1.0)
    finally:
        QWidget.hide(window)
        window.bridge.stop()
        instrument.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
