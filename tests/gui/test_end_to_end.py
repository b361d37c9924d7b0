"""The real program under a virtual screen, with a real mouse and real keys, heard by a recorder of its own.

Where things are is asked of a twin: the same window, built in this process on a fake instrument and never shown on that
screen. The program itself knows nothing of being tested.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPoint
from PyQt6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from synth_app.adapters.generator_partials import partials_anchors
from synth_app.adapters.preset_store import PresetStore
from synth_app.core.units import pitch_to_hz
from synth_app.timbre.patch import Patch, PatchAnchor
from synth_app.ui.main_window import MainWindow
from synth_app.ui.view_models.keyboard import key_layout
from tests.gui.fake_instrument import FakeInstrument
from tests.gui.hand import PANEL, SIZE, Hand
from tests.helpers import jack, listen
from tests.helpers.program import Program

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)

SOFT, BRIGHT = (0.15, 0.5), (0.85, 0.5)
WORLDS = Patch(
    "Two Worlds",
    (PatchAnchor("Soft Flute", *SOFT, 1.0), PatchAnchor("Bright Strings", *BRIGHT, 0.0)),
    params={"glide_ms": 0.0, "release_ms": 60.0},
)


class Twin:
    """Where the program's widgets are on the screen."""

    def __init__(self, qtbot: QtBot, fake: FakeInstrument) -> None:
        fake.anchors = partials_anchors()
        fake.patch = WORLDS
        self.window = MainWindow(fake, PANEL)
        qtbot.addWidget(self.window, before_close_func=lambda window: window.bridge.stop())
        self.window.show()
        qtbot.waitExposed(self.window)
        qtbot.waitUntil(lambda: self.window.size().width() == SIZE[0], timeout=3000)
        qtbot.wait(50)

    def middle(self, widget: QWidget) -> QPoint:
        return widget.mapTo(self.window, widget.rect().center())

    def on_pad(self, place: tuple[float, float]) -> QPoint:
        pad = self.window.pad_pane.pad
        return pad.mapTo(self.window, pad.to_screen(place).toPoint())

    def first_timbre(self) -> QPoint:
        rows = self.window.timbres.list
        return rows.viewport().mapTo(self.window, rows.visualItemRect(rows.item(0)).center())

    def key(self, pitch: int) -> QPoint:
        keyboard = self.window.keys.keyboard
        key = next(key for key in key_layout(*keyboard._range) if key.pitch == pitch)
        x = (key.left + 0.3 * key.width) * keyboard.width()
        return keyboard.mapTo(self.window, QPoint(round(x), round(0.9 * keyboard.height())))


def centroid_hz(wave: np.ndarray) -> float:
    """Spectral centroid of a stretch of sound."""
    power = np.abs(np.fft.rfft(wave * np.hanning(wave.size))) ** 2
    return float(power @ np.fft.rfftfreq(wave.size, 1 / jack.RATE_HZ) / power.sum())


def wait_for(path: Path, seconds: float = 15.0) -> Path:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not appear among {sorted(path.parent.glob('*'))}"
        time.sleep(0.05)
    return path


def test_choosing_morphing_playing_saving_and_starting_again(
    qtbot: QtBot, fake: FakeInstrument, jack_server: jack.JackServer, screen: str, home: Path, tmp_path: Path
) -> None:
    preset = PresetStore().save(WORLDS, tmp_path / "Two Worlds.synthpreset")
    twin, hand = Twin(qtbot, fake), Hand(screen)
    shown = {"DISPLAY": screen, "QT_QPA_PLATFORM": "xcb"}
    store = PresetStore(user_dir=home / "data" / "synth_app" / "presets")

    with Program(["play", "--preset", preset], home, shown) as program:
        program.wait_ready()
        hand.wait_window("Two Worlds")
        time.sleep(1.0)

        hand.click(twin.middle(twin.window.timbres.search))  # choose a third timbre
        hand.do("type", "struck")
        time.sleep(0.3)
        hand.click(twin.first_timbre(), times=2)

        with jack.recording(tmp_path / "take.wav", jack.OUTPUTS):
            time.sleep(0.3)
            hand.drag(twin.on_pad((0.4, 0.6)), twin.on_pad((0.2, 0.55)), twin.on_pad(SOFT))
            time.sleep(0.8)
            hand.hold_key("a", 1.2)
            time.sleep(1.4)
            hand.drag(twin.on_pad(SOFT), *(twin.on_pad((x, 0.5)) for x in (0.3, 0.5, 0.7, 0.84)), twin.on_pad(BRIGHT))
            time.sleep(0.8)
            hand.hold_key("a", 1.2)
            time.sleep(1.4)
            hand.hold(twin.key(64), 1.2)
            time.sleep(0.8)

        hand.do("key", "ctrl+s")
        time.sleep(0.8)
        hand.do("type", "Far World")
        hand.do("key", "Return")
        saved = wait_for(store.user_dir / "Far World.synthpreset")
        hand.do("key", "Escape")
        assert program.interrupt() == 0

    patch = store.load(saved)
    assert [anchor.name for anchor in patch.anchors] == ["Soft Flute", "Bright Strings", "Struck Bar"]
    assert patch.weights == pytest.approx((0.0, 1.0, 0.0), abs=0.01)

    sound = listen.mono(jack.read_recording(tmp_path / "take.wav"))
    onsets = listen.onsets_s(sound, jack.RATE_HZ, threshold_db=listen.peak_db(sound) - 30.0, quiet_s=0.3)
    assert len(onsets) == 3
    notes = [sound[int((s + 0.4) * jack.RATE_HZ) : int((s + 1.0) * jack.RATE_HZ)] for s in onsets]
    for note, pitch in zip(notes, (60, 60, 64), strict=True):
        heard = listen.pitch_hz(note, jack.RATE_HZ, lowest_hz=0.7 * pitch_to_hz(pitch))
        assert abs(listen.cents_off(heard, pitch_to_hz(pitch))) < 15.0
    soft, bright = centroid_hz(notes[0]), centroid_hz(notes[1])
    assert bright > 1.4 * soft, "the timbre followed the hand"

    with Program(["play"], home, shown) as program:
        assert "'Far World'" in program.wait_ready()
        hand.wait_window("Far World")
        assert program.interrupt() == 0
