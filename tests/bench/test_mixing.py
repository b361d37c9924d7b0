"""What is compared is the same mixing, and the stopwatch times what it calls."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from synth_app.app.bench.callback import address_of, row_of
from synth_app.app.bench.mixing import RATE_HZ, Chord, CompiledMixer, NumpyMixer, PythonCallback, make_chord
from synth_app.app.bench.stopwatch import TIMED, Stopwatch
from synth_app.engine.callback import CALLBACK


@pytest.fixture
def chord() -> Chord:
    return make_chord(np.random.default_rng(7), voices=64, seconds=0.3)


def test_numpy_mixes_what_the_compiled_mixer_mixes(chord: Chord) -> None:
    compiled, plain = CompiledMixer(chord), NumpyMixer(chord)
    compiled.strike()
    ours, theirs = np.zeros((9600, 2), np.float32), np.zeros((9600, 2), np.float32)
    compiled.memory.mix(ours)
    for start in range(0, 9600, 128):
        plain.mix(theirs[start : start + 128])
    assert np.abs(ours).max() > 0.02
    np.testing.assert_allclose(theirs, ours, atol=1e-6)


def test_the_limiter_in_numpy_holds_the_ceiling_too(chord: Chord) -> None:
    loud = Chord(chord.audio, chord.rate, chord.vibrato, chord.gain * 50.0)
    plain = NumpyMixer(loud)
    out = np.zeros((4800, 2), np.float32)
    for start in range(0, 4800, 64):
        plain.mix(out[start : start + 64])
    assert 0.9 < np.abs(out).max() <= 1.0


def test_a_chord_ends_and_can_be_struck_again(chord: Chord) -> None:
    compiled = CompiledMixer(chord)
    out = np.zeros((512, 2), np.float32)
    for _ in range(2):
        compiled.strike()
        compiled.memory.mix(out)
        assert compiled.sounding == 64
        for _ in range(RATE_HZ // 512):
            compiled.memory.mix(out)
        assert compiled.sounding == 0


def test_the_stopwatch_counts_and_times_every_call(chord: Chord) -> None:
    mixer = CompiledMixer(chord)
    mixer.strike()
    stopwatch = Stopwatch(CALLBACK.address, mixer.memory.table.ctypes.data, 50)
    out = np.zeros((64, 2), np.float32)
    stopwatch.call(out, 60)
    assert mixer.memory.state[0]["callbacks"] == 60
    assert stopwatch.count == 50  # no more than it has room for
    assert (stopwatch.durations_us() > 0.0).all()
    assert np.abs(out).max() > 0.0
    stopwatch.restart()
    assert stopwatch.count == 0


def test_the_timed_callback_passes_everything_on() -> None:
    seen: list[tuple[int | None, ...]] = []

    def record(*arguments: int | None) -> int:
        seen.append(arguments)
        return 1

    target = PythonCallback(record)
    stopwatch = Stopwatch(address_of(target), 77, 4)
    timed = ctypes.cast(TIMED.address, PythonCallback)
    assert timed(11, 22, 33, 44, 55, stopwatch.table.ctypes.data) == 1
    assert seen == [(11, 22, 33, 44, 55, 77)]
    assert stopwatch.count == 1


def test_the_python_callback_mixes_into_the_drivers_memory(chord: Chord) -> None:
    mixer, plain = CompiledMixer(chord), NumpyMixer(chord)
    callback = plain.as_callback(mixer.memory)
    stopwatch = Stopwatch(address_of(callback), 0, 10)
    out = np.zeros((128, 2), np.float32)
    stopwatch.call(out, 3)
    expected = np.zeros((128, 2), np.float32)
    again = NumpyMixer(chord)
    for _ in range(3):
        again.mix(expected)
    np.testing.assert_array_equal(out, expected)
    assert mixer.memory.state[0]["callbacks"] == 3


def test_late_callbacks_are_counted_against_their_block() -> None:
    row = row_of("x", np.array([100.0, 1400.0, 1300.0]), 64)
    assert "1 of 3 took longer than the block" in row.note
    assert row.met is False
    assert row_of("x", np.array([5000.0]), 64, judged=False).met is None
