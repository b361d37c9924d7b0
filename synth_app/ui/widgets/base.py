"""What the painted widgets share: the theme they wear, and small builders that name what they build."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QLabel,
    QPushButton,
    QStyle,
    QStyleOptionButton,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from synth_app.ui.theme import Theme


class Themed:
    """A widget that takes its colours and lengths from a theme."""

    theme = Theme()

    def apply_theme(self, theme: Theme) -> None:
        """Wear another theme."""
        self.theme = theme
        self.updateGeometry()
        self.update()


def theme_all(root: QWidget, theme: Theme) -> None:
    """Dress a window: every :class:`Themed` widget in it."""
    for widget in (root, *root.findChildren(QWidget)):
        if isinstance(widget, Themed):
            widget.apply_theme(theme)


def card(*, name: str = "") -> tuple[QFrame, QVBoxLayout]:
    """A surface with rounded corners and its layout."""
    frame = QFrame()
    frame.setProperty("card", "true")
    frame.setAccessibleName(name)
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(12, 10, 12, 12)
    layout.setSpacing(8)
    return frame, layout


def caption(text: str, role: str = "caption") -> QLabel:
    """A quiet label."""
    label = QLabel(text)
    label.setProperty("role", role)
    return label


def tool(glyph: str, name: str, *, checkable: bool = False, flat: bool = True) -> IconButton:
    """A button with one drawn sign, a name for screen readers and the same as a tool tip."""
    return IconButton(glyph, name, checkable, flat)


class IconButton(Themed, QToolButton):
    """A tool button whose sign is drawn in the theme's colours, so that it needs no icon font and stays sharp."""

    def __init__(self, glyph: str, name: str, checkable: bool, flat: bool) -> None:
        super().__init__()
        self.glyph = glyph
        self.set_name(name)
        self.setCheckable(checkable)
        self.setProperty("flat", "true" if flat else "false")
        self.toggled.connect(lambda _: self._draw())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.EnabledChange:
            self._draw()

    def show_checked(self, on: bool) -> None:
        """Show a state without telling anyone."""
        self.blockSignals(True)
        self.setChecked(on)
        self.blockSignals(False)
        self._draw()

    def set_name(self, name: str) -> None:
        """What it is called, by screen readers and by its tool tip."""
        self.setAccessibleName(name)
        self.setToolTip(name)

    def apply_theme(self, theme: Theme) -> None:
        super().apply_theme(theme)
        self._draw()

    def _draw(self) -> None:
        size = self.theme.px(16)
        role = "accent" if self.isChecked() else ("text" if self.isEnabled() else "outline")
        self.setIconSize(QSize(size, size))
        self.setIcon(glyph_icon(self.glyph, size, self.theme.color(role), self.devicePixelRatioF()))


class TitleButton(Themed, QPushButton):
    """A button as wide as it is told, whatever is written on it: it shortens long words with an ellipsis."""

    def sizeHint(self) -> QSize:
        return QSize(self.theme.px(140), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(self.theme.px(70), super().sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, option = QStylePainter(self), QStyleOptionButton()
        self.initStyleOption(option)
        room = self.width() - self.theme.px(20)
        option.text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room)
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)


class RecordButton(QPushButton):
    """The record button, with room for the longest it will say, so that nothing beside it moves."""

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        widest = max(metrics.horizontalAdvance(text) for text in (self.idle_text, self.clock(99 * 60 + 59)))
        option, words = QStyleOptionButton(), QSize(widest + 2, metrics.height())
        self.initStyleOption(option)
        return self.style().sizeFromContents(QStyle.ContentsType.CT_PushButton, option, words, self)

    @property
    def idle_text(self) -> str:
        """What it says when nothing is recorded."""
        return self.tr("● Record")

    @staticmethod
    def clock(seconds: int) -> str:
        """What it says while it records."""
        return f"● {seconds // 60}:{seconds % 60:02d}"


