"""Colours, contrast and size: the two palettes, their WCAG arithmetic and the zoom.

A :class:`Theme` is a value. Widgets receive one through ``apply_theme`` and keep no colour or pixel of their own.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

from PyQt6.QtGui import QColor, QFont

Rgb = tuple[float, float, float]

FONT_FAMILIES = (
    "Inter", "Noto Sans", "Segoe UI Variable Text", "Segoe UI", "SF Pro Text", "Cantarell", "Ubuntu",
    "DejaVu Sans Condensed", "DejaVu Sans",
)  # fmt: skip
BASE_POINTS = 10.0
ANCHOR_HUES = 12
LOWEST_ZOOM, HIGHEST_ZOOM = 0.8, 2.0


@dataclass(frozen=True, slots=True)
class Palette:
    """Every colour of a theme, as ``#rrggbb``.

    Attributes:
        window, surface, raised, hover: backgrounds, from the back to the front.
        sunken: background of the pictures (pad, rainbowgram, meters).
        line: hairlines that only decorate. outline: edges that tell where a control is (3:1).
        text, muted: words; muted ones are as readable, only quieter (4.5:1).
        accent, on_accent: what is chosen or filled, and words upon it.
        danger, warn, good: words and marks for trouble, caution and health.
        focus: the ring round what the keyboard holds (3:1 on every background).
        anchor_lightness, anchor_chroma: OKLCH of the anchors' colours.
    """

    name: str
    window: str
    surface: str
    raised: str
    hover: str
    sunken: str
    line: str
    outline: str
    text: str
    muted: str
    accent: str
    on_accent: str
    danger: str
    warn: str
    good: str
    focus: str
    key_white: str
    key_black: str
    anchor_lightness: float
    anchor_chroma: float

    @property
    def light(self) -> bool:
        """Whether it is dark on light."""
        return luminance(self.window) > 0.5

    def backgrounds(self) -> tuple[str, ...]:
        """The colours words may stand on."""
        return (self.window, self.surface, self.raised, self.hover, self.sunken)


DARK = Palette(
    name="dark",
    window="#101419", surface="#171c23", raised="#222933", hover="#2b3440", sunken="#0b0e12",
    line="#262e39", outline="#758296",
    text="#e9edf2", muted="#a9b4c2",
    accent="#7cd6c4", on_accent="#06231d",
    danger="#ff8f85", warn="#f0c05a", good="#86d58c", focus="#ffd27a",
    key_white="#dfe3e6", key_black="#1a1f26",
    anchor_lightness=0.79, anchor_chroma=0.125,
)  # fmt: skip

LIGHT = Palette(
    name="light",
    window="#f1efea", surface="#faf9f6", raised="#e9e5dd", hover="#e0dbd1", sunken="#fffefb",
    line="#dcd6ca", outline="#7b7566",
    text="#1b222c", muted="#4d5664",
    accent="#0b6a60", on_accent="#ffffff",
    danger="#a81f16", warn="#7a4d00", good="#1a6a2e", focus="#9a5b00",
    key_white="#ffffff", key_black="#2b3038",
    anchor_lightness=0.60, anchor_chroma=0.14,
)  # fmt: skip

PALETTES = {"dark": DARK, "light": LIGHT}
"""The palettes by name. Treat as constant."""


@dataclass(frozen=True, slots=True)
class Theme:
    """A palette at a zoom. ``px`` turns design pixels into screen ones."""

    palette: Palette = DARK
    zoom: float = 1.0

    def px(self, design_pixels: float) -> int:
        """A length, zoomed and rounded, never less than 1 for a positive one."""
        return max(1, round(design_pixels * self.zoom)) if design_pixels > 0 else 0

    def font(self, scale: float = 1.0, bold: bool = False) -> QFont:
        """The panel's typeface; ``scale`` is relative to its body size."""
        font = QFont()
        font.setFamilies(list(FONT_FAMILIES))
        font.setPointSizeF(BASE_POINTS * self.zoom * scale)
        font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
        return font

    def color(self, role: str, alpha: float = 1.0) -> QColor:
        """One of the palette's colours, by its attribute name."""
        color = QColor(getattr(self.palette, role))
        color.setAlphaF(alpha)
        return color

    def anchor_color(self, slot: int, alpha: float = 1.0) -> QColor:
        """The colour of an anchor slot (see :func:`anchor_slots`)."""
        red, green, blue = anchor_rgb(self.palette, slot)
        return QColor.fromRgbF(red, green, blue, alpha)


