"""The code of a sound that a model was not trained on, found by descending from the nearest timbre it knows.

The generator stays as it is. What is looked for is one code with which it paints a few given notes at their pitches;
whatever the code then says at all other pitches is the model's guess at the rest of the instrument (Bojanowski et al.,
"Optimizing the latent space of generative networks", ICML 2018, do the same for pictures).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth_app.adapters.model_manifest import AnchorTable, LayerTable, Manifest, read_manifest, write_manifest
from synth_app.adapters.onnx_writer import read_arrays
from synth_app.core.errors import SettingsError
from synth_app.training.arrays import load_arrays, sizes_of
from synth_app.training.codec import codec_for
from synth_app.training.data import good_note, normalise_loudness
from synth_app.training.describe import measure, words
from synth_app.training.features import picture_of
from synth_app.training.harmonics import LOWEST_PITCH
from synth_app.training.losses import picture_loss
from synth_app.training.model import Generator
from synth_app.training.sources import InstrumentSource, wave_folder_instruments

DIGITS = 4


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to look.

    Attributes:
        steps: of the descent. rate: Adam's step size, in units of a code's spread, falling to a tenth.
        notes: of the instrument, spread over its range. batch: of them in a step.
        pull: towards zero, as codes are drawn from N(0, I): keeps the code where the model has learnt to paint.
        if_weight: of the frequencies beside the levels.
        seed: draws the order of the notes.
    """

    steps: int = 200
    rate: float = 0.05
    notes: int = 8
    batch: int = 4
    pull: float = 1e-4
    if_weight: float = 0.25
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Fit:
    """A code, and the loss over all notes before (at the nearest known timbre) and after the descent."""

    code: NDArray[np.float32]
    nearest: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Notes:
    """What is to be found: pitch index [N] and picture [N, 2, T, F]."""

    pitch: Tensor
    picture: Tensor


def fit_code(generator: Generator, codes: Tensor, tail: Tensor, notes: Notes, options: FitOptions | None = None) -> Fit:
    """Find the code [code_size] that paints some notes.

    Args:
        generator: is not changed.
        codes: of the timbres it knows, [anchors, code_size]; the descent begins at the best of them.
        tail: the rest of every latent, [latent - code_size].
        notes: of the new instrument.
        options: how to look.
    """
    options = options or FitOptions()
    rng = np.random.default_rng(options.seed)

    def loss(code: Tensor, some: Tensor, paint: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        latent = torch.cat([code, tail]).expand(len(some), -1)
        parts = picture_loss(paint(latent, notes.pitch[some]), notes.picture[some])
        return parts.magnitude + options.if_weight * parts.inst_freq

    everything = torch.arange(len(notes.pitch))
    cheap = generator.heads_only if generator.head is not None else generator
    net_speaks = bool(generator.rgb.weight.any() or generator.rgb.bias.any())
    paint = generator if net_speaks or generator.head is None else generator.heads_only
    with torch.no_grad():
        nearest = int(torch.stack([loss(code, everything, cheap) for code in codes]).argmin())
        before = float(loss(codes[nearest], everything, paint))
    code = codes[nearest].detach().clone().requires_grad_()
    best, least = code.detach().clone(), before
    optimiser = torch.optim.Adam([code], lr=options.rate)
    for step in range(options.steps):
        optimiser.param_groups[0]["lr"] = options.rate * (1.0 - 0.9 * step / options.steps)
        some = torch.from_numpy(rng.permutation(len(everything))[: options.batch])
        (slope,) = torch.autograd.grad(loss(code, some, paint) + options.pull * code.square().sum(), code)
        code.grad = slope
        optimiser.step()
    with torch.no_grad():
        after = float(loss(code, everything, paint))
    if after < least:
        best, least = code.detach(), after
    return Fit(best.numpy().astype(np.float32), nearest, before, least)


def add_anchor(model: Path, source: InstrumentSource, options: FitOptions | None = None) -> Fit:
    """Find an instrument's code in a model folder and write it into ``model.toml`` as an anchor.

    Raises:
        ModelError: the folder is no model.
        SettingsError: the model has an anchor of this name, or too few of the instrument's notes are in tune.
    """
    options = options or FitOptions()
    manifest = read_manifest(model)
    if any(anchor.name == source.name for anchor in manifest.anchors):
        raise SettingsError(f"{model} has an anchor named {source.name} already: rename the folder of recordings.")
    arrays = read_arrays((model / manifest.graph.file).read_bytes())
    sizes = sizes_of(manifest, arrays)
    generator = Generator(sizes).eval()
    load_arrays(generator, arrays)
    pitches, waves, velocity = _good_notes(source, options.notes)
    codec = codec_for(sizes.representation, sizes.spectral)
    pictures = picture_of(torch.from_numpy(waves), codec.encode).float()
    codes = torch.tensor([layer.code for anchor in manifest.anchors for layer in anchor.layers], dtype=torch.float32)
    tail = torch.tensor(manifest.shared_tail, dtype=torch.float32)
    fit = fit_code(generator, codes, tail, Notes(torch.from_numpy(pitches - LOWEST_PITCH), pictures), options)
    measured = [measure(wave, int(pitch)) for wave, pitch in zip(waves, pitches, strict=True)]
    descriptors = {name: round(float(np.median([one[name] for one in measured])), 3) for name in measured[0]}
    anchor = AnchorTable(
        name=source.name, family=source.family.capitalize(), tags=["fitted", *words(descriptors)],
        descriptors=descriptors, layers=[LayerTable(velocity=velocity, code=np.round(fit.code, DIGITS).tolist())],
    )  # fmt: skip
    write_manifest(model, _with(manifest, anchor))
    return fit


def add_recordings(model: Path, folder: Path, options: FitOptions | None = None) -> dict[str, Fit]:
    """Fit every instrument of a folder of WAVs named by pitch (or of such folders); returns the fits by name.

    Raises:
        FileFormatError, ModelError, SettingsError: as for ``add_anchor``, or there are no such files.
    """
    return {source.name: add_anchor(model, source, options) for source in wave_folder_instruments(folder)}


def _good_notes(source: InstrumentSource, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Pitches [N], levelled waves [N, 64000] and velocity of an instrument's loudest good notes, evenly spread."""
    good = [note for note in source.notes() if good_note(note.wave, note.pitch) is not None]
    if not good:
        raise SettingsError(f"No note of {source.name} is in tune at its pitch: check the names of the recordings.")
    velocity = max(note.velocity for note in good)
    loud = sorted((note for note in good if note.velocity == velocity), key=lambda note: note.pitch)
    places = np.unique(np.linspace(0, len(loud) - 1, min(count, len(loud))).round().astype(int))
    chosen = [loud[place] for place in places]
    waves = np.stack([normalise_loudness(note.wave) for note in chosen])
    return np.array([note.pitch for note in chosen], np.int64), waves, velocity


def _with(manifest: Manifest, anchor: AnchorTable) -> Manifest:
    return manifest.model_copy(update={"anchors": [*manifest.anchors, anchor]})
