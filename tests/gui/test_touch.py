"""A touch screen: chords on the on-screen keyboard, the ring by a finger, menus by holding still."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
from PyQt6.QtCore import QEvent, QPoint
from PyQt6.QtGui import QFocusEvent
from PyQt6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from synth_app.core.events import NoteOff, NoteOn
from synth_app.ui.main_window import MainWindow
from synth_app.ui.view_models.keyboard import key_layout
from tests.gui.fake_instrument import FakeInstrument
from tests.gui.fingers import Fingers

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support", extend=True),
    pytest.mark.skipif(sys.platform != "linux", reason="Qt's entry for touches has another name elsewhere"),
]


@pytest.fixture
def fingers(qapp: QApplication) -> Fingers:
    return Fingers()


@pytest.fixture
def menus() -> Iterator[Callable[[], list[QMenu]]]:
    def shown() -> list[QMenu]:
        return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, QMenu) and widget.isVisible()]

    yield shown
    for menu in shown():
        menu.close()


def key_place(window: MainWindow, pitch: int) -> QPoint:
    keyboard = window.keys.keyboard
    key = next(key for key in key_layout(*keyboard._range) if key.pitch == pitch)
    x = (key.left + (0.5 if key.black else 0.3) * key.width) * keyboard.width()
    return QPoint(round(x), round(0.9 * key.height * keyboard.height()))


def pitches(fake: FakeInstrument, kind: type[NoteOn] | type[NoteOff]) -> list[int]:
    return [event.pitch for event in fake.of_type(kind)]


def test_fingers_play_a_chord_and_each_is_lifted_alone(
    window: MainWindow, fake: FakeInstrument, fingers: Fingers
) -> None:
    keyboard = window.keys.keyboard
    for finger, pitch in enumerate((60, 64, 67)):
        fingers.press(finger, keyboard, key_place(window, pitch))
    assert pitches(fake, NoteOn) == [60, 64, 67] and not pitches(fake, NoteOff)
    fingers.move(1, keyboard, key_place(window, 65))
    assert pitches(fake, NoteOn) == [60, 64, 67, 65] and pitches(fake, NoteOff) == [64], "the second finger slid"
    for finger in (2, 0, 1):
        fingers.lift(finger, keyboard)
    assert pitches(fake, NoteOff) == [64, 67, 60, 65]


def test_fingers_are_lifted_when_the_keyboard_loses_the_focus(
    window: MainWindow, fake: FakeInstrument, fingers: Fingers
) -> None:
    fingers.press(0, window.keys.keyboard, key_place(window, 61))
    QApplication.sendEvent(window.keys.keyboard, QFocusEvent(QEvent.Type.FocusOut))
    assert pitches(fake, NoteOn) == pitches(fake, NoteOff) == [61]
    fingers.lift(0, window.keys.keyboard)
    assert pitches(fake, NoteOff) == [61], "once"


def test_a_finger_drags_the_ring(window: MainWindow, fingers: Fingers) -> None:
    pad = window.pad_pane.pad
    start, end = (pad.to_screen(place).toPoint() for place in ((0.4, 0.45), (0.7, 0.55)))
    fingers.press(0, pad, start)
    fingers.move(0, pad, end)
    fingers.lift(0, pad)
    assert window.document.sound.handle == pytest.approx((0.7, 0.55), abs=0.01)


def test_a_finger_held_still_on_an_anchor_opens_its_menu(
    window: MainWindow, fingers: Fingers, menus: Callable[[], list[QMenu]], qtbot: QtBot
) -> None:
    pad, patch = window.pad_pane.pad, window.document.sound.patch
    at = pad.to_screen(pad._places[0]).toPoint()
    fingers.press(0, pad, at)
    fingers.move(0, pad, at + QPoint(2, 1))  # nobody holds quite still
    qtbot.waitUntil(lambda: bool(menus()), timeout=5_000)
    assert patch.anchors[0].name in menus()[0].actions()[0].text()
    fingers.lift(0, pad)
    assert window.document.sound.patch == patch, "nothing was dragged"


def test_a_finger_that_moves_on_opens_no_menu(
    window: MainWindow, fingers: Fingers, menus: Callable[[], list[QMenu]], qtbot: QtBot
) -> None:
    pad = window.pad_pane.pad
    at = pad.to_screen((0.4, 0.45)).toPoint()
    fingers.press(0, pad, at)
    fingers.move(0, pad, at + QPoint(40, 0))
    qtbot.wait(800)
    assert not menus()
    fingers.lift(0, pad)
