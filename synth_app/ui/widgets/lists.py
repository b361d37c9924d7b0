"""The list both browsers are made of: a coloured dot, a title, a quieter line, small bars and a star."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PyQt6.QtCore import QMimeData, QModelIndex, QPointF, QRect, QRectF, QSize, Qt, QUrl, pyqtSignal
from PyQt6.QtGui import (
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
)
from PyQt6.QtWidgets import QAbstractItemView, QLineEdit, QListWidget, QListWidgetItem, QStyle, QStyledItemDelegate

from synth_app.ui.theme import Theme
from synth_app.ui.widgets.base import Themed, paint_glyph
from synth_app.ui.widgets.morph_pad import TIMBRE_MIME
from synth_app.ui.widgets.touch import HeldFinger


@dataclass(frozen=True, slots=True)
class ListRow:
    """What a row shows.

    Attributes:
        key: what the owner knows it by. title, subtitle: two lines.
        slot: the colour slot of its dot (-1: an empty ring, -2: no dot). starred: favourite.
        bars: up to four shares 0..1, drawn small. marked: the one that is on the table.
        faint: shown quieter. help: the tool tip.
    """

    key: str
    title: str
    subtitle: str
    slot: int = -2
    starred: bool = False
    bars: tuple[float, ...] = ()
    marked: bool = False
    faint: bool = False
    help: str = ""


class RowList(Themed, QListWidget):
    """A list of :class:`ListRow`.

    Signals:
        chosen(key): Return or a double click. starred(key): the star. hovered(key): the mouse is on it ("" = none).
        preview_wanted(key): the space bar. menu_wanted(key, QPoint): the context menu. files_dropped(paths).
    """

    chosen = pyqtSignal(str)
    starred = pyqtSignal(str)
    hovered = pyqtSignal(str)
    preview_wanted = pyqtSignal(str)
    menu_wanted = pyqtSignal(str, object)
    files_dropped = pyqtSignal(list)

    def __init__(self, theme: Theme, name: str, drags: str) -> None:
        super().__init__()
        self.theme = theme
        self._drags = drags  # "timbre" or "file": what a row becomes when it is dragged out
        self._shown: tuple[ListRow, ...] = ()
        self.setAccessibleName(name)
        self.setItemDelegate(_RowDelegate(self))
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setDragEnabled(True)
        self.setAcceptDrops(drags == "file")
        self.setDragDropMode(
            QAbstractItemView.DragDropMode.DragDrop if drags == "file" else QAbstractItemView.DragDropMode.DragOnly
        )
        HeldFinger(self.viewport())
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._menu)
        self.itemDoubleClicked.connect(lambda item: self.chosen.emit(_row(item).key))
        self.itemEntered.connect(lambda item: self.hovered.emit(_row(item).key))

    def set_rows(self, rows: Sequence[ListRow]) -> None:
        """Show these rows, keeping the current one where it still is."""
        rows = tuple(rows)
        if rows == self._shown:
            return
        current = self.current_key()
        same = [row.key for row in rows] == [row.key for row in self._shown]
        self._shown = rows
        if same:
            for index, row in enumerate(rows):
                self._fill(self.item(index), row)
            return
        self.clear()
        for row in rows:
            item = QListWidgetItem()
            self._fill(item, row)
            self.addItem(item)
            if row.key == current:
                self.setCurrentItem(item)

    def current_key(self) -> str:
        """The key of the current row, or ""."""
        item = self.currentItem()
        return _row(item).key if item is not None else ""

    def apply_theme(self, theme: Theme) -> None:
        super().apply_theme(theme)
        self.doItemsLayout()

    def _fill(self, item: QListWidgetItem, row: ListRow) -> None:
        item.setData(Qt.ItemDataRole.UserRole, row)
        item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{row.title}, {row.subtitle}")
        item.setToolTip(row.help)

    def _menu(self, position: object) -> None:
        item = self.itemAt(position)
        if item is not None:
            self.setCurrentItem(item)
            self.menu_wanted.emit(_row(item).key, self.viewport().mapToGlobal(position))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = self.current_key()
        if key and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(key)
        elif key and event.key() == Qt.Key.Key_Space:
            self.preview_wanted.emit(key)
        elif key and event.key() == Qt.Key.Key_Asterisk:
            self.starred.emit(key)
        elif key and event.key() in (Qt.Key.Key_Menu,):
            self.menu_wanted.emit(key, self.viewport().mapToGlobal(self.visualItemRect(self.currentItem()).center()))
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        item = self.itemAt(event.position().toPoint())
        if item is not None and event.position().x() > self.viewport().width() - self.theme.px(30):
            self.starred.emit(_row(item).key)
            return
        super().mousePressEvent(event)

    def leaveEvent(self, event: object) -> None:
        self.hovered.emit("")

    def mimeData(self, items: list[QListWidgetItem]) -> QMimeData:
        data, key = QMimeData(), _row(items[0]).key
        if self._drags == "timbre":
            data.setData(TIMBRE_MIME, key.encode())
        else:
            data.setUrls([QUrl.fromLocalFile(key)])
        return data

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self.dragMoveEvent(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if self._drags == "file" and event.mimeData().hasUrls() and event.source() is not self:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            self.files_dropped.emit(paths)
            event.acceptProposedAction()


class SearchField(QLineEdit):
    """A search field over a list: Down goes into the list; Return takes its first row and goes there too, so that the
    letters play again.

    Signals:
        taken(key): Return, with the key of the first row.
    """

    taken = pyqtSignal(str)

    def __init__(self, rows: RowList, name: str, help_text: str) -> None:
        super().__init__()
        self._rows = rows
        self.setPlaceholderText(self.tr("Search"))
        self.setAccessibleName(name)
        self.setToolTip(help_text)
        self.setClearButtonEnabled(True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        down, enter = key == Qt.Key.Key_Down, key in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if not (down or enter) or self._rows.count() == 0:
            super().keyPressEvent(event)
            return
        if enter or self._rows.currentRow() < 0:
            self._rows.setCurrentRow(0)
        self._rows.setFocus()
        if enter:
            self.taken.emit(self._rows.current_key())


class _RowDelegate(QStyledItemDelegate):
    """Paints a row."""

    def __init__(self, owner: RowList) -> None:
        super().__init__(owner)
        self._owner = owner

    def sizeHint(self, option: object, index: QModelIndex) -> QSize:
        theme = self._owner.theme
        height = QFontMetrics(theme.font()).height() + QFontMetrics(theme.font(0.85)).height()
        return QSize(theme.px(120), height + theme.px(10))

    def paint(self, painter: QPainter, option: object, index: QModelIndex) -> None:
        theme: Theme = self._owner.theme
        row: ListRow = index.data(Qt.ItemDataRole.UserRole)
        rect: QRect = option.rect.adjusted(1, 1, -1, -1)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if chosen or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("hover" if chosen else "raised"))
            painter.drawRoundedRect(rect, theme.px(6), theme.px(6))
        if chosen and self._owner.hasFocus():
            painter.setPen(QPen(theme.color("focus"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect, theme.px(6), theme.px(6))
        left = rect.left() + theme.px(8)
        if row.slot >= -1:
            self._paint_dot(painter, row, QPointF(left + theme.px(5), rect.center().y()))
            left += theme.px(20)
        right = rect.right() - theme.px(28)
        self._paint_star(painter, row, QRectF(right + theme.px(4), rect.center().y() - theme.px(8), 0, 0))
        right = self._paint_bars(painter, row, right, rect)
        self._paint_words(painter, row, QRect(left, rect.top(), right - left - theme.px(4), rect.height()))
        painter.restore()

    def _paint_dot(self, painter: QPainter, row: ListRow, center: QPointF) -> None:
        theme, radius = self._owner.theme, self._owner.theme.px(5)
        if row.slot >= 0:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.anchor_color(row.slot))
        else:
            painter.setPen(QPen(theme.color("outline"), 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(center, radius, radius)

    def _paint_star(self, painter: QPainter, row: ListRow, at: QRectF) -> None:
        theme = self._owner.theme
        painter.save()
        painter.translate(at.topLeft())
        painter.scale(theme.zoom, theme.zoom)
        paint_glyph(painter, "star!" if row.starred else "star", theme.color("warn" if row.starred else "outline"))
        painter.restore()

    def _paint_bars(self, painter: QPainter, row: ListRow, right: int, rect: QRect) -> int:
        """Descriptors as small columns; returns what is left for the words."""
        theme = self._owner.theme
        width, gap, height = theme.px(4), theme.px(2), theme.px(20)
        bottom = rect.center().y() + height // 2
        for share in reversed(row.bars):
            right -= width
            painter.fillRect(right, bottom - height, width, height, theme.color("outline", 0.28))
            filled = max(2, round(height * share))
            painter.fillRect(right, bottom - filled, width, filled, theme.color("muted"))
            right -= gap
        return right

    def _paint_words(self, painter: QPainter, row: ListRow, box: QRect) -> None:
        theme = self._owner.theme
        top = box.top() + theme.px(4)
        for text, font, role in (
            (row.title, theme.font(1.0, bold=row.marked), "muted" if row.faint else "text"),
            (row.subtitle, theme.font(0.85), "muted"),
        ):
            painter.setFont(font)
            metrics = QFontMetrics(font)
            painter.setPen(theme.color("accent" if row.marked and role == "text" else role))
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(10, box.width()))
            painter.drawText(
                QRect(box.left(), top, box.width(), metrics.height()), Qt.AlignmentFlag.AlignVCenter, shown
            )
            top += metrics.height()


def _row(item: QListWidgetItem) -> ListRow:
    return item.data(Qt.ItemDataRole.UserRole)
