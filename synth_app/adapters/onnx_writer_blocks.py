"""The order of things in a block, for every layout.

Convolution, bias, leaky ReLU (both done by the layout's convolutions), pixel norm, FiLM, and after the first
convolution the harmonic features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from synth_app.adapters.onnx_writer_layout import Film

Films = Mapping[tuple[int, int], Film]


class Layout(Protocol):
    """What a block needs from a layout."""

    def first_conv1(self, x: str) -> str: ...
    def up_conv(self, x: str, block: int, rows: list[str]) -> str: ...
    def conv(self, x: str, block: int, rows: list[str]) -> str: ...
    def pixel_norm(self, x: str, block: int) -> str: ...
    def film(self, x: str, block: int, film: Film) -> str: ...
    def add_harmonics(self, x: str, block: int, rows: str) -> str: ...


def write_first_block(layout: Layout, x: str, films: Films, harmonics: Mapping[int, str]) -> str:
    """Block 1 from its activated dense layer on."""
    x = layout.first_conv1(_after(layout, x, 1, films.get((1, 0)), harmonics.get(1)))
    return _after(layout, x, 1, films.get((1, 1)), None)


def write_block(layout: Layout, x: str, block: int, rows: list[str], films: Films, harmonics: Mapping[int, str],
                last: bool) -> str:  # fmt: skip
    """Any other block; the last one stops before its second pixel norm, which the layout's ``to_rgb`` makes."""
    x = _after(layout, layout.up_conv(x, block, rows), block, films.get((block, 0)), harmonics.get(block))
    x = layout.conv(x, block, rows)
    return x if last else _after(layout, x, block, films.get((block, 1)), None)


def _after(layout: Layout, x: str, block: int, film: Film | None, harmonics: str | None) -> str:
    x = layout.pixel_norm(x, block)
    x = x if film is None else layout.film(x, block, film)
    return x if harmonics is None else layout.add_harmonics(x, block, harmonics)
