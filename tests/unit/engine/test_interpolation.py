"""How clean a transposed note is: what the mixer's interpolation adds to a pure tone, in dB below it.

A 16 kHz model decoded at 48 kHz has nothing above 8 kHz, so a third-order Hermite is clean where the ear is keen. Notes
for other device rates are decoded at 96 kHz, where everything moves down by 18 dB (ADR 7).
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.engine.desk import Desk, sine


def _residual_db(hz: float, source_rate_hz: int, rate: float) -> tuple[float, float]:
    """(level of the tone against the true one, everything else against the tone) in dB."""
    note = sine(hz, 1.2, 0.5, source_rate_hz)
    desk = Desk()
    desk.start(note, rate=rate)
    heard = desk.heard(round(40_000 / max(1.0, rate)))[200:, 0].astype(float)
    phase = 2.0 * np.pi * hz * np.arange(200, 200 + len(heard)) * rate / source_rate_hz
    basis = 0.5 * np.stack([np.sin(phase), np.cos(phase)], axis=1)
    found, *_ = np.linalg.lstsq(basis, heard, rcond=None)
    rest = heard - basis @ found
    return 20.0 * np.log10(np.hypot(*found)), 10.0 * np.log10(np.mean(rest**2) / 0.125)


@pytest.mark.parametrize(("hz", "at_most_db"), [(220, -125), (1000, -91), (2000, -73), (4000, -54), (7900, -35)])
@pytest.mark.parametrize("semitones", [-2.0, 0.3, 1.0, 2.0])
def test_a_bend_at_48_khz(hz: float, at_most_db: float, semitones: float):
    droop_db, rest_db = _residual_db(hz, 48_000, 2.0 ** (semitones / 12.0))
    assert rest_db < at_most_db
    assert abs(droop_db) < 0.13


@pytest.mark.parametrize(("hz", "at_most_db"), [(220, -140), (1000, -109), (2000, -91), (4000, -73), (7900, -54)])
@pytest.mark.parametrize("semitones", [0.0, 2.0])
def test_a_device_at_44_1_khz_reads_96_khz(hz: float, at_most_db: float, semitones: float):
    droop_db, rest_db = _residual_db(hz, 96_000, 96_000 / 44_100 * 2.0 ** (semitones / 12.0))
    assert rest_db < at_most_db
    assert abs(droop_db) < 0.02


def test_a_note_at_its_own_rate_is_its_samples():
    note = sine(7000.0, 0.5)
    desk = Desk()
    desk.start(note, rate=1.0)
    np.testing.assert_array_equal(desk.heard(10_000)[:, 0], note.samples[:10_000])
