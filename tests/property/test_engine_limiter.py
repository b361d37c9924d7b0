"""Whatever goes in: finite, never above the ceiling, and the same for any split into blocks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth_app.core.units import db_to_gain
from synth_app.engine.callback import CEILING_DB
from tests.unit.engine.desk import Buffer, Desk

CEILING = np.float32(db_to_gain(CEILING_DB))


@st.composite
def nasty_waves(draw: st.DrawFn) -> NDArray[np.float32]:
    """Noise whose level jumps, with single clicks, steps and samples that are no numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pieces = [
        rng.uniform(-1.0, 1.0, draw(st.integers(1, 400))) * 10.0 ** draw(st.floats(-6.0, 5.5))
        for _ in range(draw(st.integers(1, 8)))
    ]
    wave = np.concatenate(pieces).astype(np.float32)
    for place in draw(st.lists(st.integers(0, len(wave) - 1), max_size=6)):
        wave[place] = draw(st.sampled_from([0.0, 1.0, -1.0, 50.0, 9e5, 3e38, np.inf, -np.inf, np.nan]))
    return wave


@settings(deadline=None)
@given(
    waves=st.lists(nasty_waves(), min_size=1, max_size=4),
    gains=st.lists(st.floats(0.0, 100.0), min_size=4, max_size=4),
    rate=st.sampled_from([1.0, 0.5, 1.37, 2.0]),
    blocks=st.lists(st.integers(1, 1500), min_size=1, max_size=4),
)
def test_the_output_is_finite_and_never_above_the_ceiling(
    waves: list[NDArray[np.float32]], gains: list[float], rate: float, blocks: list[int]
):
    takes = []
    for split in ((4000,), tuple(blocks)):
        desk = Desk()
        for slot, wave in enumerate(waves):
            desk.start(Buffer(wave), slot=slot, rate=rate, gain_left=gains[slot], gain_right=gains[-1 - slot])
        takes.append(desk.play(4000, split))
    assert np.all(np.isfinite(takes[0]))
    assert np.abs(takes[0]).max() <= CEILING
    np.testing.assert_array_equal(takes[0], takes[1])
