"""Playing from the panel: on-screen keys, computer keys, wheels, pedal and panic; focus lost lets everything go."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QGuiApplication, QKeyEvent
from PyQt6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from synth_app.ui.bridge import Bridge
from synth_app.ui.view_models.keyboard import ComputerKeys, HeldNotes, note_name, place_of

_TYPING = (QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox, QComboBox)
_COMMANDS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier

REPEAT_MS = 15
"""How long a key that came up under X may turn out to be held: there a held key repeats as a release and a press of one
moment, and Qt takes them for the hand's own when it reads the first before the second has come."""


class Player(QObject):
    """The hands at the panel. An event filter of the application while its window is the active one.

    Signals:
        setting_changed(): octave or velocity of the computer's keys. said(str): news for the banner.
        panic_wanted(): Esc while a menu of the panel is open (a shortcut does not reach through it).
    """

    setting_changed = pyqtSignal()
    panic_wanted = pyqtSignal()
    said = pyqtSignal(str)

    def __init__(self, bridge: Bridge, window: QWidget) -> None:
        super().__init__(window)
        self._bridge, self._window = bridge, window
        self.keys = ComputerKeys()
        self.held = HeldNotes()
        self.enabled = True
        self._pedal = False
        self._last_escape = -1
        self._lifting: dict[str, int] = {}  # keys that came up under X, and when
        self._shortcuts: dict[str, Callable[[], object]] = {
            "z": lambda: self.keys.shift_octave(-1),
            "x": lambda: self.keys.shift_octave(1),
            "c": lambda: self.keys.shift_velocity(-1),
            "v": lambda: self.keys.shift_velocity(1),
        }

    # ------------------------------------------------------------------ notes
    def press(self, pitch: int, velocity: int) -> None:
        """A finger comes down."""
        if self.held.press(pitch):
            self._bridge.note_on(pitch, velocity)

    def release(self, pitch: int) -> None:
        """A finger lifts."""
        if self.held.release(pitch):
            self._bridge.note_off(pitch)

    def let_go(self) -> None:
        """Lift every finger and the pedal (focus lost, window closed)."""
        self._lifting.clear()
        self.keys.release_all()
        for pitch in self.held.release_all():
            self._bridge.note_off(pitch)
        if self._pedal:
            self.sustain(False)

    def sustain(self, down: bool) -> None:
        """The pedal."""
        self._pedal = down
        self._bridge.sustain(down)

    def panic(self) -> None:
        """Silence everything and say what was silenced."""
        self._lifting.clear()
        sounding = sorted({voice.pitch for voice in self._bridge.now.voices} | self.held.pitches)
        self.keys.release_all()
        self.held.release_all()
        self._pedal = False
        self._bridge.panic()
        if sounding:
            names = ", ".join(note_name(pitch) for pitch in sounding)
            text = QCoreApplication.translate("play", "Silenced {0}: {1}.")
            count = QCoreApplication.translate("play", "%n note(s)", "", len(sounding))
            count = count.replace("note(s)", "note" if len(sounding) == 1 else "notes")
            self.said.emit(text.format(count, names))
        else:
            self.said.emit(QCoreApplication.translate("play", "Nothing was sounding; every key and pedal is let go."))

    # ------------------------------------------------------------------ the computer's keys
    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        kind = event.type()
        if kind == QEvent.Type.ApplicationStateChange or (
            kind == QEvent.Type.WindowDeactivate and watched is self._window
        ):
            self.let_go()
            return False
        if kind == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._plays(event):
            event.accept()
            return True
        if kind == QEvent.Type.KeyPress and isinstance(watched, QWidget):
            return self._pressed(event)
        if kind == QEvent.Type.KeyRelease and isinstance(watched, QWidget):
            return self._released(event)
        return False

    def _plays(self, event: QKeyEvent) -> bool:
        """Whether a key is ours: a key that plays, no command held, and nobody is typing."""
        if not self.enabled or event.modifiers() & _COMMANDS or isinstance(QApplication.focusWidget(), _TYPING):
            return False
        if _covered():
            return False
        place = _place(event)
        return place in self._shortcuts or self.keys.plays(place)

    def _pressed(self, event: QKeyEvent) -> bool:
        if event.key() == Qt.Key.Key_Escape and _under_a_menu() and event.timestamp() != self._last_escape:
            if self._bridge.now.voices or self.held.pitches or self._pedal:  # else Esc is meant for the menu
                self._last_escape = event.timestamp()
                self.panic_wanted.emit()
            return False
        if not self._plays(event):
            return False
        place = _place(event)
        if event.isAutoRepeat() or self._lifting.get(place) == event.timestamp():
            self._lifting.pop(place, None)
            return True
        self._lift(place)
        if self.keys.learn(place, _letter(event)):
            self.setting_changed.emit()
        if place in self._shortcuts:
            self._shortcuts[place]()
            self.setting_changed.emit()
            return True
        pitch = self.keys.press(place)
        if pitch is not None:
            self.press(pitch, self.keys.velocity)
        return True

    def _released(self, event: QKeyEvent) -> bool:
        if event.isAutoRepeat():
            return self._plays(event)
        place = _place(event)
        if not self.keys.holds(place):
            return False
        event_time = self._lifting[place] = event.timestamp()
        if QGuiApplication.platformName() == "xcb":
            QTimer.singleShot(REPEAT_MS, lambda: self._lift(place, event_time))
        else:
            self._lift(place)
        return True

    def _lift(self, place: str, since: int | None = None) -> None:
        """Let a key go that came up (at ``since``, if given), unless it has gone down again."""
        came_up = self._lifting.get(place)
        if came_up is None or since not in (None, came_up):
            return
        del self._lifting[place]
        pitch = self.keys.release(place)
        if pitch is not None:
            self.release(pitch)


def _covered() -> bool:
    """Whether a question or a menu lies over the panel."""
    return QApplication.activeModalWidget() is not None or QApplication.activePopupWidget() is not None


def _under_a_menu() -> bool:
    """Whether a menu is open and no dialog: Esc in a dialog is for the dialog."""
    return QApplication.activePopupWidget() is not None and not isinstance(QApplication.activeWindow(), QDialog)


def _place(event: QKeyEvent) -> str:
    """Where a key is, whatever is printed on it."""
    platform = QGuiApplication.platformName()
    return place_of(platform, event.nativeScanCode(), event.nativeVirtualKey(), _letter(event))


def _letter(event: QKeyEvent) -> str:
    """The letter on a key, whatever Shift or Caps Lock makes of it."""
    code = event.key()
    return chr(code).lower() if 0x20 < code < 0x7F else event.text().lower()
