"""Pictures for the eye, real beside generated: levels, rainbowgrams, waves modulo the period, modulation spectra.

Rainbowgrams show level as brightness and instantaneous frequency as colour, so a steady partial is a line of one
colour. Waves modulo the period lay every period of the held part over the others: where phase is steady they are one
line, where partials drift against each other they smear. Both are the pictures of the GANSynth paper.
"""

import logging
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import hsv_to_rgb
from numpy.typing import NDArray
from torch import Tensor

from synth_app.training.evaluation.measure import ANCHORS, HELD_OUT, Listened, Measurement
from synth_app.training.evaluation.modulation import rates_hz
from synth_app.training.evaluation.subject import HEADS, WHOLE
from synth_app.training.features import LOG_MEL_FLOOR, denormalise
from synth_app.training.feed import Batch
from synth_app.training.harmonics import LOWEST_PITCH
from synth_app.training.pitch import hz_of

SHOWN = 6
RATE_HZ = 16_000
SHOWN_BINS = 512
RANGE_NEPER = 14.0
"""60 dB of level, from the loudest bin down."""
GAMMA = 0.6
WRAP_START, WRAP_SECONDS = 8_000, 2.0
PERIODS, POINTS = 60, 240
REAL = "real"

Image = NDArray[np.float64]


def draw_all(measurement: Measurement, listened: dict[str, Listened], folder: Path) -> None:
    """Draw a few held-out notes in every way, and the modulation spectra of all trained notes."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it warns that its first start takes a moment
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    batch = _some_notes(measurement)
    titles = [
        f"{measurement.gallery.names[anchor]} {pitch + LOWEST_PITCH}"
        for anchor, pitch in zip(batch.anchor.tolist(), batch.pitch.tolist(), strict=True)
    ]
    subject, ear = measurement.subject, measurement.ear
    painted = subject.paint(subject.latents[batch.anchor], batch.pitch)
    waves = {REAL: batch.wave} | {name: ear.codec.decode(*denormalise(picture)) for name, picture in painted.items()}
    heard = {name: ear.standard.encode(wave) for name, wave in waves.items()}
    levels = {name: [rainbowgram(log_mel, None) for log_mel in mels] for name, (mels, _) in heard.items()}
    colours = {name: [rainbowgram(*both) for both in zip(*pictures, strict=True)] for name, pictures in heard.items()}
    _grid(folder / "levels.png", levels, titles, _image)
    _grid(folder / "rainbowgrams.png", {name: colours[name] for name in (REAL, WHOLE)}, titles, _image)
    pitches = (batch.pitch + LOWEST_PITCH).tolist()
    wrapped = {
        name: [wave_modulo(wave.numpy(), pitch) for wave, pitch in zip(waves[name], pitches, strict=True)]
        for name in (REAL, WHOLE)
    }
    _grid(folder / "waves-modulo-period.png", wrapped, titles, _wrapped)
    _spectra(folder / "modulation.png", listened[ANCHORS])


def rainbowgram(log_mel: Tensor, inst_freq: Tensor | None) -> Image:
    """[T, F] level and instantaneous frequency -> RGB image [F, T, 3], frequency upwards; grey without the second.

    Colour is frequency relative to the bin's neighbourhood (it wraps), so a held partial keeps one colour.
    """
    level = log_mel[:, :SHOWN_BINS].clamp_min(LOG_MEL_FLOOR).double().numpy()
    bright = np.clip(1.0 + (level - level.max()) / RANGE_NEPER, 0.0, 1.0) ** GAMMA
    if inst_freq is None:
        return np.repeat(bright.T[:, :, None], 3, axis=2)
    hue = (inst_freq[:, :SHOWN_BINS].double().numpy() * 0.5 + 0.5) % 1.0
    return np.asarray(hsv_to_rgb(np.stack([hue, np.full_like(hue, 0.9), bright], axis=-1).transpose(1, 0, 2)))


def wave_modulo(wave: NDArray[np.float32], pitch: int) -> Image:
    """The held part of a wave cut at every period of its nominal pitch, [periods, points], read between samples."""
    period = RATE_HZ / hz_of(pitch)
    count = min(PERIODS, int(WRAP_SECONDS * RATE_HZ / period) - 1)
    first = np.linspace(0, int(WRAP_SECONDS * RATE_HZ / period) - 1, count).astype(int)
    places = WRAP_START + (first[:, None] + np.linspace(0.0, 1.0, POINTS)) * period
    return np.interp(places, np.arange(len(wave)), wave)


def _some_notes(measurement: Measurement) -> Batch:
    """Held-out notes of instruments far apart in the data set's order, from the middle of the keyboard."""
    kind = HELD_OUT if HELD_OUT in measurement.rows else ANCHORS
    feed = measurement.feeds[kind]
    table = feed.table
    middle = np.flatnonzero(np.abs(table[:, 2] + LOWEST_PITCH - 60) <= 12)
    rows = middle if len(middle) else np.arange(len(table))
    return feed.load(rows[np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).astype(int)])


def _grid(path: Path, rows: dict[str, list[Image]], titles: list[str], draw: Any) -> None:
    """One line of panels for each variant."""
    from matplotlib import pyplot

    shape = (len(rows), len(titles))
    figure, axes = pyplot.subplots(*shape, figsize=(3.2 * shape[1], 2.6 * shape[0]), squeeze=False)
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, image, title in zip(line, images, titles, strict=True):
            draw(axis, image)
            axis.set_title(f"{title}: {name}", fontsize=8)
            axis.axis("off")
    figure.subplots_adjust(0.01, 0.01, 0.99, 1.0 - 0.1 / shape[0], wspace=0.06, hspace=0.14)
    figure.savefig(path, dpi=70)
    pyplot.close(figure)


def _image(axis: Any, image: Image) -> None:
    axis.imshow(image, origin="lower", aspect="auto", interpolation="nearest")


def _wrapped(axis: Any, periods: Image) -> None:
    """Early periods dark, late ones bright."""
    places = np.broadcast_to(np.arange(periods.shape[1]), periods.shape)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.95, len(periods)))
    axis.add_collection(LineCollection(list(np.stack([places, periods], axis=-1)), colors=colours, linewidths=0.6))
    axis.autoscale_view()


def _spectra(path: Path, notes: Listened) -> None:
    """Mean modulation spectra of level and pitch over all notes, real and generated."""
    from matplotlib import pyplot

    rates = rates_hz().numpy()
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.5))
    crowds = {REAL: notes.real} | {name: notes.made[name] for name in (WHOLE, HEADS) if name in notes.made}
    for axis, key, unit in zip(axes, ("level_spectrum", "pitch_spectrum"), ("level, dB", "pitch, cents"), strict=True):
        for name, crowd in crowds.items():
            axis.plot(rates, np.sqrt(np.square(crowd.figures[key]).mean(axis=0)), label=name)
        axis.set(xlabel="modulation, Hz", ylabel=f"RMS of {unit}", ylim=(0, None))
        axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    pyplot.close(figure)
