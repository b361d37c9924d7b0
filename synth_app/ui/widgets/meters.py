"""The level meter, the MIDI lamp, the rainbowgram and the oscilloscope: everything that moves because sound does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QFontMetricsF, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from synth_app.engine.telemetry import Telemetry
from synth_app.ui.theme import Theme
from synth_app.ui.view_models.keyboard import note_name
from synth_app.ui.view_models.meter import FLOOR_DB, MeterModel
from synth_app.ui.view_models.spectrum import RainbowModel, rainbow_table, row_of_pitch, scope_window
from synth_app.ui.widgets.base import Themed, rounded_path


class LevelMeter(Themed, QWidget):
    """Two bars with peak hold; a click clears the clip lamp."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.channels = (MeterModel(), MeterModel())
        self._drawn: tuple[int, ...] = ()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # what lies behind need not be painted
        self.setAccessibleName(self.tr("Output level"))
        self.setToolTip(self.tr("Output level with peak hold. Click to clear the clip lamp."))

    def update_levels(self, now_s: float, left: float, right: float) -> None:
        """Take the peaks of one snapshot; repaints only when something moved by a pixel."""
        for channel, gain in zip(self.channels, (left, right), strict=True):
            channel.update(now_s, gain)
        width = self.width()
        shown = tuple(
            round(width * MeterModel.share(db)) for c in self.channels for db in (c.level_db, c.peak_db)
        ) + tuple(c.clipped for c in self.channels)
        if shown != self._drawn:
            self._drawn = shown
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for channel in self.channels:
            channel.reset()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self.theme.px(170), self.theme.px(30))

    def minimumSizeHint(self) -> QSize:
        return QSize(self.theme.px(110), self.theme.px(26))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.theme.color("window"))
        lamp = self.theme.px(6)
        bar, gap = self.theme.px(5), self.theme.px(3)
        top = (self.height() - 2 * bar - gap) / 2
        width = self.width() - lamp - gap
        for index, channel in enumerate(self.channels):
            y = top + index * (bar + gap)
            painter.fillRect(QRectF(0, y, width, bar), self.theme.color("raised"))
            level = width * MeterModel.share(channel.level_db)
            for role, low, high in (("good", FLOOR_DB, -12.0), ("warn", -12.0, -3.0), ("danger", -3.0, 0.0)):
                start, end = width * MeterModel.share(low), min(level, width * MeterModel.share(high))
                if end > start:
                    painter.fillRect(QRectF(start, y, end - start, bar), self.theme.color(role))
            if channel.peak_db > FLOOR_DB:
                x = min(width - 2, width * MeterModel.share(channel.peak_db))
                painter.fillRect(QRectF(x, y, 2, bar), self.theme.color("text"))
            lit = self.theme.color("danger") if channel.clipped else self.theme.color("raised")
            painter.fillRect(QRectF(width + gap, y, lamp, bar), lit)


