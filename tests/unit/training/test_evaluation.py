"""The evaluation's measures on sounds and crowds whose answer is known."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth_app.core.errors import FileFormatError
from synth_app.training.evaluation.bar import ROWS, column_of
from synth_app.training.evaluation.distribution import (
    assign,
    different_bins,
    find_cells,
    frechet_distance,
    frechet_ratio,
)
from synth_app.training.evaluation.envelope import attack_ms, liveliness
from synth_app.training.evaluation.figures import having, kept
from synth_app.training.evaluation.judging_net import (
    JudgingNet,
    load_judge,
    opinion_entropy,
    pair_frames,
    save_judge,
)
from synth_app.training.evaluation.likeness import ranks
from synth_app.training.evaluation.measure import reference_of
from synth_app.training.evaluation.modulation import modulation, rates_hz
from synth_app.training.evaluation.paths import Walks
from synth_app.training.evaluation.pictures import rainbowgram, wave_modulo
from synth_app.training.features import LOG_MEL_FLOOR
from synth_app.training.harmonics import LOWEST_PITCH
from synth_app.training.pitch import hz_of

RATE = 16_000
TIME = np.arange(4 * RATE) / RATE


def as_batch(*waves: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.stack(waves)).float()


def sine(hz: float, *, swell_db: float = 0.0, vibrato_cents: float = 0.0, rate_hz: float = 5.0) -> NDArray[np.float64]:
    """A tone whose level and pitch move as sines of the given depth."""
    moving = np.sin(2 * np.pi * rate_hz * TIME)
    gain = 10.0 ** (swell_db * moving / 20.0)
    cycles = np.cumsum(hz * 2.0 ** (vibrato_cents * moving / 1200.0)) / RATE
    return np.asarray(0.2 * gain * np.sin(2 * np.pi * cycles))


def index_of(pitch: int) -> Tensor:
    return torch.tensor([pitch - LOWEST_PITCH])


@pytest.mark.parametrize("pitch", [28, 45, 60, 76])
@pytest.mark.parametrize("rate_hz", [4.0, 5.0, 8.0])
def test_a_swelling_tone_is_measured_at_its_depth_and_rate(pitch: int, rate_hz: float) -> None:
    found = modulation(as_batch(sine(hz_of(pitch), swell_db=3.0, rate_hz=rate_hz)), index_of(pitch))
    assert float(found.level_db) == pytest.approx(3.0 / math.sqrt(2.0), rel=0.2)
    assert float(rates_hz()[found.level_spectrum[0].argmax()]) == pytest.approx(rate_hz, abs=0.5)
    assert float(found.pitch_cents) < 2.0


@pytest.mark.parametrize("pitch", [33, 57, 72])
def test_vibrato_is_measured_in_cents(pitch: int) -> None:
    found = modulation(as_batch(sine(hz_of(pitch), vibrato_cents=25.0)), index_of(pitch))
    assert float(found.pitch_cents) == pytest.approx(25.0 / math.sqrt(2.0), rel=0.15)
    assert float(rates_hz()[found.pitch_spectrum[0].argmax()]) == pytest.approx(5.0, abs=0.5)


def test_beating_partials_are_found_where_their_sum_hides_them() -> None:
    low = sine(220.0) + sine(225.0)
    high = np.roll(sine(1760.0) + sine(1765.0), RATE // 10)
    together = modulation(as_batch(low + high), index_of(57))
    assert float(together.level_db) > 3.0


def test_a_steady_tone_a_dying_one_and_silence_do_not_move() -> None:
    steady, dying = sine(220.0), sine(220.0) * np.exp(-2.0 * TIME)
    found = modulation(as_batch(steady, dying, np.zeros_like(steady)), torch.tensor([33, 33, 33]))
    assert float(found.level_db.max()) < 0.05
    assert float(found.pitch_cents.max()) < 0.1


def test_what_is_flattened_keeps_less_than_all_of_its_modulation() -> None:
    real = as_batch(*[sine(262.0, swell_db=3.0, vibrato_cents=20.0, rate_hz=rate) for rate in (4.0, 5.0, 6.0)])
    flat = as_batch(*[sine(262.0, swell_db=1.0, vibrato_cents=5.0, rate_hz=rate) for rate in (4.0, 5.0, 6.0)])
    pitch, whose = torch.full((3,), 60 - LOWEST_PITCH), np.array([0, 0, 0])
    deep, shallow = modulation(real, pitch), modulation(flat, pitch)
    level = kept(shallow.level_db.double().numpy(), deep.level_db.double().numpy(), whose, 0.5)
    cents = kept(shallow.pitch_cents.double().numpy(), deep.pitch_cents.double().numpy(), whose, 4.0)
    assert level == pytest.approx(1 / 3, abs=0.08) and cents == pytest.approx(1 / 4, abs=0.08)


def test_only_anchors_that_have_modulation_are_asked_for_it() -> None:
    real, whose = np.array([1.0, 2.0, 0.1, 0.1, 0.1, 9.0]), np.array([0, 0, 1, 1, 1, 1])
    assert having(real, whose, 0.5).tolist() == [0]
    assert kept(real * [0.5, 0.5, 9, 9, 9, 9], real, whose, 0.5) == pytest.approx(0.5)
    assert math.isnan(kept(real, real, whose, 50.0))


@pytest.mark.parametrize("rise_ms", [5.0, 40.0, 200.0])
def test_attack_is_the_time_of_the_rise(rise_ms: float) -> None:
    wave = sine(440.0) * np.clip((TIME - 0.1) / (rise_ms / 1000.0), 0.0, 1.0)
    assert float(attack_ms(as_batch(wave))) == pytest.approx(0.7 * rise_ms, abs=8.0)


def test_attack_of_silence_is_none() -> None:
    assert float(attack_ms(torch.zeros(1, 64_000))) == 0.0


def test_liveliness_is_the_ratio_of_movement_whatever_the_slope() -> None:
    rng = np.random.default_rng(3)
    moving = torch.from_numpy(rng.standard_normal((1, 128, 64))).float()
    slope = torch.linspace(0.0, -3.0, 128)[None, :, None]
    ratio = liveliness(2.0 + 0.2 * moving, 2.0 + slope + 0.4 * moving, LOG_MEL_FLOOR)
    assert float(ratio) == pytest.approx(0.5, abs=0.02)
    frozen = liveliness(torch.full((1, 128, 64), 2.0), 2.0 + 0.4 * moving, LOG_MEL_FLOOR)
    assert float(frozen) < 0.1


def test_bands_that_do_not_speak_have_no_say_in_liveliness() -> None:
    rng = np.random.default_rng(4)
    real = torch.full((1, 128, 64), LOG_MEL_FLOOR)
    assert math.isnan(float(liveliness(real, real, LOG_MEL_FLOOR)))
    real[:, :, :8] = torch.from_numpy(rng.standard_normal((1, 128, 8))).float()
    made = real.clone()
    made[:, :, 8:] += torch.from_numpy(rng.standard_normal((1, 128, 56))).float()
    assert float(liveliness(made, real, LOG_MEL_FLOOR)) == pytest.approx(1.0)


def test_frechet_distance_knows_equal_crowds_and_gaussians() -> None:
    rng = np.random.default_rng(5)
    crowd = rng.standard_normal((4000, 6))
    assert frechet_distance(crowd, crowd) == pytest.approx(0.0, abs=1e-9)
    shifted = frechet_distance(crowd, crowd + np.array([3.0, 0, 0, 0, 0, 0]))
    assert shifted == pytest.approx(9.0, rel=1e-6)
    assert frechet_distance(crowd, 2.0 * crowd) == pytest.approx(np.trace(np.cov(crowd.T)), rel=0.02)
    other = rng.standard_normal((4000, 6))
    assert frechet_distance(crowd, other) == pytest.approx(frechet_distance(other, crowd), rel=1e-6)


def test_frechet_ratio_is_one_for_real_notes_and_above_for_worse_ones() -> None:
    rng = np.random.default_rng(6)
    real = rng.standard_normal((400, 8))
    assert frechet_ratio(real, real, rng).ratio == pytest.approx(1.0)
    assert frechet_ratio(real + 1.0, real, rng).ratio > 5.0


def test_few_notes_have_no_frechet_distance() -> None:
    rng = np.random.default_rng(10)
    assert math.isnan(frechet_ratio(np.ones((3, 8)), np.ones((3, 8)), rng).ratio)
    assert math.isnan(frechet_ratio(np.ones((8, 8)), np.ones((8, 8)), rng).ratio)


def test_the_reference_is_what_was_not_chosen_as_long_as_there_is_enough_of_it() -> None:
    notes = np.arange(10.0)[:, None]
    assert reference_of(notes, np.arange(10) >= 4).tolist() == notes[4:].tolist()
    assert reference_of(notes, np.arange(10) >= 9).tolist() == notes.tolist()


def test_cells_find_the_clusters_that_are_there() -> None:
    rng = np.random.default_rng(7)
    centres = 10.0 * rng.standard_normal((4, 5))
    whose = rng.integers(0, 4, 80)
    crowd = centres[whose] + 0.1 * rng.standard_normal((80, 5))
    cells = find_cells(crowd, rng)
    places = assign(crowd, cells)
    assert len(cells) == 8
    assert all(len(set(whose[places == place])) == 1 for place in np.unique(places))


def test_ndb_is_small_for_equal_crowds_and_full_for_one_that_collapsed() -> None:
    rng = np.random.default_rng(8)
    centres = 10.0 * rng.standard_normal((10, 4))
    reference = centres[rng.integers(0, 10, 2000)] + rng.standard_normal((2000, 4))
    equal = centres[rng.integers(0, 10, 500)] + rng.standard_normal((500, 4))
    collapsed = centres[np.zeros(500, int)] + rng.standard_normal((500, 4))
    cells = find_cells(reference, rng)
    assert different_bins(equal, reference, cells) <= 0.16
    assert different_bins(collapsed, reference, cells) > 0.8


def test_a_note_is_found_again_and_layers_count_as_one_instrument() -> None:
    rng = np.random.default_rng(9)
    real = torch.from_numpy(rng.standard_normal((4, 8, 16))).float()
    names = np.array(["piano", "piano", "flute", "oboe"])
    made = real[[1, 2, 3]] + 0.01
    found = ranks(made, real, names, np.array(["piano", "flute", "piano"]))
    assert found.tolist()[:2] == [0, 0] and found[2] in (1, 2)


def test_even_walks_have_steps_of_one_mean_and_jumps_show() -> None:
    even, jump = np.ones((1, 16)), np.array([[0.0] * 15 + [4.0]])
    assert Walks(even).figures()["largest_step"] == pytest.approx(1.0)
    both = Walks(np.concatenate([even, jump])).figures()
    assert both["largest_step_worst"] == pytest.approx(16.0) and both["smallest_step_worst"] == 0.0


def test_entropy_of_opinions() -> None:
    sure = torch.tensor([[100.0, 0.0, 0.0, 0.0]])
    assert float(opinion_entropy(sure)) == pytest.approx(0.0, abs=1e-6)
    assert float(opinion_entropy(torch.zeros(1, 61))) == pytest.approx(math.log(61))


def test_a_judge_says_the_same_when_it_has_learnt_and_is_read_back(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = JudgingNet(5, learning=True)
    net(torch.randn(8, 128, 1024))  # moves the running statistics that are folded in
    save_judge(net.eval(), tmp_path / "judge.npz")
    again = load_judge(tmp_path / "judge.npz")
    level = torch.randn(3, 128, 1024).clamp(-1.0, 1.0)
    for wanted, found in zip(net(level), again(level), strict=True):
        assert torch.allclose(found, wanted, atol=2e-2)
    assert torch.equal(again.features(level), again.features(pair_frames(level)))


def test_a_file_that_is_no_judge_is_refused(tmp_path: Path) -> None:
    (tmp_path / "judge.npz").write_bytes(b"nothing of the kind")
    with pytest.raises(FileFormatError, match="judging net"):
        load_judge(tmp_path / "judge.npz")


def test_the_bar_gives_its_verdicts() -> None:
    rows = {row.figure: row for row in ROWS}
    assert rows["held_out_lsd_db"].verdict(4.99, "default") == "pass"
    assert rows["held_out_lsd_db"].verdict(4.99, "full") == "short"
    assert rows["strict_pitch"].verdict(0.989, "default") == "short"
    assert rows["liveliness"].verdict(1.6, "default") == rows["liveliness"].verdict(0.5, "default") == "short"
    assert rows["level_modulation"].verdict(0.1, "default") == "reported"
    assert rows["level_modulation"].verdict(0.1, "full") == "short"
    assert rows["top_1"].verdict(math.nan, "default") == "short"
    assert rows["top_1"].asked("default") == ">= 75%" and rows["level_error_db"].asked("full") == "<= 1.0 dB"
    assert column_of((256, 256, 256, 256, 128, 64, 32)) == "full"
    assert column_of((128, 128, 128, 128, 64, 32, 16)) == "default"


def test_gain_points_to_what_is_better() -> None:
    rows = {row.figure: row for row in ROWS}
    assert rows["top_1"].gain(0.8, 0.7, "default") > 0 > rows["level_error_db"].gain(2.0, 1.0, "default")
    assert rows["liveliness"].gain(1.1, 0.7, "default") > 0 > rows["pitch_modulation"].gain(0.2, 0.9, "default")
    assert rows["top_1"].gain(0.70001, 0.7, "default") == 0.0


def test_wave_modulo_lays_the_periods_of_a_steady_tone_over_each_other() -> None:
    steady = sine(hz_of(60)).astype(np.float32)
    assert np.ptp(wave_modulo(steady, 60), axis=0).max() < 0.02
    assert np.ptp(wave_modulo(sine(hz_of(60) * 1.003).astype(np.float32), 60), axis=0).max() > 0.1


def test_a_rainbowgram_is_bright_where_the_note_is_and_colour_follows_the_step() -> None:
    level = torch.full((128, 1024), -30.0)
    level[:, 100] = level[:, 200] = 6.0
    step = torch.zeros(128, 1024)
    step[:, 200] = 0.5
    image = rainbowgram(level, step)
    assert image.shape == (512, 128, 3) and image[50].max() == 0.0
    assert image[100].max() > 0.9 and not np.allclose(image[100], image[200])
