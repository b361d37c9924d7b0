"""Colours keep WCAG AA; anchors keep theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synth_app.ui.stylesheet import stylesheet
from synth_app.ui.theme import (
    ANCHOR_HUES,
    DARK,
    LIGHT,
    PALETTES,
    Theme,
    anchor_rgb,
    anchor_slots,
    contrast_failures,
    contrast_ratio,
    make_theme,
    oklch_to_rgb,
)


@pytest.mark.parametrize("name", sorted(PALETTES))
def test_every_pair_of_colours_keeps_wcag_aa(name: str) -> None:
    assert contrast_failures(PALETTES[name]) == []


def test_the_contrast_check_finds_what_is_too_faint() -> None:
    faint = replace(DARK, muted="#3a4250")
    assert any(failure.startswith("muted on") for failure in contrast_failures(faint))


def test_contrast_ratio_has_the_values_of_wcag() -> None:
    assert contrast_ratio("#ffffff", "#000000") == pytest.approx(21.0)
    assert contrast_ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast_ratio("#123456", "#123456") == pytest.approx(1.0)


def test_oklch_of_no_chroma_is_grey() -> None:
    red, green, blue = oklch_to_rgb(0.6, 0.0, 1.0)
    assert red == pytest.approx(green, abs=1e-3) and green == pytest.approx(blue, abs=1e-3)


def test_anchor_colours_differ_from_each_other() -> None:
    for palette in (DARK, LIGHT):
        colours = {tuple(round(c, 2) for c in anchor_rgb(palette, slot)) for slot in range(ANCHOR_HUES)}
        assert len(colours) == ANCHOR_HUES


def test_anchor_slots_are_distinct_and_stay_when_a_later_anchor_goes() -> None:
    names = [f"Anchor {i}" for i in range(ANCHOR_HUES)]
    slots = anchor_slots(names)
    assert sorted(slots) == list(range(ANCHOR_HUES))
    assert anchor_slots(names[:-3]) == slots[:-3]
    assert len(anchor_slots([*names, "one more"])) == ANCHOR_HUES + 1


def test_wild_themes_and_zooms_fall_back() -> None:
    assert make_theme("purple", 1.0).palette is DARK
    assert make_theme("light", 99.0) == Theme(LIGHT, 2.0)
    assert make_theme("light", float("nan")).zoom == 1.0


def test_the_style_sheet_scales_with_the_zoom() -> None:
    small, large = stylesheet(Theme(DARK, 1.0)), stylesheet(Theme(DARK, 2.0))
    assert "$" not in small
    assert "padding: 5px 12px" in small and "padding: 10px 24px" in large
