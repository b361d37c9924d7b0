"""Notes to carry on: made up, but with what real ones have (vibrato, beating strings, breath, a release)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from synth_app.spectral.codec import encode
from synth_app.spectral.config import SpectralConfig
from synth_app.spectral.mel import mel_table
from synth_app.spectral.streaming import StreamingDecoder

CONFIG = SpectralConfig()
RATE_HZ, HOP = CONFIG.sample_rate_hz, CONFIG.hop_samples
FIRST, LAST, RELEASE = 40, 96, 98
LEAD = CONFIG.pad_hops - CONFIG.pad_frames  # hops of padding in front of what a decoder begun at frame 3 gives out
HELD_S, NOTE_S = 3.0, 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Note:
    """A picture, the pitch it has, and the means to hear it."""

    log_mel: NDArray[np.float32]
    inst_freq: NDArray[np.float32]
    frequency_hz: float
    blank: StreamingDecoder

    @property
    def held(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.log_mel[FIRST:LAST], self.inst_freq[FIRST:LAST]

    @property
    def loudest(self) -> float:
        return float(self.log_mel.max())

    def decoder_at(self, frame: int) -> StreamingDecoder:
        """A decoder that has passed over the note's frames up to (not including) ``frame``."""
        decoder = self.blank.fork()
        decoder.skip(self.log_mel[CONFIG.pad_frames : frame], self.inst_freq[CONFIG.pad_frames : frame])
        return decoder

    def play(self, until: int = CONFIG.frames) -> NDArray[np.float32]:
        """The note's sound from its first sample on, up to where frame ``until`` would begin (or its end)."""
        decoder = self.blank.fork()
        wave = decoder.push(self.log_mel[CONFIG.pad_frames : until], self.inst_freq[CONFIG.pad_frames : until])
        tail = decoder.tail() if until == CONFIG.frames else wave[:0]
        return np.concatenate([wave, tail])[LEAD * HOP :]


def start_of(frame: int) -> int:
    """The note's sample at which a frame's window begins, and up to which earlier frames decide."""
    return (frame - CONFIG.pad_hops) * HOP


def middle_of(frame: int) -> int:
    """The note's sample in the middle of a frame's window."""
    return start_of(frame) + 2 * HOP


@pytest.fixture(scope="session")
def blank() -> StreamingDecoder:
    return StreamingDecoder(CONFIG, "centred", start_frame=CONFIG.pad_frames, table=mel_table(CONFIG))


@pytest.fixture(scope="session")
def notes(blank: StreamingDecoder) -> dict[str, Note]:
    """``bowed`` (vibrato), ``breathy`` (as much noise as tone) and ``struck`` (beating partials that die)."""
    time = np.arange(CONFIG.samples) / RATE_HZ
    rng = np.random.default_rng(4)
    made = {"bowed": (_bowed(time, rng), 220.0), "breathy": (_breathy(time, rng), 523.25),
            "struck": (_struck(time, rng), 130.81)}  # fmt: skip
    table = mel_table(CONFIG)
    notes = {}
    for name, (wave, frequency_hz) in made.items():
        log_mel, inst_freq = encode(wave * 0.1 / np.sqrt(np.mean(wave[:32_000] ** 2)), "centred", CONFIG, table)
        floored = np.maximum(log_mel, -11.0).astype(np.float32)
        notes[name] = Note(floored, inst_freq.astype(np.float32), frequency_hz, blank)
    return notes


def _gate(time: NDArray[np.float64], attack_s: float, release_db_per_s: float) -> NDArray[np.float64]:
    rising = np.minimum(time / attack_s, 1.0)
    return rising * 10.0 ** (-release_db_per_s * np.maximum(time - HELD_S, 0.0) / 20.0)


def _coloured(rng: np.random.Generator, count: int, low_hz: float, high_hz: float) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hz = np.fft.rfftfreq(count, 1.0 / RATE_HZ)
    spectrum *= 1.0 / (1.0 + (low_hz / np.maximum(hz, 1.0)) ** 4) / (1.0 + (hz / high_hz) ** 4)
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / noise.std())


def _bowed(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    vibrato = 0.012 * np.minimum(time / 0.6, 1.0) * np.sin(2.0 * np.pi * 5.3 * time)
    turns = 2.0 * np.pi * 220.0 * np.cumsum(1.0 + vibrato) / RATE_HZ
    tone = sum(np.sin(k * turns + k) / k * (1.0 + 0.2 * np.sin(2.0 * np.pi * 5.3 * time + k)) for k in range(1, 25))
    return np.asarray((tone + 0.05 * _coloured(rng, len(time), 500.0, 4000.0)) * _gate(time, 0.12, 150.0))


def _breathy(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    tone = sum(np.sin(2.0 * np.pi * 523.25 * k * time + k) / k**2 for k in range(1, 6))
    swell = 1.0 + 0.1 * np.convolve(rng.standard_normal(len(time)), np.hanning(8000) / 40.0, "same")
    breath = 0.4 * _coloured(rng, len(time), 800.0, 3000.0)
    return np.asarray((tone + breath * swell) * _gate(time, 0.06, 240.0))


def _struck(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    wave = np.zeros_like(time)
    for k in range(1, 16):
        hz = 130.81 * k * np.sqrt(1.0 + 0.0004 * k * k)
        decay = 10.0 ** (-(5.0 + 0.6 * k) * time / 20.0)
        strings = np.sin(2.0 * np.pi * hz * time) + 0.25 * np.sin(2.0 * np.pi * (hz + 0.9 + 0.13 * k) * time + k)
        wave += strings * decay / k
    hammer = 0.5 * rng.standard_normal(len(time)) * np.exp(-time / 0.015)
    wood = 0.01 * _coloured(rng, len(time), 100.0, 2000.0) * 10.0 ** (-6.0 * time / 20.0)
    return np.asarray((wave + hammer + wood) * _gate(time, 0.002, 200.0))
