"""The ears that other tests trust are tried on sounds whose pitch and level are known."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.core.units import pitch_to_hz
from tests.helpers import listen

RATE_HZ = 48000


def tone(hz: float, seconds: float, partials: tuple[float, ...] = (1.0, 0.5, 0.3, 0.2)) -> np.ndarray:
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return sum(a * np.sin(2 * np.pi * hz * (k + 1) * time_s + k) for k, a in enumerate(partials)).astype(np.float32)


@pytest.mark.parametrize("pitch", [24, 31, 43.13, 60, 69.5, 84, 100])
def test_pitch_is_within_a_cent(pitch: float) -> None:
    heard = listen.pitch_hz(tone(pitch_to_hz(pitch), 0.5), RATE_HZ)
    assert abs(listen.cents_off(heard, pitch_to_hz(pitch))) < 1.0


def test_pitch_of_a_tone_without_its_fundamental() -> None:
    heard = listen.pitch_hz(tone(110.0, 0.5, (0.0, 1.0, 0.8, 0.5)), RATE_HZ)
    assert abs(listen.cents_off(heard, 110.0)) < 1.0


@pytest.mark.parametrize("wave", [np.zeros(20000), np.random.default_rng(1).standard_normal(20000)])
def test_silence_and_noise_have_no_pitch(wave: np.ndarray) -> None:
    assert listen.pitch_hz(wave, RATE_HZ) == 0.0


def test_a_chord_is_read_note_by_note() -> None:
    detuned = {60: 0.0, 64: 7.0, 67: -12.0}
    notes_hz = [pitch_to_hz(pitch) for pitch in detuned]
    wave = sum(tone(pitch_to_hz(p + cents / 100), 1.0) for p, cents in detuned.items())
    assert listen.chord_cents(wave, RATE_HZ, notes_hz) == pytest.approx(list(detuned.values()), abs=1.5)


def test_a_missing_note_of_a_chord_is_missed() -> None:
    notes_hz = [pitch_to_hz(pitch) for pitch in (60, 64, 67)]
    heard = listen.chord_cents(tone(notes_hz[0], 1.0) + tone(notes_hz[2], 1.0), RATE_HZ, notes_hz)
    assert np.isinf(heard[1])
    assert abs(heard[0]) < 1.5


def test_onsets_are_found_to_a_millisecond() -> None:
    wave = np.zeros(2 * RATE_HZ, np.float32)
    for start_s in (0.25, 0.8, 1.5):
        first = int(start_s * RATE_HZ)
        wave[first : first + RATE_HZ // 5] = tone(440.0, 0.2)
    assert listen.onsets_s(wave, RATE_HZ) == pytest.approx([0.25, 0.8, 1.5], abs=0.0015)


def test_levels() -> None:
    sine = np.sin(np.arange(48000) * 2 * np.pi * 1000 / RATE_HZ)
    assert listen.level_db(sine) == pytest.approx(-3.01, abs=0.01)
    assert listen.peak_db(0.5 * sine) == pytest.approx(-6.02, abs=0.01)
    assert listen.level_db(np.zeros(10)) == listen.peak_db(np.zeros(10)) == listen.SILENCE_DB
