"""Generators to measure: of random weights, in GANSynth's full width and in half of it.

What a render costs depends on the shapes and not on the weights, so random ones (of the variance that training starts
from) measure every machine the same, whichever models are installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.generator_onnx import open_generator
from synth_app.adapters.model_manifest import (
    GRAPH_NAME,
    AnchorTable,
    CheckTable,
    GraphTable,
    LayerTable,
    Manifest,
    file_sha256,
    write_manifest,
)
from synth_app.adapters.model_store import find_model
from synth_app.adapters.onnx_writer import GraphOptions, write_graph
from synth_app.adapters.onnx_writer_arrays import ONSET_DILATIONS
from synth_app.app.bench.setting import Subject
from synth_app.render.ports import Generator
from synth_app.timbre.anchors import Anchor


class Draw(Protocol):
    """Draws a weight of some shape."""

    def __call__(self, *shape: int, fan_in: int, gain: float = 2.0) -> NDArray[np.float32]: ...


FULL_WIDTH = (256, 256, 256, 256, 128, 64, 32)
"""GANSynth's own."""

HALF_WIDTH = (128, 128, 128, 128, 64, 32, 16)
TINY_WIDTH = (32, 32, 32, 32, 16, 16, 16)
"""For seeing that the benchmark works."""

_LATENT, _PITCHES, _BINS, _FRAMES = 256, 61, 1024, 128
_HIDDEN, _FILM, _RANKS, _PARTIALS, _COSINES = 256, 64, 16, 40, 24
_ONSET_FRAMES, _ONSET_CHANNELS, _ONSET_HIDDEN = 19, 48, 256
_ANCHORS = ("Alder", "Birch", "Cedar", "Elm", "Hazel", "Linden")


def make_subjects(folder: Path, quick: bool, seed: int) -> list[Subject]:
    """Write the random generators into ``folder``."""
    if quick:
        return [write_random_model(folder / "tiny", "an eighth of the width", TINY_WIDTH, seed, judged=False)]
    return [
        write_random_model(folder / "full", "full width", FULL_WIDTH, seed),
        write_random_model(folder / "half", "half width", HALF_WIDTH, seed),
    ]


def default_model_installed() -> bool:
    """Whether the whole program can be measured with a trained model; else it plays its built-in partials."""
    return find_model("") is not None


def open_subject(subject: Subject) -> tuple[Generator, tuple[Anchor, ...]]:
    """The generator as the instrument opens it (on the CPU), and its anchors."""
    generator = open_generator(subject.directory, "cpu")
    return generator, generator.manifest.timbre_anchors()


def write_random_model(
    directory: Path, name: str, channels: tuple[int, ...], seed: int, *, judged: bool = True
) -> Subject:
    """Write a model directory with random weights and a few anchors."""
    directory.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    arrays = dict(random_arrays(channels, rng))
    (directory / GRAPH_NAME).write_bytes(write_graph(arrays, GraphOptions(_PARTIALS, _COSINES)))
    anchors = [
        AnchorTable(name=anchor, family=f"Family {i}", layers=[LayerTable(velocity=100, code=_code(rng))])
        for i, anchor in enumerate(_ANCHORS)
    ]
    graph = GraphTable(sha256=file_sha256(directory / GRAPH_NAME), partials=_PARTIALS, cosines=_COSINES)
    manifest = Manifest(
        name=name.replace(" ", "-"), licence="CC0-1.0", attribution="random numbers", phase_convention="centred",
        graph=graph, check=CheckTable(anchor=_ANCHORS[0], rms=1.0), anchors=anchors,
    )  # fmt: skip
    write_manifest(directory, manifest)
    return Subject(name, directory, wide=channels == FULL_WIDTH, judged=judged)


def random_arrays(channels: tuple[int, ...], rng: np.random.Generator) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every array of a generator with all its heads, by name, each at the variance that training starts from."""

    def draw(*shape: int, fan_in: int, gain: float = 2.0) -> NDArray[np.float32]:
        return np.asarray(rng.standard_normal(shape) * np.sqrt(gain / fan_in), np.float32)

    inputs, below = _LATENT + _PITCHES, channels[0]
    yield "block1.conv0.weight", draw(inputs, channels[0] * 32, fan_in=inputs)
    for block, width in enumerate(channels, 1):
        for conv in (0, 1):
            if (block, conv) != (1, 0):
                yield f"block{block}.conv{conv}.weight", draw(width, below, 3, 3, fan_in=9 * below)
            yield f"block{block}.conv{conv}.bias", np.zeros(width, np.float32)
            for part in ("scale", "shift"):
                yield f"film.block{block}.conv{conv}.{part}.weight", draw(_FILM, width, fan_in=_FILM, gain=0.01)
                yield f"film.block{block}.conv{conv}.{part}.bias", np.zeros(width, np.float32)
            below = width
        yield f"harm.block{block}.weight", draw(width, 16, fan_in=16, gain=0.01)
    yield "rgb.weight", draw(2, channels[-1], fan_in=channels[-1], gain=0.01)
    yield "rgb.bias", np.array([-0.5, 0.0], np.float32)
    yield "pitch_bias", draw(_PITCHES, 2, _BINS, fan_in=1, gain=0.01)
    yield "side.m1.weight", draw(inputs, _HIDDEN, fan_in=inputs)
    yield "side.m1.bias", np.zeros(_HIDDEN, np.float32)
    yield "side.m2.weight", draw(_HIDDEN, _HIDDEN, fan_in=_HIDDEN)
    yield "side.m2.bias", np.zeros(_HIDDEN, np.float32)
    basis = _PARTIALS + 2 * _COSINES
    for head, size in (("time", _FRAMES), ("env", basis)):
        yield f"head.{head}.weight", draw(_HIDDEN, 2 * _RANKS * size, fan_in=_HIDDEN, gain=0.01)
        yield f"head.{head}.bias", np.zeros(2 * _RANKS * size, np.float32)
    yield "head.basis_scale", np.ones(basis, np.float32)
    yield from _random_onset(draw, inputs, basis)


def _random_onset(draw: Draw, inputs: int, basis: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The arrays of an onset, in the sizes that the trainer gives it."""
    hidden, channels, pictures = _ONSET_HIDDEN, _ONSET_CHANNELS, 2 * _ONSET_FRAMES
    entering = 16 + pictures
    weights = {
        "m1": draw(inputs, hidden, fan_in=inputs),
        "m2": draw(hidden, hidden, fan_in=hidden),
        "env": draw(hidden, pictures * basis, fan_in=hidden, gain=0.01),
        "enter": draw(channels, entering, 1, 1, fan_in=entering),
        "colour": draw(pictures, channels, 1, 1, fan_in=channels, gain=0.01),
    }
    for block in range(1, len(ONSET_DILATIONS) + 1):
        for conv in (0, 1):
            weights[f"block{block}.conv{conv}"] = draw(channels, channels, 1, 3, fan_in=3 * channels)
        for part in ("scale", "shift"):
            weights[f"block{block}.{part}"] = draw(hidden, channels, fan_in=hidden, gain=0.01)
    for name, weight in weights.items():
        yield f"onset.{name}.weight", weight
        dense = weight.ndim == 2
        yield f"onset.{name}.bias", np.zeros(weight.shape[1 if dense else 0], np.float32)


def random_latents(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Latents as a player's morphs give them, float32 ``[count, latent]``."""
    return rng.standard_normal((count, _LATENT)).astype(np.float32)


def _code(rng: np.random.Generator) -> list[float]:
    return [float(value) for value in rng.standard_normal(_LATENT).astype(np.float32)]
