"""The stream is the whole note, however it is cut, forked, skipped or resampled."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth_app.spectral.codec import decode, encode
from synth_app.spectral.config import PhaseConvention, SpectralConfig
from synth_app.spectral.mel import MelTable
from synth_app.spectral.stft import hann
from synth_app.spectral.streaming import StreamingDecoder

Make = Callable[..., Any]
Picture = tuple[NDArray[np.float32], NDArray[np.float32]]
SHARED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["centred", "magenta"])
def convention(request: pytest.FixtureRequest) -> PhaseConvention:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def picture(harmonic_tone: Make, convention: PhaseConvention, config: SpectralConfig, table: MelTable) -> Picture:
    """A pluck with some breath, so that peaks come, go and move."""
    rng = np.random.default_rng(11)
    wave = harmonic_tone(50, rng, 1.0) + 0.02 * rng.standard_normal(config.samples)
    log_mel, inst_freq = encode(wave, convention, config, table)
    return log_mel.astype(np.float32), inst_freq.astype(np.float32)


@pytest.fixture
def whole(picture: Picture, convention: PhaseConvention, config: SpectralConfig, table: MelTable) -> Any:
    return decode(*picture, convention, config, table)


@pytest.fixture
def fresh(convention: PhaseConvention, config: SpectralConfig, table: MelTable) -> StreamingDecoder:
    return StreamingDecoder(config, convention, table=table)


def part(picture: Picture, start: int, stop: int | None = None) -> Picture:
    return picture[0][start:stop], picture[1][start:stop]


@SHARED
@given(cuts=st.lists(st.integers(0, 128), max_size=12))
def test_any_cut_gives_the_whole_note(
    cuts: list[int], picture: Picture, whole: Any, fresh: StreamingDecoder, config: SpectralConfig
) -> None:
    decoder = fresh.fork()
    edges = [0, *sorted(cuts), 128]
    pieces = [decoder.push(*part(picture, a, b)) for a, b in pairwise(edges)]
    assert [len(piece) for piece in pieces] == [512 * (b - a) for a, b in pairwise(edges)]
    stream = np.concatenate([*pieces, decoder.tail()])
    assert stream.dtype == np.float32
    np.testing.assert_allclose(stream[config.pad_samples :], whole, atol=1e-6)
    assert not decoder.tail().any()


@SHARED
@given(entry=st.integers(0, 120), cut=st.integers(0, 120))
def test_skipping_is_pushing_without_listening(entry: int, cut: int, picture: Picture, fresh: StreamingDecoder) -> None:
    pushed, skipped = fresh.fork(), fresh.fork()
    cut = min(cut, entry)
    pushed.push(*part(picture, 0, entry))
    skipped.skip(*part(picture, 0, cut))
    skipped.skip(*part(picture, cut, entry))
    assert skipped.frame == pushed.frame == entry
    np.testing.assert_array_equal(skipped.push(*part(picture, entry)), pushed.push(*part(picture, entry)))


def test_drift_is_by_how_much_a_peak_turns_the_bands_beside_it(config: SpectralConfig, table: MelTable) -> None:
    frames, top = 60, 800
    log_mel = np.full((frames, config.bins), -12.0, np.float32)
    log_mel[:, top - 2 : top + 3] = [-4.0, -1.0, 0.0, -1.0, -4.0]
    inst_freq = np.zeros((frames, config.bins), np.float32)
    inst_freq[:, top - 2 : top + 3] = 0.30
    inst_freq[:, top - 1] = 0.33  # one band believes in a higher partial
    decoder = StreamingDecoder(config, "centred", start_frame=config.pad_frames, table=table)
    decoder.skip(log_mel[:20], inst_freq[:20])
    drift = decoder.fork().drift(log_mel[20:], inst_freq[20:])
    played = np.intersect1d(np.arange(top - 2, top + 3), table.nearest)  # no bin of the spectrum asks the others
    heard = (inst_freq[0] + drift)[played]
    assert len(played) > 2 and np.ptp(heard) < 2e-3 < np.ptp(inst_freq[0, played])
    on_its_way = decoder.fork()
    on_its_way.skip(log_mel[20:], inst_freq[20:])
    decoder.drift(log_mel[20:], inst_freq[20:])
    assert decoder.frame == on_its_way.frame
    alone = StreamingDecoder(config, "magenta", start_frame=0, table=table).drift(log_mel, inst_freq)
    assert not alone.any()


def test_a_fork_goes_its_own_way(picture: Picture, fresh: StreamingDecoder) -> None:
    first = fresh.fork()
    first.push(*part(picture, 0, 60))
    second = first.fork()
    second.push(*part(picture, 90, 100))
    second.tail()
    straight = fresh.fork()
    straight.push(*part(picture, 0, 60))
    np.testing.assert_array_equal(first.push(*part(picture, 60)), straight.push(*part(picture, 60)))


def test_a_note_may_go_on_past_its_end(
    picture: Picture, convention: PhaseConvention, config: SpectralConfig, table: MelTable, fresh: StreamingDecoder
) -> None:
    order = np.concatenate([np.arange(100), np.tile(np.arange(60, 100), 6)])
    longer = picture[0][order], picture[1][order]
    wanted = decode(*longer, convention, config, table)
    stream = np.concatenate([fresh.push(*part(longer, 0, 200)), fresh.push(*part(longer, 200)), fresh.tail()])
    np.testing.assert_allclose(stream[config.pad_samples :], wanted, atol=1e-6)


@pytest.mark.parametrize("rate_factor", [3, 6])
def test_higher_rates_pass_through_the_same_samples(
    rate_factor: int,
    picture: Picture,
    whole: Any,
    convention: PhaseConvention,
    config: SpectralConfig,
    table: MelTable,
) -> None:
    decoder = StreamingDecoder(config, convention, rate_factor, table=table)
    stream = np.concatenate([decoder.push(*part(picture, 0, 7)), decoder.push(*part(picture, 7)), decoder.tail()])
    stream = stream[config.pad_samples * rate_factor :]
    assert len(stream) == config.samples * rate_factor
    np.testing.assert_allclose(stream[::rate_factor], whole, atol=1e-6)
    fast, slow = (np.abs(np.fft.rfft(wave * hann(len(wave)))) for wave in (stream, whole))
    assert np.abs(fast[: len(slow) - 100] / rate_factor - slow[:-100]).max() < 1e-3 * slow.max()
    assert fast[len(slow) + 100 :].max() < 1e-4 * fast.max()


def test_a_centred_note_may_start_behind_its_padding(
    harmonic_tone: Make, config: SpectralConfig, table: MelTable
) -> None:
    picture = encode(harmonic_tone(64, np.random.default_rng(12)), "centred", config, table)
    late = StreamingDecoder(config, "centred", start_frame=3, table=table)
    early = StreamingDecoder(config, "centred", table=table)
    early.push(picture[0][:3], picture[1][:3])
    early.tail()
    np.testing.assert_array_equal(
        late.push(picture[0][3:], picture[1][3:])[3 * 512 :], early.push(picture[0][3:], picture[1][3:])[3 * 512 :]
    )


def test_single_precision_holds_for_half_a_minute(config: SpectralConfig, table: MelTable) -> None:
    """A held frame is a fixed spectrum turning at a fixed rate; a thousand frames on it must still be on time."""
    log_mel = np.full((1, 1024), -13.0, np.float32)
    log_mel[0, 100:104] = [0.0, 6.0, 6.0, 0.0]
    inst_freq = np.full((1, 1024), 0.375, np.float32)
    picture = np.repeat(log_mel, 1003, axis=0), np.repeat(inst_freq, 1003, axis=0)
    decoder = StreamingDecoder(config, "centred", table=table)
    stream = decoder.push(*picture)
    # 0.375 pi a hop comes round in 16 frames.
    np.testing.assert_allclose(stream[512 * 984 : 512 * 1000], stream[512 * 104 : 512 * 120], atol=1e-6)


def test_wrong_shapes_and_factors_are_refused(config: SpectralConfig, table: MelTable) -> None:
    decoder = StreamingDecoder(config, "centred", table=table)
    with pytest.raises(ValueError, match="1024"):
        decoder.push(np.zeros((2, 512)), np.zeros((2, 512)))
    with pytest.raises(ValueError, match="frames"):
        decoder.skip(np.zeros((2, 1024)), np.zeros((3, 1024)))
    with pytest.raises(ValueError, match="rate_factor"):
        StreamingDecoder(config, "centred", rate_factor=0)
    assert decoder.frame == 0