def make_theme(name: str, zoom: float) -> Theme:
    """The theme of a saved name and zoom; unknown names and wild zooms fall back to what is near."""
    safe_zoom = zoom if math.isfinite(zoom) else 1.0
    return Theme(PALETTES.get(name, DARK), min(HIGHEST_ZOOM, max(LOWEST_ZOOM, safe_zoom)))


def anchor_slots(names: Sequence[str]) -> tuple[int, ...]:
    """A colour slot for each anchor: its own by name wherever that is free, so colours stay when others come and go."""
    taken: set[int] = set()
    slots = []
    for name in names:
        slot = zlib.crc32(name.encode()) % ANCHOR_HUES
        if len(taken) >= ANCHOR_HUES:
            taken.clear()
        while slot in taken:
            slot = (slot + 5) % ANCHOR_HUES  # 5 is prime to 12: every slot is reached, and neighbours differ
        taken.add(slot)
        slots.append(slot)
    return tuple(slots)


def anchor_rgb(palette: Palette, slot: int) -> Rgb:
    """The sRGB colour of an anchor slot: twelve hues of equal lightness, so that none shouts."""
    hue = 2.0 * math.pi * ((slot % ANCHOR_HUES) / ANCHOR_HUES + 0.07)
    return oklch_to_rgb(palette.anchor_lightness, palette.anchor_chroma, hue)


def oklch_to_rgb(lightness: float, chroma: float, hue: float) -> Rgb:
    """OKLCH (Ottosson 2020; hue in radians) to sRGB in 0..1, clipped to the gamut."""
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    red, green, blue = (_encode_srgb(min(1.0, max(0.0, channel))) for channel in linear)
    return red, green, blue


def luminance(color: str | Rgb) -> float:
    """Relative luminance of WCAG 2.2 (0 black, 1 white)."""
    rgb = _parse(color) if isinstance(color, str) else color
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast_ratio(one: str | Rgb, other: str | Rgb) -> float:
    """Contrast of WCAG 2.2, 1 to 21, whichever is brighter."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def contrast_failures(palette: Palette) -> list[str]:
    """Every pair of the palette that misses WCAG AA (4.5 for words, 3 for marks and edges), in words."""
    pairs: list[tuple[str, str, float]] = [
        (role, background, 4.5)
        for role in ("text", "muted", "danger", "warn", "good")
        for background in ("window", "surface", "raised", "sunken")
    ]
    pairs += [("text", "hover", 4.5), ("on_accent", "accent", 4.5), ("key_black", "key_white", 3.0)]
    pairs += [
        (role, background, 3.0)
        for role in ("accent", "focus", "outline")
        for background in ("window", "surface", "raised", "sunken")
    ]
    values = {f.name: getattr(palette, f.name) for f in fields(palette)}
    found = [(a, b, contrast_ratio(values[a], values[b]), wanted) for a, b, wanted in pairs]
    found += [
        (f"anchor {slot}", "sunken", contrast_ratio(anchor_rgb(palette, slot), palette.sunken), 3.0)
        for slot in range(ANCHOR_HUES)
    ]
    return [f"{a} on {b}: {ratio:.2f} < {wanted}" for a, b, ratio, wanted in found if ratio < wanted]


def _encode_srgb(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def _parse(color: str) -> Rgb:
    red, green, blue = (int(color[i : i + 2], 16) / 255.0 for i in (1, 3, 5))
    return red, green, blue
