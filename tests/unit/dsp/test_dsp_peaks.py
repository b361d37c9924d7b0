"""Peaks and what lies between them."""

import numpy as np

from synth_app.dsp.peaks import PROMINENCE_DB, peak_lobes
from synth_app.dsp.trend import NEPERS_PER_DB


def test_a_peak_is_marked_down_to_its_foot() -> None:
    level = np.full((5, 100), -5.0)
    shape = 30.0 - 2.0 * np.abs(np.arange(-15, 16))  # dB over the floor
    level[:, 35:66] += shape * NEPERS_PER_DB
    lobes = peak_lobes(level)
    reach = int((PROMINENCE_DB - 1e-9) // 2.0)
    assert lobes[2].nonzero()[0].tolist() == list(range(50 - reach, 50 + reach + 1))


def test_a_ripple_is_no_peak() -> None:
    level = 0.4 * PROMINENCE_DB * NEPERS_PER_DB * np.sin(np.arange(200))[None].repeat(3, axis=0)
    assert not peak_lobes(level).any()
    assert not peak_lobes(np.zeros((3, 200))).any()


def test_one_frame_of_noise_makes_no_peak() -> None:
    # A single frame's spike of 20 dB is no peak among four quiet neighbours.
    level = np.zeros((5, 100))
    level[2, 50] = 20.0 * NEPERS_PER_DB
    assert not peak_lobes(level)[2].any()
    level[:, 50] = 20.0 * NEPERS_PER_DB
    assert peak_lobes(level)[:, 50].all()


def test_tone_is_peaks_and_breath_is_mostly_not(notes: dict) -> None:
    breathy, struck = notes["breathy"], notes["struck"]
    level = breathy.held[0]
    quiet = level.mean(axis=0) < level.mean(axis=0).max() - 30.0 * NEPERS_PER_DB
    assert peak_lobes(level)[:, quiet].mean() < 0.5
    power = np.exp(struck.held[0].astype(float))
    assert (power * peak_lobes(struck.held[0])).sum() > 0.9 * power.sum()
