"""The morph pad: anchors in a field of their own colours, a handle with a trail, and a second mark for what sounds.

The pad draws and reports gestures; it decides nothing. It is one of three ways to the same place: the pair of sliders
along its edges carries the same values for the keyboard and for screen readers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PyQt6.QtWidgets import QWidget

from synth_app.ui.theme import Theme
from synth_app.ui.view_models.morph import Point, Trail, handle_for
from synth_app.ui.widgets.base import Themed
from synth_app.ui.widgets.pad_field import COARSE, FINE, on_screen, paint_field
from synth_app.ui.widgets.pad_names import PadNames
from synth_app.ui.widgets.touch import HeldFinger

TIMBRE_MIME = "application/x-synth-app-timbre"
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class MorphPad(Themed, QWidget):
    """The pad.

    Signals:
        handle_pressed(), handle_moved(x, y), handle_released(): a gesture of the handle.
        anchor_pressed(index), anchor_moved(index, x, y), anchor_released(index): a gesture of an anchor.
        nudged(dx, dy): an arrow key, in steps of the pad. jumped(index): a digit key.
        menu_wanted(index, QPoint): the context menu of an anchor (-1: of the pad).
        dropped(name, x, y): a timbre was dropped from the browser.
    """

    handle_pressed = pyqtSignal()
    handle_moved = pyqtSignal(float, float)
    handle_released = pyqtSignal()
    anchor_pressed = pyqtSignal(int)
    anchor_moved = pyqtSignal(int, float, float)
    anchor_released = pyqtSignal(int)
    nudged = pyqtSignal(float, float)
    jumped = pyqtSignal(int)
    menu_wanted = pyqtSignal(int, object)
    dropped = pyqtSignal(str, float, float)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self._names: tuple[str, ...] = ()
        self._places: tuple[Point, ...] = ()
        self._slots: tuple[int, ...] = ()
        self._weights: tuple[float, ...] = ()
        self._sounding: tuple[float, ...] = ()
        self._handle: Point = (0.5, 0.5)
        self._trail = Trail()
        self._field: QPixmap | None = None
        self._marks: dict[tuple[int, bool], QPixmap] = {}
        self.labels = PadNames(theme)
        self._dragging: int | None = None  # -1 the handle, else an anchor
        self._hovered = -1
        self._grip = QPointF()
        HeldFinger(self)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Morph pad"))
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    # ------------------------------------------------------------------ what it shows
    def set_anchors(self, names: Sequence[str], places: Sequence[Point], slots: Sequence[int]) -> None:
        """Show these anchors."""
        shown = (tuple(names), tuple(places), tuple(slots))
        if shown != (self._names, self._places, self._slots):
            self._names, self._places, self._slots = shown
            self._field = None
            self.update()

    def set_morph(self, handle: Point, weights: Sequence[float], jump: bool = False) -> None:
        """Show the handle and the weights asked for; ``jump`` breaks the trail."""
        if jump:
            self._trail.clear()
        self._handle, self._weights = handle, tuple(weights)
        self._trail.add(time.monotonic(), handle)
        words = ", ".join(
            f"{n} {100 * w:.0f} %" for n, w in zip(self._names, self._weights, strict=False) if w >= 0.005
        )
        self.setAccessibleDescription(words)
        self.update()

    def set_sounding(self, weights: Sequence[float]) -> None:
        """Show where newly struck notes are now."""
        if tuple(weights) != self._sounding:
            self._sounding = tuple(weights)
            self.update()

    def tick(self) -> None:
        """Let the trail fade; costs nothing while there is none."""
        if self._trail.points(time.monotonic()):
            self.update()

    def apply_theme(self, theme: Theme) -> None:
        self._field = None
        self._marks.clear()
        self.labels = PadNames(theme)
        super().apply_theme(theme)

    def sizeHint(self) -> QSize:
        return QSize(self.theme.px(560), self.theme.px(430))

    def minimumSizeHint(self) -> QSize:
        return QSize(self.theme.px(300), self.theme.px(210))

    # ------------------------------------------------------------------ geometry
    def area(self) -> QRectF:
        """Where places 0..1 lie, inside the margins that labels need."""
        side, top, bottom = self.theme.px(44), self.theme.px(26), self.theme.px(44)
        return QRectF(side, top, max(1, self.width() - 2 * side), max(1, self.height() - top - bottom))

    def to_screen(self, place: Point) -> QPointF:
        """A place in widget pixels."""
        return on_screen(place, self.area())

    def to_place(self, position: QPointF) -> Point:
        """Widget pixels as a place, not yet kept on the pad."""
        area = self.area()
        return (position.x() - area.left()) / area.width(), (position.y() - area.top()) / area.height()

    def _anchor_under(self, position: QPointF) -> int:
        reach = self.theme.px(15)
        distances = [(_distance(self.to_screen(p), position), i) for i, p in enumerate(self._places)]
        near = min(distances, default=(1e9, -1))
        return near[1] if near[0] <= reach else -1

    # ------------------------------------------------------------------ gestures
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        position = event.position()
        anchor = self._anchor_under(position)
        on_handle = _distance(self.to_screen(self._handle), position) <= self.theme.px(16)
        if anchor >= 0 and not on_handle:
            self._dragging = anchor
            self._grip = position - self.to_screen(self._places[anchor])
            self.anchor_pressed.emit(anchor)
        else:
            self._dragging, self._grip = -1, QPointF()
            self.handle_pressed.emit()
            self.handle_moved.emit(*self.to_place(position))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = self.to_place(event.position() - self._grip)
        if self._dragging is None:
            self._hover(self._anchor_under(event.position()))
        elif self._dragging < 0:
            self.handle_moved.emit(*place)
        else:
            self.anchor_moved.emit(self._dragging, *place)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        dragged, self._dragging = self._dragging, None
        self._grip = QPointF()
        if dragged is not None and dragged >= 0:
            self._field = None
        if dragged is None:
            return
        if dragged < 0:
            self.handle_released.emit()
        else:
            self.anchor_released.emit(dragged)
        self.update()

    def leaveEvent(self, event: object) -> None:
        self._hover(-1)

    def _hover(self, anchor: int) -> None:
        if anchor != self._hovered:
            self._hovered = anchor
            self.setCursor(Qt.CursorShape.OpenHandCursor if anchor >= 0 else Qt.CursorShape.ArrowCursor)
            self.update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_wanted.emit(self._anchor_under(QPointF(event.pos())), event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = 0.1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0.02
        direction = _ARROWS.get(Qt.Key(event.key()))
        if direction is not None:
            self.nudged.emit(direction[0] * step, direction[1] * step)
        elif event.text().isdigit() and 1 <= int(event.text()) <= len(self._places):
            self.jumped.emit(int(event.text()) - 1)
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat(TIMBRE_MIME):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        name = bytes(event.mimeData().data(TIMBRE_MIME)).decode()
        self.dropped.emit(name, *self.to_place(event.position()))
        event.acceptProposedAction()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._field = None

    # ------------------------------------------------------------------ painting
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._field is None:
            self._field = self._paint_field()
            self.labels.arrange(self._names, [self.to_screen(place) for place in self._places], self.size())
        painter.drawPixmap(0, 0, self._field)
        handle = self.to_screen(self._handle)
        self._paint_threads(painter, handle)
        self._paint_trail(painter)
        for index in range(len(self._places)):
            self._paint_anchor(painter, index)
        self._paint_sounding(painter, handle)
        self._paint_handle(painter, handle)
        for index in range(len(self._places)):
            near = index in (self._hovered, self._dragging)
            self.labels.paint(painter, index, self._weight(index), near)  # after the ring, which must not hide a name
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.theme.color("focus"), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), self.theme.px(10), self.theme.px(10))

    def _paint_field(self) -> QPixmap:
        dragged = self._dragging is not None and self._dragging >= 0
        return paint_field(
            self.theme, self.size(), self.devicePixelRatioF(), self.area(), self._places, self._slots,
            COARSE if dragged else FINE,
        )  # fmt: skip

    def _paint_threads(self, painter: QPainter, handle: QPointF) -> None:
        """A line to each anchor, as strong as its weight."""
        for place, slot, weight in zip(self._places, self._slots, self._weights, strict=False):
            if weight > 0.01:
                pen = QPen(self.theme.anchor_color(slot, min(1.0, 0.15 + 0.75 * weight)), 1 + 3 * weight)
                painter.setPen(pen)
                painter.drawLine(handle, self.to_screen(place))

    def _paint_trail(self, painter: QPainter) -> None:
        color, thick = self.theme.color("text"), self.theme.px(4)
        pen = QPen(color, thick, cap=Qt.PenCapStyle.FlatCap)
        for (age, *before), (_, *after) in pairwise(self._trail.points(time.monotonic())):
            color.setAlphaF(0.7 * (1 - age) ** 1.5)
            pen.setColor(color)
            pen.setWidthF(thick * (1 - 0.7 * age))
            painter.setPen(pen)
            painter.drawLine(self.to_screen((before[0], before[1])), self.to_screen((after[0], after[1])))

    def _paint_anchor(self, painter: QPainter, index: int) -> None:
        """A disc in the anchor's colour, and an arc as long as its weight."""
        center, weight = self.to_screen(self._places[index]), self._weight(index)
        grown = self._hovered == index or self._dragging == index
        mark, half = self._mark(self._slots[index], grown), self.theme.px(16)
        painter.drawPixmap(center - QPointF(half, half), mark)
        if weight > 0.0:
            ring = self.theme.px(13)
            color = self.theme.anchor_color(self._slots[index])
            painter.setPen(QPen(color, self.theme.px(3), cap=Qt.PenCapStyle.RoundCap))
            box = QRectF(center.x() - ring, center.y() - ring, 2 * ring, 2 * ring)
            painter.drawArc(box, 90 * 16, round(-360 * 16 * weight))

    def _mark(self, slot: int, grown: bool) -> QPixmap:
        """An anchor's disc and the faint ring round it, painted once."""
        mark = self._marks.get((slot, grown))
        if mark is None:
            half, ratio = self.theme.px(16), self.devicePixelRatioF()
            mark = self._marks[slot, grown] = QPixmap(round(2 * half * ratio), round(2 * half * ratio))
            mark.setDevicePixelRatio(ratio)
            mark.fill(Qt.GlobalColor.transparent)
            painter, center = QPainter(mark), QPointF(half, half)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.theme.anchor_color(slot))
            painter.drawEllipse(center, self.theme.px(7), self.theme.px(7))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.theme.color("text", 0.5 if grown else 0.16), self.theme.px(3)))
            painter.drawEllipse(center, self.theme.px(13), self.theme.px(13))
            painter.end()
        return mark

    def _weight(self, index: int) -> float:
        return self._weights[index] if index < len(self._weights) else 0.0

    def _paint_sounding(self, painter: QPainter, handle: QPointF) -> None:
        """The second mark: the handle's place corrected by how far the sounding weights are behind the asked ones."""
        if len(self._sounding) != len(self._places) or len(self._weights) != len(self._places) or not self._places:
            return
        asked = handle_for(self._weights, self._places)
        heard = handle_for(self._sounding, self._places)
        mark = self.to_screen((self._handle[0] + heard[0] - asked[0], self._handle[1] + heard[1] - asked[1]))
        if _distance(mark, handle) > 2:
            painter.setPen(QPen(self.theme.color("text", 0.45), 1.5, Qt.PenStyle.DotLine))
            painter.drawLine(mark, handle)
        painter.setPen(QPen(self.theme.color("window", 0.8), 1))
        painter.setBrush(self.theme.color("accent"))
        painter.drawEllipse(mark, self.theme.px(5), self.theme.px(5))

    def _paint_handle(self, painter: QPainter, handle: QPointF) -> None:
        radius = self.theme.px(13)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self.theme.color("sunken", 0.6), self.theme.px(6)))
        painter.drawEllipse(handle, radius, radius)
        painter.setPen(QPen(self.theme.color("text"), self.theme.px(3) if self._dragging == -1 else self.theme.px(2.4)))
        painter.drawEllipse(handle, radius, radius)


def _distance(a: QPointF, b: QPointF) -> float:
    return float(((a.x() - b.x()) ** 2 + (a.y() - b.y()) ** 2) ** 0.5)
