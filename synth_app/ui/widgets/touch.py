"""A finger held still on a touch screen opens the menu that the mouse's right button opens.

Everything else that one finger does, Qt turns into the mouse; the on-screen keyboard takes all fingers itself.
"""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, QPointF, QTimer
from PyQt6.QtGui import QContextMenuEvent, QInputDevice, QMouseEvent
from PyQt6.QtWidgets import QApplication, QWidget

HOLD_MS = 600
STILL_PX = 10
"""A finger that moves further is dragging something."""


class HeldFinger(QObject):
    """Watches a widget with a menu for a finger that is held still on it."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._timer = QTimer(self, singleShot=True, interval=HOLD_MS)
        self._timer.timeout.connect(self._open_menu)
        self._widget = widget
        self._press: QMouseEvent | None = None
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Looks on, and takes nothing away but a finger's tremble."""
        if not isinstance(event, QMouseEvent) or not _by_finger(event):
            return False
        if event.type() == QEvent.Type.MouseButtonPress:
            self._press = event.clone()
            self._timer.start()
        elif event.type() == QEvent.Type.MouseMove and self._trembles(event.globalPosition()):
            return True
        else:
            self._press = None
            self._timer.stop()
        return False

    def _trembles(self, to: QPointF) -> bool:
        return self._press is not None and (to - self._press.globalPosition()).manhattanLength() <= STILL_PX

    def _open_menu(self) -> None:
        """End what the finger began, then ask for the menu where it is."""
        press, self._press = self._press, None
        if press is None:
            return
        lifted = QMouseEvent(
            QEvent.Type.MouseButtonRelease, press.position(), press.globalPosition(), press.button(),
            press.buttons() & ~press.button(), press.modifiers(), press.pointingDevice(),
        )  # fmt: skip
        QApplication.sendEvent(self._widget, lifted)
        place, on_screen = press.position().toPoint(), press.globalPosition().toPoint()
        menu = QContextMenuEvent(QContextMenuEvent.Reason.Other, place, on_screen)
        QApplication.sendEvent(self._widget, menu)


def _by_finger(event: QMouseEvent) -> bool:
    device = event.device()
    return device is not None and device.type() == QInputDevice.DeviceType.TouchScreen
