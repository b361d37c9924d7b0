"""Rows of sliders: the anchors' weights, and the patch's parameters made from their table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PyQt6.QtCore import QPointF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QContextMenuEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PyQt6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

from synth_app.core.params import ParamSpec
from synth_app.ui.theme import Theme
from synth_app.ui.view_models.params import ParamScale, grouped_params, tr_param
from synth_app.ui.widgets.base import Themed, caption, theme_all, tool
from synth_app.ui.widgets.touch import HeldFinger

WEIGHT_STEPS = 1000


class CalmSlider(Themed, QSlider):
    """A slider in the theme's colours that jumps to a click, ignores a passing mouse wheel, and returns to its default
    on a double click or Delete. ``slot`` colours it like an anchor; a vertical one has its lowest value on top."""

    def __init__(self, name: str, highest: int, default: int | None = None, *, vertical: bool = False) -> None:
        super().__init__(Qt.Orientation.Vertical if vertical else Qt.Orientation.Horizontal)
        self.setRange(0, highest)
        self.setSingleStep(max(1, highest // 100))
        self.setPageStep(max(1, highest // 10))
        self.setAccessibleName(name)
        self.slot: int | None = None
        self.filled = True
        self._default = default
        if vertical:
            self.setInvertedAppearance(True)
            self.setInvertedControls(True)

    def sizeHint(self) -> QSize:
        long, thick = self.theme.px(120), self.theme.px(20)
        return QSize(long, thick) if self.orientation() == Qt.Orientation.Horizontal else QSize(thick, long)

    def minimumSizeHint(self) -> QSize:
        long, thick = self.theme.px(48), self.theme.px(20)
        return QSize(long, thick) if self.orientation() == Qt.Orientation.Horizontal else QSize(thick, long)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._reach(event)
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._reach(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setSliderDown(False)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._default is not None:
            self.setValue(self._default)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._default is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.setValue(self._default)
        else:
            super().keyPressEvent(event)

    def _reach(self, event: QMouseEvent) -> None:
        across = self.orientation() == Qt.Orientation.Horizontal
        length, at = (self.width(), event.position().x()) if across else (self.height(), event.position().y())
        margin = self.theme.px(9)
        share = min(1.0, max(0.0, (at - margin) / max(1.0, length - 2 * margin)))
        self.setValue(round(self.minimum() + share * (self.maximum() - self.minimum())))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, margin = self.theme, self.theme.px(9)
        across = self.orientation() == Qt.Orientation.Horizontal
        length, middle = (self.width(), self.height() / 2) if across else (self.height(), self.width() / 2)

        def point(share: float) -> QPointF:
            along = margin + share * (length - 2 * margin)
            return QPointF(along, middle) if across else QPointF(middle, along)

        span = max(1, self.maximum() - self.minimum())
        share = (self.value() - self.minimum()) / span
        enabled = self.isEnabled()
        painter.setPen(QPen(theme.color("outline", 0.45), theme.px(4), cap=Qt.PenCapStyle.RoundCap))
        painter.drawLine(point(0.0), point(1.0))
        color = theme.color("accent") if self.slot is None else theme.anchor_color(self.slot)
        if enabled and self.filled:
            origin = self._default / span if self._default is not None else 0.0
            painter.setPen(QPen(color, theme.px(4), cap=Qt.PenCapStyle.RoundCap))
            painter.drawLine(point(origin), point(share))
        radius = theme.px(7)
        painter.setPen(QPen(theme.color("surface"), theme.px(2)))
        painter.setBrush(theme.color("text") if enabled else theme.color("outline"))
        painter.drawEllipse(point(share), radius, radius)
        if self.hasFocus():
            painter.setPen(QPen(theme.color("focus"), theme.px(2.4)))
            painter.setBrush(theme.color("surface"))
            painter.drawEllipse(point(share), radius, radius)


class Dot(Themed, QWidget):
    """A spot of an anchor's colour."""

    def __init__(self, theme: Theme, slot: int) -> None:
        super().__init__()
        self.theme, self.slot = theme, slot

    def sizeHint(self) -> QSize:
        return QSize(self.theme.px(12), self.theme.px(12))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.anchor_color(self.slot))
        size = self.theme.px(10)
        painter.drawEllipse((self.width() - size) // 2, (self.height() - size) // 2, size, size)


class ShortLabel(QLabel):
    """A label that ends in an ellipsis where its words do not fit; the tool tip has them all."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        self.style().drawItemText(
            painter, self.rect(), Qt.AlignmentFlag.AlignVCenter, self.palette(), True, shown, self.foregroundRole()
        )


class Share(Themed, QWidget):
    """A percentage. It always has room for the longest, so that it may change in every frame and no layout follows."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.text = ""

    def show_text(self, text: str) -> None:
        """Show these words."""
        self.text = text
        self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self.theme.font())
        return QSize(metrics.horizontalAdvance("100 %") + 4, metrics.height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self.theme.font())
        painter.setPen(self.theme.color("muted"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.text)


class WeightRow(QWidget):
    """One anchor's weight: colour, name, share, lock, remove, and the slider beneath."""

    menu_wanted = pyqtSignal(object)

    def __init__(self, theme: Theme, name: str, slot: int) -> None:
        super().__init__()
        self.dot = Dot(theme, slot)
        self.label = ShortLabel()
        self.share = Share(theme)
        self.lock = tool("lock", "", checkable=True)
        self.remove = tool("close", "")
        self.slider = CalmSlider("", WEIGHT_STEPS)
        head = QHBoxLayout()
        head.setSpacing(6)
        for widget, stretch in ((self.dot, 0), (self.label, 1), (self.share, 0), (self.lock, 0), (self.remove, 0)):
            head.addWidget(widget, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self.slider)
        HeldFinger(self)
        self.set_anchor(name, slot)

    def set_anchor(self, name: str, slot: int) -> None:
        """Show this anchor."""
        self.dot.slot = self.slider.slot = slot
        self.dot.update()
        self.slider.update()
        self.label.setText(name)
        self.label.setToolTip(name)
        self.slider.setAccessibleName(self.tr("Weight of {0}").format(name))
        for button, text in ((self.lock, self.tr("Lock {0}")), (self.remove, self.tr("Remove {0}"))):
            button.setAccessibleName(text.format(name))
            button.setToolTip(text.format(name))

    def set_weight(self, weight: float) -> None:
        """Show this weight."""
        self.slider.blockSignals(True)
        self.slider.setValue(round(WEIGHT_STEPS * weight))
        self.slider.blockSignals(False)
        text = f"{100 * weight:.0f} %"
        if text != self.share.text:
            self.share.show_text(text)
            self.slider.setAccessibleName(self.tr("Weight of {0}, {1}").format(self.label.text(), text))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_wanted.emit(event.globalPos())


class WeightsPanel(Themed, QWidget):
    """A row for each anchor of the patch.

    Signals:
        pressed(), moved(index, weight), released(): a slider's gesture. removed(index): the cross.
        locked(index, on): the lock. menu_wanted(index, QPoint): a right click.
    """

    pressed = pyqtSignal()
    moved = pyqtSignal(int, float)
    released = pyqtSignal()
    removed = pyqtSignal(int)
    locked = pyqtSignal(int, bool)
    menu_wanted = pyqtSignal(int, object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.rows: list[WeightRow] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)

    def set_anchors(self, names: Sequence[str], slots: Sequence[int]) -> None:
        """Show these anchors, keeping the rows there are (a focused slider keeps its focus)."""
        while len(self.rows) > len(names):
            row = self.rows.pop()
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        for row, name, slot in zip(self.rows, names, slots, strict=False):
            row.set_anchor(name, slot)
        for index in range(len(self.rows), len(names)):
            self._add(index, names[index], slots[index])
        for row in self.rows:
            row.remove.setEnabled(len(self.rows) > 1)

    def set_weights(self, weights: Sequence[float]) -> None:
        """Show these weights."""
        for row, weight in zip(self.rows, weights, strict=False):
            row.set_weight(weight)

    def locked_indices(self) -> frozenset[int]:
        """Which weights are to stay."""
        return frozenset(i for i, row in enumerate(self.rows) if row.lock.isChecked())

    def _add(self, index: int, name: str, slot: int) -> None:
        row = WeightRow(self.theme, name, slot)
        row.slider.sliderPressed.connect(self.pressed)
        row.slider.sliderReleased.connect(self.released)
        row.slider.valueChanged.connect(lambda value: self.moved.emit(index, value / WEIGHT_STEPS))
        row.remove.clicked.connect(lambda: self.removed.emit(index))
        row.lock.toggled.connect(lambda on: self.locked.emit(index, on))
        row.menu_wanted.connect(lambda at: self.menu_wanted.emit(index, at))
        theme_all(row, self.theme)
        self.rows.append(row)
        self._layout.addWidget(row)


class ParamRow(QWidget):
    """A parameter: its label and value above its slider; a double click or Delete returns to the default."""

    pressed = pyqtSignal()
    released = pyqtSignal()
    moved = pyqtSignal(str, float)

    def __init__(self, spec: ParamSpec) -> None:
        super().__init__()
        self.spec, self.scale = spec, ParamScale(spec)
        label = QLabel(tr_param(spec.label))
        self.value = caption("")
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.slider = CalmSlider(tr_param(spec.label), self.scale.steps, self.scale.position(spec.default))
        self.slider.setToolTip(tr_param(spec.help))
        self.slider.setAccessibleDescription(tr_param(spec.help))
        if self.scale.whole:
            self.slider.setSingleStep(1)
        label.setBuddy(self.slider)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(0)
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.value, 0, 1)
        grid.addWidget(self.slider, 1, 0, 1, 2)
        self.slider.sliderPressed.connect(self.pressed)
        self.slider.sliderReleased.connect(self.released)
        self.slider.valueChanged.connect(self._moved)
        self.set_value(spec.default)

    def set_value(self, value: float) -> None:
        """Show a value without telling anyone."""
        self.slider.blockSignals(True)
        self.slider.setValue(self.scale.position(value))
        self.slider.blockSignals(False)
        self._say(value)

    def _say(self, value: float) -> None:
        """Show and speak a value; the slider alone would be read as its position."""
        text = self.scale.text(value)
        if text != self.value.text():
            self.value.setText(text)
            self.slider.setAccessibleName(f"{tr_param(self.spec.label)} {text}")

    def _moved(self, position: int) -> None:
        value = self.scale.value(position)
        self._say(value)
        self.moved.emit(self.spec.name, value)


class ParamsPanel(QWidget):
    """Every patch parameter under its heading.

    Signals:
        pressed(), moved(name, value), released(): a gesture.
    """

    pressed = pyqtSignal()
    moved = pyqtSignal(str, float)
    released = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, ParamRow] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for title, specs in grouped_params():
            layout.addWidget(caption(title, "muted"))
            for spec in specs:
                row = ParamRow(spec)
                row.pressed.connect(self.pressed)
                row.released.connect(self.released)
                row.moved.connect(self.moved)
                self.rows[spec.name] = row
                layout.addWidget(row)
            layout.addSpacing(6)
        layout.addStretch(1)

    def set_values(self, value_of: Callable[[str], float] | Mapping[str, float]) -> None:
        """Show these values."""
        look_up = value_of if callable(value_of) else value_of.__getitem__
        for name, row in self.rows.items():
            if not row.slider.isSliderDown():
                row.set_value(look_up(name))
