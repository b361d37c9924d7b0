"""The morph pad: anchors in a field of their own colours, a handle with a trail, and a second mark for what sounds.

The pad draws and reports gestures; it decides nothing. It is one of three ways to the same place: the pair of sliders
along its edges carries the same values for the keyboard and for screen readers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt, pyqtSignal
from PyQt6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDropEvent,
    QFont,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QRadialGradient,
    QResizeEvent,
    QStaticText,
)
from PyQt6.QtWidgets import QWidget

from synth_app.ui.theme import Theme
from synth_app.ui.view_models.morph import Point, Trail, handle_for, labels_apart
from synth_app.ui.widgets.base import Themed, rounded_path
from synth_app.ui.widgets.touch import HeldFinger

TIMBRE_MIME = "application/x-synth-app-timbre"
_COARSE, _FINE = 64, 224  # samples across the field: while an anchor is dragged, and at rest
_MOST_WORDS = 1024
_CROWDED = 0.3  # a light timbre's name of which more is covered is shown when the mouse is on its mark
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
        self._spots: list[tuple[float, float, float]] = []  # middle, top and covered share of every name
        self._marks: dict[tuple[int, bool], QPixmap] = {}
        self._words: dict[tuple[str, bool], tuple[QFont, QStaticText, QSizeF]] = {}
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
            self._field, self._spots = None, []
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
        self._field, self._spots = None, []
        self._marks.clear()
        self._words.clear()
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
        area = self.area()
        return QPointF(area.left() + place[0] * area.width(), area.top() + place[1] * area.height())

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
        self._field, self._spots = None, []
        self._words.clear()

    # ------------------------------------------------------------------ painting
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._field is None:
            self._field = self._paint_field()
        painter.drawPixmap(0, 0, self._field)
        handle = self.to_screen(self._handle)
        self._paint_threads(painter, handle)
        self._paint_trail(painter)
        for index in range(len(self._places)):
            self._paint_anchor(painter, index)
        self._paint_sounding(painter, handle)
        self._paint_handle(painter, handle)
        for index in range(len(self._places)):
            self._paint_label(painter, index)  # after the ring, which must not hide a name
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.theme.color("focus"), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), self.theme.px(10), self.theme.px(10))

    def _paint_field(self) -> QPixmap:
        """The background: every place in the colour of its morph, brightest near the anchors."""
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(self.theme.color("window"))
        painter = QPainter(pixmap)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        radius = self.theme.px(10)
        clip = rounded_path(self.rect(), radius)
        painter.setClipPath(clip)
        painter.fillRect(self.rect(), self.theme.color("sunken"))
        if self._places:
            painter.drawImage(QRectF(self.rect()), self._field_image())
        self._paint_dots(painter)
        for place, slot in zip(self._places, self._slots, strict=True):
            center = self.to_screen(place)
            halo = QRadialGradient(center, self.theme.px(34))
            halo.setColorAt(0.0, self.theme.anchor_color(slot, 0.45))
            halo.setColorAt(1.0, self.theme.anchor_color(slot, 0.0))
            painter.fillRect(self.rect(), halo)
        painter.setClipping(False)
        painter.setPen(QPen(self.theme.color("line"), 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        painter.end()
        return pixmap

    def _field_image(self) -> QImage:
        """The field as a small picture, with half a level of noise so that its slow slopes show no steps."""
        size = _COARSE if self._dragging is not None and self._dragging >= 0 else _FINE
        area, aspect = self.area(), self.height() / max(1, self.width())
        xs = ((np.linspace(0, self.width(), size) - area.left()) / area.width()).astype(np.float32)
        ys = ((np.linspace(0, self.height(), size) - area.top()) / area.height()).astype(np.float32)
        mixed = np.zeros((size, size, 3), dtype=np.float32)
        total = np.zeros((size, size, 1), dtype=np.float32)
        nearest = np.full((size, size, 1), np.inf, dtype=np.float32)
        for (x, y), slot in zip(self._places, self._slots, strict=True):
            square = ((xs[None, :] - x) ** 2 + ((ys[:, None] - y) * aspect) ** 2 + 2e-3)[..., None]
            share = 1.0 / (square * np.sqrt(square))
            mixed += share * np.array(self.theme.anchor_color(slot).getRgbF()[:3], dtype=np.float32) ** 2
            total += share
            np.minimum(nearest, square, out=nearest)
        glow = np.exp(-nearest / 0.055)
        strength = 0.12 + (0.36 if self.theme.palette.name == "dark" else 0.26) * glow
        base = np.array(self.theme.color("sunken").getRgbF()[:3], dtype=np.float32)
        rgb = base + (np.sqrt(mixed / total) - base) * strength
        noise = np.random.default_rng(1).random((size, size, 1), dtype=np.float32)
        pixels = np.ascontiguousarray((rgb * 255.0 + noise).clip(0, 255).astype(np.uint8))
        return QImage(pixels.data, size, size, 3 * size, QImage.Format.Format_RGB888).copy()

    def _paint_dots(self, painter: QPainter) -> None:
        """A quiet grid, to judge distances by."""
        painter.setPen(QPen(self.theme.color("text", 0.09), self.theme.px(2), cap=Qt.PenCapStyle.RoundCap))
        steps = [i / 10 for i in range(11)]
        painter.drawPoints([self.to_screen((x, y)) for x in steps for y in steps])

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

    def _paint_label(self, painter: QPainter, index: int) -> None:
        """An anchor's name and its share, near it."""
        weight = self._weight(index)
        text = f"{self._names[index]}  {100 * weight:.0f} %" if weight >= 0.005 else self._names[index]
        font, words, size = self._laid_out(text, weight >= 0.25)
        middle, top, covered = self._spot(index)
        if covered > _CROWDED and weight < 0.25 and index not in (self._hovered, self._dragging):
            return
        left = middle - size.width() / 2
        margin, radius = self.theme.px(5), self.theme.px(5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.color("sunken", 0.72))
        painter.drawRoundedRect(QRectF(left - margin, top, size.width() + 2 * margin, size.height()), radius, radius)
        painter.setPen(self.theme.color("text"))
        painter.setFont(font)
        painter.drawStaticText(QPointF(left, top), words)

    def _spot(self, index: int) -> tuple[float, float, float]:
        """Middle and top of a name with any share, and how much of it is covered.

        It does not depend on the shares: no name hops about while the ring is dragged.
        """
        if not self._spots:
            widest = [self._laid_out(f"{name}  100 %", True)[2] for name in self._names]
            sizes = [(size.width() + self.theme.px(10), size.height()) for size in widest]
            places = [(at.x(), at.y()) for at in map(self.to_screen, self._places)]
            field, reach, edge = (self.width(), self.height()), self.theme.px(18), self.theme.px(3)
            found = labels_apart(places, sizes, field, reach, edge)
            self._spots = [
                (left + size[0] / 2, top, covered) for (left, top, covered), size in zip(found, sizes, strict=True)
            ]
        return self._spots[index]

    def _laid_out(self, text: str, bold: bool) -> tuple[QFont, QStaticText, QSizeF]:
        """Words ready to be drawn, and their size; the same come again and again while the ring is dragged."""
        found = self._words.get((text, bold))
        if found is None:
            font = self.theme.font(0.95, bold=bold)
            room = self.width() - self.theme.px(16)
            words = QStaticText(QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, room))
            words.setTextFormat(Qt.TextFormat.PlainText)
            words.prepare(font=font)
            if len(self._words) >= _MOST_WORDS:
                self._words.clear()
            found = self._words[text, bold] = font, words, words.size()
        return found

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
