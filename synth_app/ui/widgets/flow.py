"""A layout that wraps like words, so that nothing is cut off when the window is narrow or the zoom is large."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, QRect, QSize, Qt
from PyQt6.QtWidgets import QLayout, QLayoutItem, QScrollArea, QVBoxLayout, QWidget


class FlowLayout(QLayout):
    """Lays its widgets out in lines; those that like to expand share what is left of their line."""

    def __init__(self, parent: QWidget | None = None, gap: int = 6) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setSpacing(gap)
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._arrange(rect, move=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        size = QSize(0, 0)
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        return size

    def _arrange(self, rect: QRect, move: bool) -> int:
        """Fill lines from the left, each item in the middle of its line; returns the height."""
        y = rect.y()
        for line in self._lines(rect.width()):
            height = max((size.height() for _, size in line), default=0)
            used = sum(size.width() for _, size in line) + self.spacing() * (len(line) - 1)
            greedy = [item for item, _ in line if item.expandingDirections() & Qt.Orientation.Horizontal]
            x, extra = rect.x(), max(0, rect.width() - used) // len(greedy) if greedy else 0
            for item, size in line:
                width = size.width() + (extra if item in greedy else 0)
                if move:
                    item.setGeometry(QRect(x, y + (height - size.height()) // 2, width, size.height()))
                x += width + self.spacing()
            y += height + self.spacing()
        return y - self.spacing() - rect.y()

    def _lines(self, width: int) -> list[list[tuple[QLayoutItem, QSize]]]:
        lines: list[list[tuple[QLayoutItem, QSize]]] = [[]]
        x = 0
        for item in self._items:
            if item.widget() is not None and item.widget().isHidden():
                continue
            hint, least = item.sizeHint(), item.minimumSize()
            size = QSize(min(hint.width(), width), hint.height()).expandedTo(least)  # one too wide for a line shrinks
            if lines[-1] and x + size.width() > width:
                lines.append([])
                x = 0
            lines[-1].append((item, size))
            x += size.width() + self.spacing()
        return lines


class PlainColumn(QVBoxLayout):
    """A column for a scroll area: it asks for the least height its width allows, where Qt would take the preferred."""

    def hasHeightForWidth(self) -> bool:
        return False

    def minimumSize(self) -> QSize:
        least = super().minimumSize()
        viewport = self.parentWidget().parentWidget() if self.parentWidget() else None
        margins = self.contentsMargins()
        sides = margins.left() + margins.right()
        width = max(least.width(), viewport.width() if viewport is not None else 0) - sides
        items = [self.itemAt(i) for i in range(self.count())]
        heights = [
            item.minimumHeightForWidth(width) if item.hasHeightForWidth() else item.minimumSize().height()
            for item in items
            if not item.isEmpty()
        ]
        gaps = self.spacing() * max(0, len(heights) - 1)
        return QSize(least.width(), sum(heights) + gaps + margins.top() + margins.bottom())


class ScrolledColumn(QScrollArea):
    """A column of controls: as high as it likes to be where there is room, and scrolled where there is less."""

    def __init__(self, column: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setViewportMargins(0, 0, self.fontMetrics().averageCharWidth(), 0)  # no value touches the scroll bar
        self.setWidget(column)
        column.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def sizeHint(self) -> QSize:
        return self.widget().sizeHint().grownBy(self.viewportMargins())

    def minimumSizeHint(self) -> QSize:
        return QSize(0, min(self.sizeHint().height(), 6 * self.fontMetrics().height()))


class Halves(QWidget):
    """Two widgets, one above the other: each as high as it likes; where both cannot be, they share nearly in halves."""

    def __init__(self, upper: QWidget, lower: QWidget, gap: int) -> None:
        super().__init__()
        self._upper, self._lower, self._gap = upper, lower, gap
        upper.setParent(self)
        lower.setParent(self)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            room, lower = self.height() - self._gap, self._lower.sizeHint().height()
            first = min(self._upper.sizeHint().height(), max(round(0.56 * room), room - lower))
            self._upper.setGeometry(0, 0, self.width(), first)
            self._lower.setGeometry(0, first + self._gap, self.width(), min(lower, room - first))
        return super().event(event)

    def minimumSizeHint(self) -> QSize:
        heights = self._upper.minimumSizeHint().height(), self._lower.minimumSizeHint().height()
        return QSize(0, 2 * max(heights) + self._gap)