class Chooser(Themed, QComboBox):
    """A combo box that draws its arrow in the theme's colours and shortens long words with an ellipsis."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self.theme = theme
        self.setAccessibleName(name)
        self.setAccessibleDescription(name)  # on Linux a combo box is read as what is chosen
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(7)
        self.setMaxVisibleItems(24)  # all families at once: nothing tells that there are more below

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        box = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        shown = self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideRight, box.width())
        painter.setPen(self.theme.color("text"))
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, shown)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(QPointF(self.width() - self.theme.px(20), (self.height() - self.theme.px(12)) / 2))
        painter.scale(0.75 * self.theme.zoom, 0.75 * self.theme.zoom)
        paint_glyph(painter, "down", self.theme.color("muted"))


class CheckBox(Themed, QCheckBox):
    """A check box whose tick is drawn in the theme's colours (a style sheet can only show a picture there)."""

    def __init__(self, theme: Theme, text: str) -> None:
        super().__init__(text)
        self.theme = theme

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.isChecked():
            return
        option = QStyleOptionButton()
        self.initStyleOption(option)
        box = QRectF(self.style().subElementRect(QStyle.SubElement.SE_CheckBoxIndicator, option, self))
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(box.topLeft())
        painter.scale(box.width() / 16, box.height() / 16)
        paint_glyph(painter, "tick", self.theme.color("on_accent" if self.isEnabled() else "surface"))


