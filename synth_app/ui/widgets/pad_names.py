"""The names on the morph pad: each near its anchor, and clear of the other names and anchors."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PyQt6.QtGui import QFont, QFontMetricsF, QPainter, QStaticText

from synth_app.ui.theme import Theme
from synth_app.ui.view_models.morph import labels_apart

_MOST_WORDS = 1024
_HEAVY = 0.25
_CROWDED = 0.3  # a light timbre's name of which more is covered is shown when the mouse is on its anchor


class PadNames:
    """Arranges and paints the names. They keep their places while weights change: none hops while the ring is dragged.

    Attributes:
        spots: middle, top and covered share of every name.
    """

    def __init__(self, theme: Theme) -> None:
        self._theme, self._width = theme, 0
        self._names: tuple[str, ...] = ()
        self._words: dict[tuple[str, bool], tuple[QFont, QStaticText, QSizeF]] = {}
        self.spots: list[tuple[float, float, float]] = []

    def arrange(self, names: Sequence[str], centers: Sequence[QPointF], field: QSize) -> None:
        """Find a place for every name, wide enough for any share."""
        if field.width() != self._width:
            self._width = field.width()
            self._words.clear()
        self._names, theme = tuple(names), self._theme
        widest = [self._laid_out(f"{name}  100 %", True)[2] for name in names]
        sizes = [(size.width() + theme.px(10), size.height()) for size in widest]
        marks = [(center.x(), center.y()) for center in centers]
        room = (field.width(), field.height())
        found = labels_apart(marks, sizes, room, theme.px(18), theme.px(3))
        self.spots = [
            (left + size[0] / 2, top, covered) for (left, top, covered), size in zip(found, sizes, strict=True)
        ]

    def paint(self, painter: QPainter, index: int, weight: float, near: bool) -> None:
        """Paint a name and its share; ``near`` when the mouse is on its anchor."""
        middle, top, covered = self.spots[index]
        if covered > _CROWDED and weight < _HEAVY and not near:
            return
        name, theme = self._names[index], self._theme
        text = f"{name}  {100 * weight:.0f} %" if weight >= 0.005 else name
        font, words, size = self._laid_out(text, weight >= _HEAVY)
        left, margin = middle - size.width() / 2, theme.px(5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("sunken", 0.72))
        painter.drawRoundedRect(QRectF(left - margin, top, size.width() + 2 * margin, size.height()), margin, margin)
        painter.setPen(theme.color("text"))
        painter.setFont(font)
        painter.drawStaticText(QPointF(left, top), words)

    def _laid_out(self, text: str, bold: bool) -> tuple[QFont, QStaticText, QSizeF]:
        """Words ready to be drawn, and their size; the same come again and again while the ring is dragged."""
        found = self._words.get((text, bold))
        if found is None:
            font = self._theme.font(0.95, bold=bold)
            room = self._width - self._theme.px(16)
            words = QStaticText(QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, room))
            words.setTextFormat(Qt.TextFormat.PlainText)
            words.prepare(font=font)
            if len(self._words) >= _MOST_WORDS:
                self._words.clear()
            found = self._words[text, bold] = font, words, words.size()
        return found
