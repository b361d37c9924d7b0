"""What the panel says: the banner above and the status line below."""

from __future__ import annotations

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QMoveEvent, QResizeEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from synth_app.engine.telemetry import Telemetry
from synth_app.ui.view_models.status import Fact, facts
from synth_app.ui.widgets.base import tool
from synth_app.ui.widgets.flow import FlowLayout

_CALM_MS = 6000
_READ_NS = 200_000_000


class Banner(QFrame):
    """One sentence for the player. Troubles stay until they are dismissed, calm news go by themselves.

    Signals:
        acted(): the button beside the sentence was pressed. resized(): it has other words, so needs another place.
    """

    acted = pyqtSignal()
    resized = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.button = QPushButton()
        self.button.clicked.connect(self._act)
        self.close_button = tool("close", self.tr("Dismiss"))
        self.close_button.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 4, 6, 4)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.button)
        layout.addWidget(self.close_button)
        self._timer = QTimer(self, singleShot=True, interval=_CALM_MS)
        self._timer.timeout.connect(self.hide)
        self.hide()

    def say(self, text: str, *, trouble: bool = False, button: str = "") -> None:
        """Show a sentence, with a button when there is something to do about it."""
        self.setProperty("tone", "trouble" if trouble else "calm")
        self.style().unpolish(self)
        self.style().polish(self)
        self.text.setText(text)
        self.setAccessibleName(text)
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self.show()
        self.resized.emit()
        if trouble:
            self._timer.stop()
        else:
            self._timer.start()

    def _act(self) -> None:
        self.hide()
        self.acted.emit()


class StatusLine(QWidget):
    """The honest figures, wrapping when there is little room; a click on "Make it safe" asks for a larger block.

    Signals:
        safe_wanted(): the button. moved(): it lies elsewhere, or is larger.
    """

    safe_wanted = pyqtSignal()
    moved = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._labels: dict[str, QLabel] = {}
        self._shown: dict[str, Fact] = {}
        self._start = Telemetry()
        self._last = Telemetry()
        self._shown_ns = 0
        self.warming = QProgressBar()
        self.warming.setRange(0, 100)
        self.warming.setTextVisible(False)
        self.warming.setFixedWidth(64)
        self.warming.setAccessibleName(self.tr("Warming the timbre"))
        policy = self.warming.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # the figures must not move when it comes and goes
        self.warming.setSizePolicy(policy)
        self.safe = QPushButton(self.tr("Make it safe"))
        self.safe.setToolTip(self.tr("Take a larger block: less risk of drop-outs, a little more latency."))
        self.safe.clicked.connect(self.safe_wanted)
        self.clear = QPushButton(self.tr("Clear counts"))
        self.clear.clicked.connect(self.clear_counts)
        self._lines = QWidget()
        self._flow = FlowLayout(self._lines, gap=12)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.addWidget(self._lines, 1, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self.warming)
        layout.addWidget(self.clear)
        layout.addWidget(self.safe)
        self.update_status(Telemetry())

    @property
    def figures_width(self) -> int:
        """How far the figures reach: news may lie over them, not over the progress and the buttons."""
        return self._lines.geometry().right() + 1

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.moved.emit()

    def moveEvent(self, event: QMoveEvent) -> None:
        super().moveEvent(event)
        self.moved.emit()

    def clear_counts(self) -> None:
        """Count xruns, late and bridged notes from now on."""
        self._start = self._last
        self._shown_ns = 0
        self.update_status(self._last)

    def update_status(self, now: Telemetry) -> None:
        """Show a snapshot, a few times a second, since nobody reads faster; only what changed is touched."""
        if self._last.rate_hz == 0 and now.rate_hz:
            self._start = now  # what happened while everything was starting is nobody's fault
        self._last = now
        if 0 < now.time_ns - self._shown_ns < _READ_NS:
            return
        self._shown_ns = now.time_ns
        for fact in facts(now, self._start):
            if self._shown.get(fact.key) == fact:
                continue
            label = self._labels.get(fact.key)
            if label is None:
                label = self._labels[fact.key] = QLabel()
                self._flow.addWidget(label)
            health = self._shown[fact.key].health if fact.key in self._shown else None
            self._shown[fact.key] = fact
            label.setText(f"{fact.label} {fact.value}")
            label.setToolTip(fact.help)
            label.setAccessibleDescription(fact.help)
            if fact.health != health:
                label.setProperty("health", fact.health)
                label.setProperty("role", "muted" if fact.health == "plain" else "")
                label.style().unpolish(label)
                label.style().polish(label)
        self.warming.setValue(round(100 * now.warm))
        self.warming.setVisible(now.queue > 0 and now.warm < 0.995)
