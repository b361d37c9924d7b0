"""The first-run page: from a fresh start to sound in under a minute, with no MIDI keyboard needed."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from synth_app.engine.telemetry import Telemetry
from synth_app.ui.bridge import Bridge
from synth_app.ui.play import Player
from synth_app.ui.view_models.status import keyboards_and_ports
from synth_app.ui.widgets.base import caption, card

_CHORD = (48, 60, 64, 67)
_CHORD_MS = 1600


class WelcomeDialog(QDialog):
    """Three steps: hear it, play it, move it.

    Signals:
        settings_wanted(): the player cannot hear it; the page stays, so that the next try is one click away.
        keys_wanted(): the player wants the table of keys.
    """

    settings_wanted = pyqtSignal()
    keys_wanted = pyqtSignal()

    def __init__(self, parent: QWidget, bridge: Bridge, player: Player) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Welcome"))
        self._player = player
        self._end = QTimer(self, singleShot=True, interval=_CHORD_MS)
        self._end.timeout.connect(self._release)
        title = QLabel(self.tr("Welcome to synth_app"))
        title.setProperty("role", "title")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.5)
        title.setFont(font)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setSpacing(12)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(title)
        intro = caption(
            self.tr("An instrument whose notes are drawn by a neural network, and whose timbre you can move.")
        )
        intro.setWordWrap(True)
        layout.addWidget(intro)
        self.output = QLabel()
        self.hear = QPushButton(self.tr("Play a chord"))
        self.hear.setProperty("role", "primary")
        self.hear.clicked.connect(self.play_chord)
        silent = QPushButton(self.tr("I hear nothing …"))
        silent.clicked.connect(self.settings_wanted)
        layout.addWidget(self._step("1", self.tr("Hear it"), self.output, self.hear, silent))
        self.midi = QLabel()
        layout.addWidget(self._step("2", self.tr("Play it"), self.midi))
        pad = QLabel(
            self.tr("Drag the ring on the pad: each coloured dot is a timbre, and the nearer the ring, the more of it. "
                    "Double-click a timbre in the list to add it.")
        )  # fmt: skip
        layout.addWidget(self._step("3", self.tr("Move it"), pad))
        layout.addStretch(1)
        start = QPushButton(self.tr("Start playing"))
        start.setProperty("role", "primary")
        start.clicked.connect(self.accept)
        keys = QPushButton(self.tr("All keys (F1)"))
        keys.clicked.connect(self.keys_wanted)
        hint = caption(
            self.tr("Esc closes this page, and after that silences everything. The “?” above brings it back.")
        )
        hint.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(keys)
        row.addStretch(1)
        row.addWidget(start)
        whole = QVBoxLayout(self)
        whole.setSpacing(12)
        whole.setContentsMargins(20, 18, 20, 18)
        whole.addWidget(_Whole(page), 1)
        whole.addWidget(hint)
        whole.addLayout(row)
        bridge.snapshot.connect(self._show)  # a bound method, which ends with the dialog
        self._show(bridge.now, bridge.now)

    def _step(self, number: str, title: str, text: QLabel, *buttons: QPushButton) -> QWidget:
        frame, layout = card(name=title)
        head = QLabel(f"{number}   {title}")
        head.setProperty("role", "title")
        layout.addWidget(head)
        text.setWordWrap(True)
        layout.addWidget(text)
        if buttons:
            row = QHBoxLayout()
            for button in buttons:
                row.addWidget(button)
            row.addStretch(1)
            layout.addLayout(row)
        return frame

    def _show(self, now: Telemetry, _before: Telemetry) -> None:
        output = now.audio_device or self.tr("no output yet")
        self._set(self.output, self.tr("Sound goes to: {0}.").format(output))
        names = ", ".join(keyboards_and_ports(now)[0])
        if names:
            text = self.tr("Connected: {0}. The on-screen keys and the letters A W S E D … play too.").format(names)
        else:
            text = self.tr("No MIDI keyboard yet: plug one in at any time. Until then click the keys at the bottom, or "
                           "play the letters A W S E D F … (Z and X change the octave).")  # fmt: skip
        self._set(self.midi, text)

    @staticmethod
    def _set(label: QLabel, text: str) -> None:
        if label.text() != text:
            label.setText(text)

    def play_chord(self) -> None:
        """Let the present timbre be heard."""
        if not self._end.isActive():
            for pitch in _CHORD:
                self._player.press(pitch, 88)
        self._end.start()

    def _release(self) -> None:
        for pitch in _CHORD:
            self._player.release(pitch)

    def done(self, result: int) -> None:
        if self._end.isActive():
            self._end.stop()
            self._release()
        super().done(result)


class _Whole(QScrollArea):
    """Wants to show all of a page, and scrolls where the screen is too small for it."""

    def __init__(self, page: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(page)

    def sizeHint(self) -> QSize:
        width = max(self.widget().minimumSizeHint().width(), 56 * self.fontMetrics().averageCharWidth())
        return QSize(width, self.widget().heightForWidth(width) + self.fontMetrics().height())
