"""Fingers on a touch screen, as the window system tells Qt of them.

PyQt has neither ``QTest.touchEvent`` nor a way to number a ``QEventPoint``, so this calls what both end in: Qt's own
entry for touches, which delivers them to widgets and makes a mouse of the first finger where no widget takes it.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import PyQt6
from PyQt6 import sip
from PyQt6.QtCore import QPoint, QPointF
from PyQt6.QtGui import QEventPoint, QInputDevice, QPointingDevice, QPointingDeviceUniqueId
from PyQt6.QtWidgets import QApplication, QWidget

_GUI = next((Path(PyQt6.__file__).parent / "Qt6" / "lib").glob("libQt6Gui.so.6"), None)


class _PointList(ctypes.Structure):
    """A ``QList`` that owns nothing."""

    _fields_ = (("header", ctypes.c_void_p), ("first", ctypes.c_void_p), ("size", ctypes.c_ssize_t))


class Fingers:
    """A touch screen for ten fingers, each known by its number."""

    def __init__(self) -> None:
        self._gui = ctypes.CDLL(str(_GUI))
        self._device = QPointingDevice(
            "a touch screen", 1, QInputDevice.DeviceType.TouchScreen, QPointingDevice.PointerType.Finger,
            QInputDevice.Capability.Position, 10, 0, "", QPointingDeviceUniqueId(),
        )  # fmt: skip
        self._down: dict[int, QPointF] = {}

    def press(self, finger: int, widget: QWidget, at: QPoint) -> None:
        """Put a finger on a widget."""
        self._down[finger] = QPointF(widget.mapToGlobal(at))
        self._tell(widget, finger, QEventPoint.State.Pressed)

    def move(self, finger: int, widget: QWidget, at: QPoint) -> None:
        """Slide it."""
        self._down[finger] = QPointF(widget.mapToGlobal(at))
        self._tell(widget, finger, QEventPoint.State.Updated)

    def lift(self, finger: int, widget: QWidget) -> None:
        """Take it away."""
        self._tell(widget, finger, QEventPoint.State.Released)
        del self._down[finger]

    def _tell(self, widget: QWidget, moved: int, state: QEventPoint.State) -> None:
        points = (ctypes.c_void_p * len(self._down))()  # a QEventPoint is a pointer to what it shares
        make = self._gui._ZN11QEventPointC1EiNS_5StateERK7QPointFS3_
        for index, (finger, place) in enumerate(self._down.items()):
            at = (ctypes.c_double * 2)(place.x(), place.y())
            now = state if finger == moved else QEventPoint.State.Stationary
            where = ctypes.c_void_p(ctypes.addressof(points) + index * ctypes.sizeof(ctypes.c_void_p))
            make(where, ctypes.c_int(finger), ctypes.c_int(now.value), at, at)
        listed = _PointList(None, ctypes.addressof(points), len(points))
        window = ctypes.c_void_p(sip.unwrapinstance(widget.window().windowHandle()))
        device = ctypes.c_void_p(sip.unwrapinstance(self._device))
        self._gui._Z21qt_handleTouchEventv2P7QWindowPK15QPointingDeviceRK5QListI11QEventPointE6QFlagsIN2Qt16KeyboardModifierEE(
            window, device, ctypes.byref(listed), ctypes.c_int(0)
        )
        QApplication.processEvents()