class Lamp(Themed, QWidget):
    """A small light that flashes when something arrives."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self.theme = theme
        self._glow = 0.0
        self.setAccessibleName(name)
        self.setToolTip(name)

    def tick(self, active: bool) -> None:
        """Light up, or fade by one frame."""
        glow = 1.0 if active else max(0.0, self._glow - 0.12)
        if glow != self._glow:
            self._glow = glow
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(self.theme.px(14), self.theme.px(14))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        center, radius = QPointF(self.width() / 2, self.height() / 2), self.theme.px(4)
        painter.setPen(QPen(self.theme.color("outline"), 1))
        painter.setBrush(self.theme.color("raised"))
        painter.drawEllipse(center, radius, radius)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.color("accent", self._glow))
        painter.drawEllipse(center, radius, radius)


class Rainbowgram(Themed, QWidget):
    """The sound of the last seconds: time to the right, pitch upwards, brightness for level, colour for tuning.

    Columns are written into a ring; a frame costs two image copies, however long the picture is.
    """

    ROWS = 160
    COLUMNS = 420

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self._points = np.zeros((self.ROWS, self.COLUMNS), dtype=np.uint16)
        self._pixels = self._colours()[self._points]
        self._head = 0
        self._same = 0
        self._model: RainbowModel | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(self.tr("Rainbowgram"))
        self.setToolTip(self.tr("The sound as it is: height is pitch, brightness is level, colour is the tuning."))

    def _colours(self) -> NDArray[np.uint8]:
        return rainbow_table(self.theme.palette.light)

    def apply_theme(self, theme: Theme) -> None:
        super().apply_theme(theme)
        self._pixels = self._colours()[self._points]

    def update_sound(self, now: Telemetry) -> None:
        """Take the samples of one snapshot; a picture that is the same all over is not painted again."""
        if now.rate_hz <= 0 or now.scope.size == 0:
            return
        if self._model is None or self._model.rate_hz != now.rate_hz:
            self._model = RainbowModel(self.ROWS, now.rate_hz)
        columns = self._model.add(now.scope, now.frame)
        count = min(columns.shape[1], self.COLUMNS)
        if count == 0:
            return
        places = (self._head + np.arange(count)) % self.COLUMNS
        newest = columns[:, columns.shape[1] - count :]
        self._same = self._same + count if (newest == self._points[:, [self._head - 1]]).all() else 0
        if self._same > self.COLUMNS:
            return
        self._points[:, places] = newest
        self._pixels[:, places] = self._colours()[newest]
        self._head = (self._head + count) % self.COLUMNS
        if self.isVisible():
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(self.theme.px(420), self.theme.px(110))

    def minimumSizeHint(self) -> QSize:
        return QSize(self.theme.px(160), self.theme.px(72))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.theme.color("window"))
        image = QImage(self._pixels.data, self.COLUMNS, self.ROWS, 3 * self.COLUMNS, QImage.Format.Format_RGB888)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setClipPath(rounded_path(self.rect(), self.theme.px(8)))
        unit = self.width() / self.COLUMNS
        split = (self.COLUMNS - self._head) * unit
        height = self.height()
        painter.drawImage(
            QRectF(0, 0, split, height), image, QRectF(self._head, 0, self.COLUMNS - self._head, self.ROWS)
        )
        if self._head:
            painter.drawImage(
                QRectF(split, 0, self.width() - split, height), image, QRectF(0, 0, self._head, self.ROWS)
            )
        painter.setFont(self.theme.font(0.75))
        text_height = QFontMetricsF(painter.font()).height()
        for pitch in (36, 60, 84, 108):
            y = row_of_pitch(pitch, self.ROWS) / (self.ROWS - 1) * height
            painter.fillRect(QRectF(0, y, self.theme.px(5), 1), self.theme.color("text"))
            if text_height / 2 <= y <= height - text_height / 2:
                painter.setPen(self.theme.color("text"))
                painter.drawText(QPointF(self.theme.px(8), y + text_height * 0.32), note_name(pitch))


class Oscilloscope(Themed, QWidget):
    """One glance at the wave, held still at its rising zero crossing."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self._wave = np.zeros(2, dtype=np.float32)
        self._scale = 1.0
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(self.tr("Oscilloscope"))

    def update_sound(self, now: Telemetry) -> None:
        """Take the samples of one snapshot; an unchanged silence costs nothing."""
        wave = scope_window(now.scope, 1024)
        if wave.size < 2 or (not wave.any() and not self._wave.any()):
            return
        peak = float(np.max(np.abs(wave)))
        self._scale = max(0.02, peak, 0.94 * self._scale)
        self._wave = wave
        if self.isVisible():
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(self.theme.px(180), self.theme.px(110))

    def minimumSizeHint(self) -> QSize:
        return QSize(self.theme.px(90), self.theme.px(72))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self.theme.color("window"))
        painter.fillPath(rounded_path(self.rect(), self.theme.px(8)), self.theme.color("sunken"))
        middle = self.height() / 2
        painter.fillRect(QRectF(0, middle, self.width(), 1), self.theme.color("outline", 0.5))
        count = min(self._wave.size, max(2, self.width() // 2))
        picks = np.linspace(0, self._wave.size - 1, count).astype(int)
        xs = np.linspace(0, self.width(), count)
        ys = middle - self._wave[picks] / self._scale * 0.86 * middle
        painter.setPen(QPen(self.theme.color("accent"), 1.4))
        wave = [QPointF(x, y) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]
        painter.drawLines([QLineF(one, other) for one, other in pairwise(wave)])  # a fifth of a polyline's time