def glyph_icon(glyph: str, size: int, color: QColor, ratio: float = 1.0) -> QIcon:
    """One of the panel's signs as an icon."""
    pixmap = QPixmap(round(size * ratio), round(size * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(size / 16, size / 16)
    paint_glyph(painter, glyph, color)
    painter.end()
    return QIcon(pixmap)


def paint_glyph(painter: QPainter, glyph: str, color: QColor) -> None:
    """Draw a sign into a box of 16 by 16."""
    painter.setPen(QPen(color, 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    filled = glyph.endswith("!")
    if filled:
        painter.setBrush(color)
    painter.drawPath(_GLYPHS[glyph.rstrip("!")]())


def rounded_path(rect: QRect | QRectF, radius: float) -> QPainterPath:
    """A rectangle with round corners."""
    path = QPainterPath()
    path.addRoundedRect(QRectF(rect), radius, radius)
    return path


def _lines(*strokes: tuple[tuple[float, float], ...]) -> QPainterPath:
    path = QPainterPath()
    for stroke in strokes:
        path.moveTo(*stroke[0])
        for point in stroke[1:]:
            path.lineTo(*point)
    return path


def _star() -> QPainterPath:
    return _lines(((8, 2), (9.8, 6), (14, 6.4), (10.9, 9.3), (11.8, 13.6), (8, 11.4), (4.2, 13.6), (5.1, 9.3),
                   (2, 6.4), (6.2, 6), (8, 2)))  # fmt: skip


def _lock() -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(3.5, 7, 9, 6.5, 1.5, 1.5)
    path.moveTo(5.5, 7)
    path.arcTo(5.5, 2.5, 5, 6, 180, -180)
    path.lineTo(10.5, 7)
    return path


def _gear() -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(5.5, 5.5, 5, 5)
    for a, b in (((8, 1.5), (8, 3.5)), ((8, 12.5), (8, 14.5)), ((1.5, 8), (3.5, 8)), ((12.5, 8), (14.5, 8)),
                 ((3.4, 3.4), (4.8, 4.8)), ((11.2, 11.2), (12.6, 12.6)), ((3.4, 12.6), (4.8, 11.2)),
                 ((11.2, 4.8), (12.6, 3.4))):  # fmt: skip
        path.moveTo(*a)
        path.lineTo(*b)
    return path


def _turn(left: bool) -> QPainterPath:
    path = QPainterPath()
    if left:
        path.moveTo(3, 6)
        path.lineTo(10, 6)
        path.arcTo(6.5, 6, 7, 7, 90, -180)
        path.lineTo(6, 13)
        path.addPath(_lines(((6, 3), (3, 6), (6, 9))))
    else:
        path.moveTo(13, 6)
        path.lineTo(6, 6)
        path.arcTo(2.5, 6, 7, 7, 90, 180)
        path.lineTo(10, 13)
        path.addPath(_lines(((10, 3), (13, 6), (10, 9))))
    return path


def _circle(radius: float) -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(8 - radius, 8 - radius, 2 * radius, 2 * radius)
    return path


def _dice() -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(2.5, 2.5, 11, 11, 2.5, 2.5)
    for x, y in ((5.6, 5.6), (10.4, 10.4), (8, 8)):
        path.addEllipse(x - 0.5, y - 0.5, 1, 1)
    return path


def _snap() -> QPainterPath:
    path = _circle(3)
    path.addPath(_lines(((8, 1.5), (8, 4)), ((8, 12), (8, 14.5)), ((1.5, 8), (4, 8)), ((12, 8), (14.5, 8))))
    return path


def _question() -> QPainterPath:
    path = QPainterPath()
    path.moveTo(5, 5.6)
    path.arcTo(5, 2.5, 6, 6, 180, -225)
    path.quadTo(8, 8.6, 8, 10.2)
    path.addEllipse(7.6, 12.6, 0.8, 0.8)
    return path


def _loop() -> QPainterPath:
    path = QPainterPath()
    path.moveTo(12.8, 5.5)
    path.arcTo(2.5, 2.5, 11, 11, 30, 300)
    path.addPath(_lines(((13.2, 2), (12.8, 5.5), (9.4, 5))))
    return path


_GLYPHS = {
    "star": _star,
    "lock": _lock,
    "gear": _gear,
    "undo": lambda: _turn(True),
    "redo": lambda: _turn(False),
    "record": lambda: _circle(4.5),
    "dot": lambda: _circle(3),
    "snap": _snap,
    "dice": _dice,
    "loop": _loop,
    "close": lambda: _lines(((4.5, 4.5), (11.5, 11.5)), ((11.5, 4.5), (4.5, 11.5))),
    "tick": lambda: _lines(((3.6, 8.4), (6.8, 11.6), (12.4, 4.8))),
    "help": _question,
    "plus": lambda: _lines(((8, 3.5), (8, 12.5)), ((3.5, 8), (12.5, 8))),
    "left": lambda: _lines(((10, 3.5), (5.5, 8), (10, 12.5))),
    "right": lambda: _lines(((6, 3.5), (10.5, 8), (6, 12.5))),
    "up": lambda: _lines(((3.5, 10), (8, 5.5), (12.5, 10))),
    "down": lambda: _lines(((3.5, 6), (8, 10.5), (12.5, 6))),
    "menu": lambda: _lines(((3, 4.5), (13, 4.5)), ((3, 8), (13, 8)), ((3, 11.5), (13, 11.5))),
    "lock_x": lambda: _lines(((2, 8), (14, 8)), ((4.5, 5.5), (2, 8), (4.5, 10.5)),
                             ((11.5, 5.5), (14, 8), (11.5, 10.5))),
    "lock_y": lambda: _lines(((8, 2), (8, 14)), ((5.5, 4.5), (8, 2), (10.5, 4.5)),
                             ((5.5, 11.5), (8, 14), (10.5, 11.5))),
    "bin": lambda: _lines(((3, 4.5), (13, 4.5)), ((6.5, 4.5), (6.5, 2.5), (9.5, 2.5), (9.5, 4.5)),
                          ((4.5, 4.5), (5.2, 13.5), (10.8, 13.5), (11.5, 4.5))),
    "wave": lambda: _lines(((2, 9), (4, 9), (5.5, 4), (8, 13), (10.5, 5), (12, 9), (14, 9))),
    "like": lambda: _lines(((2, 6.5), (5, 3.5), (8, 6.5), (11, 3.5), (14, 6.5)),
                           ((2, 12), (5, 9), (8, 12), (11, 9), (14, 12))),
    "capture": lambda: _lines(((2.5, 5.5), (2.5, 2.5), (5.5, 2.5)), ((10.5, 2.5), (13.5, 2.5), (13.5, 5.5)),
                              ((13.5, 10.5), (13.5, 13.5), (10.5, 13.5)), ((5.5, 13.5), (2.5, 13.5), (2.5, 10.5)),
                              ((8, 6), (8, 10)), ((6, 8), (10, 8))),
    "pin": lambda: _lines(((5, 2.5), (11, 2.5)), ((6, 2.5), (6, 7), (3.8, 9.5), (12.2, 9.5), (10, 7), (10, 2.5)),
                          ((8, 9.5), (8, 14))),
    "panels": lambda: _lines(((2.5, 3), (13.5, 3), (13.5, 13), (2.5, 13), (2.5, 3)), ((6, 3), (6, 13))),
    "panels_right": lambda: _lines(((2.5, 3), (13.5, 3), (13.5, 13), (2.5, 13), (2.5, 3)), ((10, 3), (10, 13))),
}  # fmt: skip
