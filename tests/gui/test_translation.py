"""Every word of the panel can be had in another language: nothing is shown that a translator does not see."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PyQt6.lupdate import lupdate
from PyQt6.QtCore import QTranslator
from PyQt6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QLineEdit, QTabWidget, QWidget
from pytestqt.qtbot import QtBot

from synth_app.ui.main_window import MainWindow
from tests.gui.fake_instrument import FakeInstrument

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)

UI = Path(__file__).parents[2] / "synth_app" / "ui"
SAME_EVERYWHERE = re.compile(
    r"synth_app|CPU|CUDA|JACK.*|Esc|Return|Space|F\d|Ctrl.*|[A-Z ;]+…?|[\W\d]*|-?[\d.]+ (ms|s|dB|st|Hz|cents|oct)"
)
"""Names, keys as they are printed, and figures."""


class Marked(QTranslator):
    """A language in which everything stands between marks."""

    def translate(self, context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str:
        return f"⟦{text}⟧"


@pytest.fixture
def marked(qapp: QApplication) -> Iterator[None]:
    translator = Marked()
    qapp.installTranslator(translator)
    yield
    qapp.removeTranslator(translator)


def words_of(widget: QWidget) -> Iterator[str]:
    """What a widget shows and says."""
    if isinstance(widget, (QLabel, QAbstractButton)):
        yield widget.text()
    if isinstance(widget, QLineEdit):
        yield widget.placeholderText()
    if isinstance(widget, QComboBox):
        yield from (widget.itemText(i) for i in range(widget.count()))
    if isinstance(widget, QTabWidget):
        yield from (widget.tabText(i) for i in range(widget.count()))
    yield from (widget.toolTip(), widget.accessibleName(), widget.windowTitle())


def test_everything_shown_goes_through_the_translator(
    marked: None, make_window: Callable[..., MainWindow], fake: FakeInstrument, qtbot: QtBot
) -> None:
    window = make_window()
    window.bridge.poll()
    window.dialogs.show_settings()
    window.dialogs.show_keys()
    window.dialogs.show_welcome()
    page = window.dialogs.settings_dialog.audio
    qtbot.waitUntil(lambda: page.device.count() == 4, timeout=3000)
    given = {anchor.name for anchor in fake.anchors} | {anchor.family for anchor in fake.anchors}
    given |= {row.name for row in window.shelf.rows()} | {tag for row in window.shelf.rows() for tag in row.tags}
    given |= {device.name for device in fake.audio_devices()} | set(fake.midi_inputs())
    plain = set()
    for widget in window.findChildren(QWidget):
        if widget.objectName().startswith("qt_") or isinstance(widget.parent(), QComboBox):
            continue  # Qt's own parts, which Qt translates itself
        for text in words_of(widget):
            if "⟦" not in text and text not in given and not SAME_EVERYWHERE.fullmatch(text):
                plain.add(text)
    assert plain == set()


def test_translators_are_handed_every_sentence(tmp_path: Path) -> None:
    catalogue = tmp_path / "synth_app.ts"
    lupdate([str(path) for path in UI.rglob("*.py")], [str(catalogue)])
    messages = {
        (context.findtext("name"), message.findtext("source"))
        for context in ElementTree.parse(catalogue).getroot().iter("context")
        for message in context.iter("message")
    }
    for wanted in (
        ("status", "Drop-outs"),
        ("presets", "My presets"),
        ("library", "Brightest"),
        ("anchor_menu", "Capture the in-between"),
        ("MidiPage", "Listen on every MIDI channel"),
        ("WelcomeDialog", "Welcome to synth_app"),
    ):
        assert wanted in messages
    assert len(messages) > 250
