"""The on-screen keyboard and the wheels beside it."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QEventPoint,
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QTouchEvent,
)
from PyQt6.QtWidgets import QSlider, QWidget

from synth_app.ui.theme import Theme, contrast_ratio
from synth_app.ui.view_models.keyboard import Key, key_at, key_layout, note_name, velocity_at
from synth_app.ui.widgets.base import Themed

SHADES = 6
"""So many colours of a lit key: a level's little movements are not to be seen, and each would be a key to paint."""
MOUSE = -1
"""The mouse among the fingers, which a touch screen counts from 0."""


class KeyboardWidget(Themed, QWidget):
    """Keys round middle C to be clicked, dragged over, touched with any number of fingers, or walked with the arrows
    and struck with Return.

    Each key is painted once in each shade and kept: text and round corners take long, and a chord is many keys.

    Signals:
        pressed(pitch, velocity), released(pitch): fingers.
    """

    pressed = pyqtSignal(int, int)
    released = pyqtSignal(int)

    def __init__(self, theme: Theme, middle: int = 60) -> None:
        super().__init__()
        self.theme = theme
        self._middle = middle
        self._range = (middle - 36, middle + 36)
        self._keys = key_layout(*self._range)
        self._lit: dict[int, float] = {}
        self._shades: dict[int, int] = {}
        self._letters: dict[int, str] = {}
        self._fingers: dict[int, int | None] = {}
        self._struck_by_key: int | None = None
        self._cursor = 60
        self._blank: QPixmap | None = None
        self._faces: dict[tuple[int, int | None], QPixmap] = {}
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_AcceptTouchEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # what lies behind need not be painted
        self.setAccessibleName(self.tr("Keyboard"))
        self.setToolTip(self.tr("Click low on a key for a hard stroke, high for a soft one."))
        self._describe()

    def set_range(self, lowest: int, highest: int) -> None:
        """Show other keys."""
        self._range = (lowest, highest)
        self._keys = key_layout(lowest, highest)
        self._cursor = min(highest, max(lowest, self._cursor))
        self._blank = None
        self.update()

    def set_lit(self, levels: Mapping[int, float]) -> None:
        """Light these keys: level 0..1 by pitch."""
        self._lit = dict(levels)
        shades = {pitch: round((SHADES - 1) * min(1.0, level)) for pitch, level in self._lit.items()}
        if shades != self._shades:
            self._shades = shades
            self.update()

    def set_letters(self, letters: Mapping[int, str]) -> None:
        """Show which of the computer's keys play which pitches."""
        self._letters = dict(letters)
        self._blank = None
        self.update()

    def release_all(self) -> None:
        """Lift every finger, the mouse and Return."""
        for finger in tuple(self._fingers):
            self._lift_finger(finger)
        if self._struck_by_key is not None:
            self.released.emit(self._struck_by_key)
        self._struck_by_key = None

    def sizeHint(self) -> QSize:
        return QSize(self.theme.px(900), self.theme.px(112))

    def minimumSizeHint(self) -> QSize:
        return QSize(self.theme.px(280), self.theme.px(84))

    def apply_theme(self, theme: Theme) -> None:
        self._blank = None
        super().apply_theme(theme)

    # ------------------------------------------------------------------ fingers
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._put_finger(MOUSE, event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._put_finger(MOUSE, event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._lift_finger(MOUSE)

    def event(self, event: QEvent) -> bool:
        """Fingers on a touch screen; Qt makes a mouse of the first one only where nobody takes them."""
        if not isinstance(event, QTouchEvent):
            return super().event(event)
        for point in event.points():
            if event.type() == QEvent.Type.TouchCancel or point.state() == QEventPoint.State.Released:
                self._lift_finger(point.id())
            else:
                self._put_finger(point.id(), self.mapFromGlobal(point.globalPosition()))
        event.accept()
        return True

    def _put_finger(self, finger: int, position: QPointF) -> None:
        x, y = position.x() / self.width(), min(0.999, max(0.0, position.y() / self.height()))
        key = key_at(self._keys, x, y)
        pitch = key.pitch if key else None
        before = self._fingers.get(finger)
        self._fingers[finger] = pitch
        if pitch == before:
            return
        if key is not None:
            self.pressed.emit(key.pitch, velocity_at(key, y))
        if before is not None:
            self.released.emit(before)

    def _lift_finger(self, finger: int) -> None:
        pitch = self._fingers.pop(finger, None)
        if pitch is not None:
            self.released.emit(pitch)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            step = 1 if event.key() == Qt.Key.Key_Right else -1
            self._cursor = min(self._range[1], max(self._range[0], self._cursor + step))
            self._describe()
            self.update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if not event.isAutoRepeat() and self._struck_by_key is None:
                self._struck_by_key = self._cursor
                self.pressed.emit(self._cursor, 96)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        lifted = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat()
        if lifted and self._struck_by_key is not None:
            pitch, self._struck_by_key = self._struck_by_key, None
            self.released.emit(pitch)
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.release_all()
        super().focusOutEvent(event)

    def _describe(self) -> None:
        self.setAccessibleDescription(self.tr("{0}; Return plays it").format(note_name(self._cursor)))

    # ------------------------------------------------------------------ painting
    def resizeEvent(self, event: object) -> None:
        """As many octaves round middle C as leave the keys wide enough to hit."""
        octaves = min(6, max(2, self.width() // (7 * self.theme.px(17))))
        below = (octaves + 1) // 2
        lowest, highest = self._middle - 12 * below, self._middle + 12 * (octaves - below)
        if (lowest, highest) != self._range:
            self.set_range(lowest, highest)
        self._blank = None

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._blank is None:
            self._blank = self._paint_blank()
        painter.drawPixmap(0, 0, self._blank)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._shades:
            self._paint_lit(painter)
        if self.hasFocus():
            key = next(key for key in self._keys if key.pitch == self._cursor)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.theme.color("focus"), 2.5))
            painter.drawRoundedRect(self._box(key).adjusted(1, 1, -1, -2), 3, 3)

    def _paint_lit(self, painter: QPainter) -> None:
        """Lit white keys first, then lit black ones and those beside lit white ones, which lie over them."""
        shades = self._shades
        beside = {pitch + step for pitch in shades for step in (-1, 1)}
        for key in self._keys:  # white ones come first
            if key.pitch in shades or (key.black and key.pitch in beside):
                painter.drawPixmap(self._box(key).toAlignedRect().topLeft(), self._face(key, shades.get(key.pitch)))

    def _face(self, key: Key, shade: int | None) -> QPixmap:
        """A key in a shade (``None``: not lit)."""
        face = self._faces.get((key.pitch, shade))
        if face is None:
            place = self._box(key).toAlignedRect()
            face = self._faces[key.pitch, shade] = self._empty(place.size())
            painter = QPainter(face)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.translate(-QPointF(place.topLeft()))
            self._paint_key(painter, key, None if shade is None else shade / (SHADES - 1))
            painter.end()
        return face

    def _empty(self, size: QSize) -> QPixmap:
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(round(size.width() * ratio), round(size.height() * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        return pixmap

    def _paint_blank(self) -> QPixmap:
        """Every key, unlit; what was kept of single keys is of the past."""
        self._faces.clear()
        pixmap = self._empty(self.size())
        pixmap.fill(self.theme.color("surface"))
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for key in self._keys:
            self._paint_key(painter, key, None)
        painter.end()
        return pixmap

    def _paint_key(self, painter: QPainter, key: Key, level: float | None) -> None:
        box = self._box(key)
        base = self.theme.color("key_black" if key.black else "key_white")
        color = base if level is None else _mix(base, self.theme.color("accent"), 0.45 + 0.55 * min(1.0, level))
        painter.setPen(QPen(self.theme.color("key_black", 0.55), 1))
        painter.setBrush(color)
        radius = self.theme.px(3)
        painter.drawRoundedRect(box.adjusted(0.5, -radius, -0.5, -0.5), radius, radius)
        letter = self._letters.get(key.pitch, "")
        name = note_name(key.pitch) if key.pitch % 12 == 0 else ""
        if not (letter or name):
            return
        painter.setFont(self.theme.font(0.72))
        ink = ("#11161c", "#f4f6f8")
        painter.setPen(QColor(max(ink, key=lambda one: contrast_ratio(one, color.name()))))
        height = QFontMetricsF(painter.font()).height()
        bottom = box.bottom() - self.theme.px(3)
        for text in filter(None, (name, letter)):
            if QFontMetricsF(painter.font()).horizontalAdvance(text) <= box.width():
                painter.drawText(
                    QRectF(box.left(), bottom - height, box.width(), height), Qt.AlignmentFlag.AlignCenter, text
                )
            bottom -= height

    def _box(self, key: Key) -> QRectF:
        return QRectF(key.left * self.width(), 0, key.width * self.width(), key.height * self.height())


class Wheel(Themed, QSlider):
    """A wheel beside the keyboard; a sprung one returns to its middle when let go."""

    def __init__(self, theme: Theme, name: str, lowest: int, highest: int, sprung: bool) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self.theme = theme
        self.setRange(lowest, highest)
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setPageStep(max(1, (highest - lowest) // 8))
        self.setSingleStep(max(1, (highest - lowest) // 32))
        self._sprung = sprung

    def sizeHint(self) -> QSize:
        return QSize(self.theme.px(26), self.theme.px(84))

    def minimumSizeHint(self) -> QSize:
        return QSize(self.theme.px(26), self.theme.px(48))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._reach(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._reach(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)
        if self._sprung:
            self.setValue(0)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setValue(0)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if self._sprung:
            self.setValue(0)

    def _reach(self, event: QMouseEvent) -> None:
        margin = self.theme.px(8)
        share = 1.0 - (event.position().y() - margin) / max(1, self.height() - 2 * margin)
        self.setValue(round(self.minimum() + min(1.0, max(0.0, share)) * (self.maximum() - self.minimum())))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = self.theme
        width, margin = theme.px(22), theme.px(8)
        body = QRectF((self.width() - width) / 2, 1, width, self.height() - 2)
        painter.setPen(QPen(theme.color("focus"), 2) if self.hasFocus() else QPen(theme.color("outline"), 1))
        painter.setBrush(theme.color("raised"))
        painter.drawRoundedRect(body, theme.px(7), theme.px(7))
        share = (self.value() - self.minimum()) / (self.maximum() - self.minimum())
        y = margin + (1.0 - share) * (self.height() - 2 * margin)
        left, right = body.left() + theme.px(4), body.right() - theme.px(4)
        for offset in (-2, -1, 1, 2):
            ridge = y + offset * theme.px(9)
            if margin / 2 < ridge < self.height() - margin / 2:
                painter.setPen(QPen(theme.color("outline", 0.6 / abs(offset)), 1.2))
                painter.drawLine(QPointF(left, ridge), QPointF(right, ridge))
        painter.setPen(QPen(theme.color("accent"), theme.px(4), cap=Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(left + 1, y), QPointF(right - 1, y))


def _mix(a: QColor, b: QColor, share: float) -> QColor:
    return QColor.fromRgbF(
        a.redF() + share * (b.redF() - a.redF()),
        a.greenF() + share * (b.greenF() - a.greenF()),
        a.blueF() + share * (b.blueF() - a.blueF()),
    )
