"""Ten anchors of the shipped model, held for thirty seconds and measured.

``python -m tests.unit.dsp.anchors`` prints the table of ``docs/adr/0010-sustain-and-release.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.generator_onnx import OnnxGenerator
from synth_app.dsp import figures
from synth_app.dsp.sustain import Sustain, SustainWalk
from synth_app.spectral.mel import mel_table
from synth_app.spectral.streaming import StreamingDecoder

from .conftest import CONFIG, FIRST, HOP, LAST, RATE_HZ, Note, middle_of, start_of

MODEL = Path(__file__).parents[3] / "models" / "default"
HELD_S = 30.0
WALKS = 12
CHANCES = 96
ANCHORS = (
    ("Violin", 69), ("String Section", 60), ("Flute", 72), ("Clarinet", 60), ("Trumpet", 65), ("Church Organ", 48),
    ("Shakuhachi", 67), ("Grand Piano", 36), ("Nylon Guitar", 55), ("Fingered Bass", 36),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """The figures of one anchor; see ``synth_app.dsp.figures``. ``until_s``: when it had died, or the end."""

    name: str
    pitch: int
    until_s: float
    picture: figures.Texture
    sound: figures.Texture
    join: float
    repetition: float
    own_repetition: float
    chance_repetition: float
    cents: float
    largest_step_db: float
    own_steps_db: NDArray[np.float64]


def anchors() -> Iterator[tuple[str, int, Note]]:
    """Name, pitch and note of each."""
    generator = OnnxGenerator(MODEL, "cpu", 1)
    blank = StreamingDecoder(CONFIG, "centred", start_frame=CONFIG.pad_frames, table=mel_table(CONFIG))
    latents = {anchor.name: anchor.layers[-1].latent for anchor in generator.manifest.timbre_anchors()}
    try:
        for name, pitch in ANCHORS:
            frames = generator.render(latents[name][None], np.array([pitch], np.int64), 0, CONFIG.frames)
            frequency_hz = 440.0 * 2.0 ** ((pitch - 69) / 12.0)
            yield name, pitch, Note(frames.log_mel[0], frames.inst_freq[0], frequency_hz, blank)
    finally:
        generator.close()


def hold(name: str, pitch: int, note: Note) -> Held:
    """Hold an anchor and measure it from 4 s on, or from the join where it dies sooner."""
    frames, wave = carried_on(note, seed=1)
    own = note.play()
    held, join, loudest = own[middle_of(FIRST) : middle_of(LAST)], start_of(LAST), figures.loudest_band_db(own, HOP)
    end = figures.audible_until(wave, RATE_HZ)
    start = 4 * RATE_HZ if end > 6 * RATE_HZ else join + HOP
    around = figures.compare(held, wave[join - len(held) // 2 : join + len(held) // 2 + HOP], HOP, loudest)
    middle = len(around.steps) // 2
    return Held(
        name, pitch, end / RATE_HZ,
        figures.compare_pictures(note.held, frames, note.loudest),
        figures.compare(held, wave[start:end], HOP, loudest),
        float(around.steps[middle - 4 : middle + 4].max()),
        float(np.mean([repetition(carried_on(note, seed)[1]) for seed in range(1, WALKS + 1)])),
        figures.repetition(own[3200 : 3 * RATE_HZ - 2 * HOP], RATE_HZ),
        figures.chance_repetition(wave[3200:end], RATE_HZ, CHANCES, np.random.default_rng(1)),
        figures.cents_apart(wave[start:end], held, note.frequency_hz, RATE_HZ),
        float(figures.steps_db(wave[join - 3 * HOP : end], HOP, loudest).max()),
        figures.steps_db(own, HOP, loudest),
    )  # fmt: skip


def carried_on(note: Note, seed: int) -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]:
    """The frames of a walk and the whole sound, from the note's start on."""
    drift = note.decoder_at(FIRST).drift(note.log_mel[FIRST:LAST], note.inst_freq[FIRST:LAST])
    walk = SustainWalk(Sustain(note.log_mel, note.inst_freq, FIRST, LAST, drift=drift), np.random.default_rng(seed))
    frames = walk.next(round(HELD_S * RATE_HZ / HOP) - LAST + CONFIG.pad_hops)
    return frames, np.concatenate([note.play(LAST), note.decoder_at(LAST).push(*frames)])


def repetition(wave: NDArray[np.float32]) -> float:
    """Of a note from .2 s on, as long as it is heard; few seconds agree by chance, so many walks are averaged."""
    return figures.repetition(wave[3200 : figures.audible_until(wave, RATE_HZ)], RATE_HZ)


def main() -> None:
    """Print the table."""
    write = sys.stdout.write
    columns = ("anchor", "until s", "picture: level, flux, noise, greatest step", "sound: level, flux, noise",
               "steps: p99, greatest", "join", "repetition (own, chance)", "cents")  # fmt: skip
    write(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n")
    rows = [hold(*anchor) for anchor in anchors()]
    for r in rows:
        p, s = r.picture, r.sound
        write(f"| {r.name} {r.pitch} | {r.until_s:.1f} | {p.deviation:.2f} {p.flux:.2f} {p.noisiness:.2f} ")
        write(f"{p.steps.max():.3f} | {s.deviation:.2f} {s.flux:.2f} {s.noisiness:.2f} | ")
        write(f"{np.percentile(s.steps, 99):.2f} {s.steps.max():.2f} | {r.join:.2f} | ")
        write(f"{r.repetition:.2f} ({r.own_repetition:.2f}, {r.chance_repetition:.2f}) | {r.cents:+.2f} |\n")
    pooled = float(np.percentile(np.concatenate([r.own_steps_db for r in rows]), 99))
    largest = max(r.largest_step_db for r in rows)
    write(
        f"\n99th percentile of all ten notes' own steps {pooled:.2f} dB; greatest of a continuation {largest:.2f} dB\n"
    )


if __name__ == "__main__":
    main()
