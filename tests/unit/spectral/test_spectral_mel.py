"""The mel table is Magenta's, quirks and all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synth_app.spectral.config import SpectralConfig
from synth_app.spectral.mel import MelTable, log_mel_to_magnitude, mel_table, power_to_log_mel

DATA = Path(__file__).parents[2] / "data" / "spectral"


def test_sums_are_magentas(table: MelTable) -> None:
    forward, inverse = table.dense_forward(), table.dense_inverse()
    assert forward.sum() == pytest.approx(1021.098180643396, abs=1e-9)
    assert np.square(forward).sum() == pytest.approx(682.1226482545255, abs=1e-9)
    assert inverse.sum() == pytest.approx(1021.0113854378714, abs=1e-9)
    assert np.square(inverse).sum() == pytest.approx(776.7388128949418, abs=1e-9)


def test_every_entry_is_magentas(table: MelTable) -> None:
    rows = np.loadtxt(DATA / "mel_sparse.csv", delimiter=",", skiprows=1)
    linear, mel = rows[:, 0].astype(int), rows[:, 1].astype(int)
    forward, inverse = np.zeros((2, 1024, 1024))
    forward[linear, mel] = rows[:, 2]
    inverse[mel, linear] = rows[:, 3]
    np.testing.assert_allclose(table.dense_forward(), forward, atol=1e-10)
    np.testing.assert_allclose(table.dense_inverse(), inverse, atol=1e-10)


def test_bins_are_shared_out_whole_but_for_the_ends(table: MelTable) -> None:
    sums = table.forward.sum(axis=1)
    np.testing.assert_allclose(sums[1:-3], 1.0, atol=1e-9)
    assert sums[0] == 0.0
    np.testing.assert_allclose(sums[-3:], [0.73212, 0.36606, 0.0], atol=1e-5)


def test_two_gathers_are_the_matrix_product(table: MelTable) -> None:
    mel = np.random.default_rng(1).uniform(size=(3, 1024))
    np.testing.assert_allclose(table.mel_to_lin(mel), mel @ table.dense_inverse(), atol=1e-12)


def test_silence_is_the_floor_both_ways(table: MelTable) -> None:
    silence = power_to_log_mel(np.zeros((1, 1024)), table)
    np.testing.assert_allclose(silence, np.log(1e-6), atol=2e-6)
    assert log_mel_to_magnitude(silence, table).max() < 2e-3


def test_a_flat_spectrum_comes_back_flat(table: MelTable) -> None:
    magnitude = log_mel_to_magnitude(power_to_log_mel(np.full((1, 1024), 10.0), table), table)
    np.testing.assert_allclose(magnitude[0, 1:-1], 10.0, rtol=0.25)
    assert np.mean(magnitude[0, 1:-1]) == pytest.approx(10.0, rel=0.01)


def test_the_small_picture_has_a_table_of_its_own() -> None:
    table = mel_table(SpectralConfig.low_resolution())
    assert table.band.shape == (512, 2)
    np.testing.assert_allclose(table.forward.sum(axis=1)[1:-3], 1.0, atol=1e-9)
