"""The shipped model's anchors, sustained and struck, held for thirty seconds."""

from __future__ import annotations

import numpy as np
import pytest

from .anchors import ANCHORS, Held, anchors, hold


@pytest.fixture(scope="module")
def held() -> dict[str, Held]:
    return {name: hold(name, pitch, note) for name, pitch, note in anchors()}


@pytest.mark.parametrize("name", [name for name, _ in ANCHORS])
def test_held_for_thirty_seconds(held: dict[str, Held], name: str) -> None:
    r = held[name]
    for texture in (r.picture, r.sound):
        assert 0.7 < texture.deviation < 1.4
        assert 0.7 < texture.flux < 1.4
        assert 0.7 < texture.noisiness < 1.4
    assert r.picture.steps.max() <= 1.001
    assert np.percentile(r.sound.steps, 99) < 1.3
    assert r.join < 1.25
    # Few seconds agree by chance: those of a string that dies, more than its first 3 s may happen to (ADR 10).
    assert r.repetition < max(r.own_repetition + 0.1, r.chance_repetition + 0.05)
    assert abs(r.cents) < 3.0


def test_struck_anchors_die_and_the_others_stay(held: dict[str, Held]) -> None:
    for name in ("Grand Piano", "Nylon Guitar"):
        assert held[name].until_s < 20.0
    for name in ("Violin", "String Section", "Flute", "Clarinet", "Trumpet", "Church Organ", "Shakuhachi"):
        assert held[name].until_s > 29.5
