"""Where bands are and where they go."""

import numpy as np
import pytest

from synth_app.dsp.trend import NEPERS_PER_DB, fit_lines, fit_trend, lasting_decay, straighten

FRAMES_PER_S = 31.25
PER_S = NEPERS_PER_DB / FRAMES_PER_S


def _course(db_per_s: np.ndarray, noise: float = 0.0, frames: int = 96) -> np.ndarray:
    rng = np.random.default_rng(0)
    time = np.arange(frames)[:, None]
    return 5.0 + time * db_per_s * PER_S + noise * rng.standard_normal((frames, len(db_per_s)))


def test_struck_bands_each_keep_their_own_slope() -> None:
    slopes = np.linspace(-12.0, -6.0, 50)
    trend = fit_trend(_course(slopes, 0.02), 40, 96, FRAMES_PER_S)
    assert np.abs(trend.decay / PER_S - slopes).max() < 0.8
    expected = 5.0 + 95 * slopes * PER_S
    assert np.abs(trend.end - expected).max() < 0.1


def test_held_notes_do_not_fall() -> None:
    # Breath: every band wanders by 6 dB, and its own line is off by several dB a second.
    levels = _course(np.zeros(200), 1.3)
    _, fitted, _ = fit_lines(levels[40:])
    assert np.abs(fitted).max() > 2.0 * PER_S
    trend = fit_trend(levels, 40, 96, FRAMES_PER_S)
    assert -0.1 * PER_S < trend.decay.min() <= trend.decay.max() <= 0.0


def test_a_rising_note_stays_where_it_came_to() -> None:
    trend = fit_trend(_course(np.full(50, 6.0)), 40, 96, FRAMES_PER_S)
    assert trend.decay.max() == 0.0
    assert np.allclose(trend.end, 5.0 + 95 * 6.0 * PER_S, atol=0.05)


def test_a_beating_partial_dies_with_its_note() -> None:
    slopes = np.full(50, -8.0)
    slopes[20] = 3.0
    trend = fit_trend(_course(slopes, 0.01), 40, 96, FRAMES_PER_S)
    assert trend.decay[20] < -2.0 * PER_S


def test_a_note_that_has_died_goes_on_dying() -> None:
    levels = np.maximum(_course(np.full(50, -60.0)), -11.0)
    assert np.ptp(levels[40:]) == 0.0
    assert (fit_trend(levels, 40, 96, FRAMES_PER_S).decay < -15.0 * PER_S).all()


def test_bands_at_the_floor_follow_the_bands_that_speak() -> None:
    levels = _course(np.full(50, -9.0))
    levels[:, 30:] = -11.0
    decay = fit_trend(levels, 40, 96, FRAMES_PER_S).decay / PER_S
    assert np.allclose(decay, -9.0, atol=0.5)


def test_lasting_decay_has_no_threshold() -> None:
    slopes = np.linspace(-30.0, 5.0, 701) * PER_S
    decay = lasting_decay(slopes, FRAMES_PER_S)
    assert (np.diff(decay) >= 0.0).all()
    assert np.abs(np.diff(decay)).max() < 1.2 * np.diff(slopes).max()
    assert decay[-1] == 0.0
    assert decay[0] == pytest.approx(slopes[0], rel=0.01)


def test_straighten_takes_out_parabolas() -> None:
    time = np.linspace(-1.0, 1.0, 60)[:, None]
    _, _, residual = fit_lines(3.0 - 2.0 * time + np.array([0.5, -1.5]) * time**2)
    end, rest = straighten(residual)
    assert np.abs(rest).max() < 1e-12
    assert np.allclose(end, np.array([0.5, -1.5]) * (1.0 - np.square(time).mean()))


@pytest.mark.parametrize(("first", "last"), [(90, 96), (-1, 40), (40, 97)])
def test_too_few_frames_are_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="too few"):
        fit_trend(np.zeros((96, 10)), first, last, FRAMES_PER_S)
