"""The morph pad's background: every place in the colour of its morph, brightest near the anchors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PyQt6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PyQt6.QtGui import QImage, QPainter, QPen, QPixmap, QRadialGradient

from synth_app.ui.theme import Theme
from synth_app.ui.view_models.morph import Point
from synth_app.ui.widgets.base import rounded_path

COARSE, FINE = 64, 224  # samples across the field: while an anchor is dragged, and at rest


def on_screen(place: Point, area: QRectF) -> QPointF:
    """A place 0..1 of the pad in pixels; ``area`` is where places lie."""
    return QPointF(area.left() + place[0] * area.width(), area.top() + place[1] * area.height())


def paint_field(
    theme: Theme, size: QSize, ratio: float, area: QRectF, places: Sequence[Point], slots: Sequence[int], samples: int
) -> QPixmap:
    """The background of a pad.

    Args:
        size: of the pad. ratio: device pixels in one of its pixels. area: where places 0..1 lie on it.
        places, slots: of the anchors. samples: ``COARSE`` or ``FINE``.
    """
    whole, radius = QRect(0, 0, size.width(), size.height()), theme.px(10)
    pixmap = QPixmap(round(size.width() * ratio), round(size.height() * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(theme.color("window"))
    painter = QPainter(pixmap)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    painter.setClipPath(rounded_path(whole, radius))
    painter.fillRect(whole, theme.color("sunken"))
    if places:
        painter.drawImage(QRectF(whole), _colours(theme, size, area, places, slots, samples))
    painter.setPen(QPen(theme.color("text", 0.09), theme.px(2), cap=Qt.PenCapStyle.RoundCap))
    steps = [i / 10 for i in range(11)]  # a quiet grid, to judge distances by
    painter.drawPoints([on_screen((x, y), area) for x in steps for y in steps])
    for place, slot in zip(places, slots, strict=True):
        halo = QRadialGradient(on_screen(place, area), theme.px(34))
        halo.setColorAt(0.0, theme.anchor_color(slot, 0.45))
        halo.setColorAt(1.0, theme.anchor_color(slot, 0.0))
        painter.fillRect(whole, halo)
    painter.setClipping(False)
    painter.setPen(QPen(theme.color("line"), 1))
    painter.drawRoundedRect(QRectF(whole).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
    painter.end()
    return pixmap


def _colours(
    theme: Theme, size: QSize, area: QRectF, places: Sequence[Point], slots: Sequence[int], samples: int
) -> QImage:
    """The field as a small picture, with half a level of noise so that its slow slopes show no steps."""
    width, height = size.width(), size.height()
    aspect = height / max(1, width)
    xs = ((np.linspace(0, width, samples) - area.left()) / area.width()).astype(np.float32)
    ys = ((np.linspace(0, height, samples) - area.top()) / area.height()).astype(np.float32)
    mixed = np.zeros((samples, samples, 3), dtype=np.float32)
    total = np.zeros((samples, samples, 1), dtype=np.float32)
    nearest = np.full((samples, samples, 1), np.inf, dtype=np.float32)
    for (x, y), slot in zip(places, slots, strict=True):
        square = ((xs[None, :] - x) ** 2 + ((ys[:, None] - y) * aspect) ** 2 + 2e-3)[..., None]
        share = 1.0 / (square * np.sqrt(square))
        mixed += share * np.array(theme.anchor_color(slot).getRgbF()[:3], dtype=np.float32) ** 2
        total += share
        np.minimum(nearest, square, out=nearest)
    glow = np.exp(-nearest / 0.055)
    strength = 0.12 + (0.36 if theme.palette.name == "dark" else 0.26) * glow
    base = np.array(theme.color("sunken").getRgbF()[:3], dtype=np.float32)
    rgb = base + (np.sqrt(mixed / total) - base) * strength
    noise = np.random.default_rng(1).random((samples, samples, 1), dtype=np.float32)
    pixels = np.ascontiguousarray((rgb * 255.0 + noise).clip(0, 255).astype(np.uint8))
    return QImage(pixels.data, samples, samples, 3 * samples, QImage.Format.Format_RGB888).copy()
