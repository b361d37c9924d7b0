"""Magenta's convention, against what Magenta's own graph computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from synth_app.spectral.codec import decode, encode
from synth_app.spectral.config import SpectralConfig
from synth_app.spectral.mel import MelTable
from synth_app.spectral.streaming import StreamingDecoder

DATA = Path(__file__).parents[2] / "data" / "spectral"


def snr_db(wanted: NDArray[np.floating], got: NDArray[np.floating]) -> float:
    return float(10 * np.log10(np.sum(np.square(wanted)) / np.sum(np.square(wanted - got))))


@pytest.mark.parametrize("tone", [0, 1, 2])
def test_encoding_is_magentas(tone: int, config: SpectralConfig, table: MelTable) -> None:
    with np.load(DATA / "tones.npz") as kept:
        wave, frames, picture = kept["wave_in"][tone], kept["frames"], kept["mel"][tone]
    log_mel, inst_freq = (part[frames] for part in encode(wave, "magenta", config, table))
    np.testing.assert_allclose(log_mel, picture[..., 0], atol=0.01)
    audible = picture[..., 0] > picture[..., 0].max() - 10.0
    turns = (inst_freq - picture[..., 1])[audible] / 2
    assert np.mean(np.abs(turns - np.rint(turns)) < 1e-3) > 0.99


@pytest.mark.parametrize("tone", [0, 1, 2])
def test_round_trip_is_magentas(tone: int, config: SpectralConfig, table: MelTable) -> None:
    with np.load(DATA / "tones.npz") as kept:
        wave, wanted = kept["wave_in"][tone], kept["wave_out"][tone]
    got = decode(*encode(wave, "magenta", config, table), "magenta", config, table)
    assert snr_db(wanted, got) > 65.0


def test_decoding_a_generated_picture_is_magentas(config: SpectralConfig, table: MelTable) -> None:
    with np.load(DATA / "note.npz") as kept:
        picture, wanted = kept["spectrum"], kept["wave"]
    assert snr_db(wanted, decode(picture[..., 0], picture[..., 1], "magenta", config, table)) > 75.0


def test_streaming_a_generated_picture_is_magentas(config: SpectralConfig, table: MelTable) -> None:
    with np.load(DATA / "note.npz") as kept:
        picture, wanted = kept["spectrum"], kept["wave"]
    decoder = StreamingDecoder(config, "magenta", table=table)
    got = np.concatenate([decoder.push(picture[..., 0], picture[..., 1]), decoder.tail()])
    assert snr_db(wanted, got[config.pad_samples :]) > 75.0
