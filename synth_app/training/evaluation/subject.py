"""What is measured: a generator and its anchors, from a run's newest checkpoint or from an exported model's folder."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synth_app.adapters.model_manifest import MANIFEST_NAME, read_manifest
from synth_app.adapters.onnx_writer import read_arrays
from synth_app.core.errors import SettingsError
from synth_app.training.arrays import load_arrays, sizes_of
from synth_app.training.codec import TorchCodec, codec_for
from synth_app.training.data import Dataset
from synth_app.training.feed import Anchor, NoteFeed, anchors_of
from synth_app.training.model import Generator
from synth_app.training.runs import load_voice
from synth_app.training.voice import Voice

WHOLE, NO_ONSET, HEADS, NET = "whole", "without the onset net", "heads alone", "net alone"
TAIL_SEED = 5
"""The draw of noise that all anchors share; an exported model brings its own."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A generator on the scales.

    Attributes:
        name: for the report.
        latents: of the anchors, [anchors, latent_size], in the order of ``anchors``.
        anchors: the data set's anchors that the generator knows.
        facts: for the report.
    """

    name: str
    generator: Generator
    latents: Tensor
    anchors: tuple[Anchor, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def net_speaks(self) -> bool:
        """Whether the convolutions add anything."""
        return bool(self.generator.rgb.weight.any() or self.generator.rgb.bias.any())

    @property
    def codec(self) -> TorchCodec:
        """What turns its pictures into sound."""
        config = self.generator.config
        return codec_for(config.representation, config.spectral)

    @property
    def variants(self) -> tuple[str, ...]:
        """The parts that are measured apart; where one of them is silent, only the whole."""
        if not self.net_speaks or self.generator.head is None:
            return (WHOLE,)
        return (WHOLE, HEADS, NET) if self.generator.onset is None else (WHOLE, NO_ONSET, HEADS, NET)

    @torch.no_grad()
    def paint(self, latent: Tensor, pitch: Tensor) -> dict[str, Tensor]:
        """Pictures [B, 2, T, F] of every variant; the convolutions run once. All keep the bias map of the pitch."""
        generator = self.generator
        if not self.net_speaks:
            return {WHOLE: generator.heads_only(latent, pitch)}
        base, h = generator.base(latent, pitch)
        net = generator.paint(latent, pitch, h).float()
        painted = torch.tanh(base + net)
        pictures = {WHOLE: generator.with_onset(painted, latent, pitch)}
        if generator.onset is not None:
            pictures[NO_ONSET] = painted
        if generator.head is not None:
            pictures[HEADS] = torch.tanh(base)
            pictures[NET] = torch.tanh(generator.pitch_bias[pitch][:, :, None] + net)
        return pictures


def open_subject(source: Path, dataset: Dataset) -> tuple[Subject, Dataset]:
    """Open a run or an exported model, and the part of a data set that it was trained on.

    Raises:
        CheckpointError, ModelError: what is in the folder cannot be used.
        SettingsError: it knows other instruments than the data set.
    """
    if (source / MANIFEST_NAME).exists():
        return _from_model(source, dataset)
    voice, checkpoint = load_voice(source, NoteFeed(dataset))
    facts = {"samples seen": checkpoint.config.before + checkpoint.samples_seen}
    return subject_of(voice, anchors_of(dataset), source.name, facts), dataset


@torch.no_grad()
def subject_of(
    voice: Voice, anchors: tuple[Anchor, ...], name: str = "voice", facts: dict[str, Any] | None = None
) -> Subject:
    """A voice with its codes as they would be exported: each with the same draw of noise behind it."""
    config = voice.generator.config
    tail = np.random.default_rng(TAIL_SEED).standard_normal(config.latent_size - config.code_size)
    noise = torch.cat([torch.zeros(config.code_size), torch.from_numpy(tail).float()])
    count = len(anchors)
    latents = voice.latents(torch.arange(count), noise.expand(count, -1), 0.0)
    return Subject(name, voice.generator.eval(), latents, anchors, facts or {})


def _from_model(source: Path, dataset: Dataset) -> tuple[Subject, Dataset]:
    manifest = read_manifest(source)
    known = {(anchor.name, layer.velocity): layer.code for anchor in manifest.anchors for layer in anchor.layers}
    part = dataset.named([anchor.name for anchor in manifest.anchors])
    anchors = anchors_of(part)
    missing = [anchor.instrument.name for anchor in anchors if (anchor.instrument.name, anchor.velocity) not in known]
    if missing or not anchors:
        what = f"lacks {missing[0]}" if missing else "knows none of its instruments"
        raise SettingsError(
            f"{source} was not trained on {dataset.root} ({what}): name the data set it was trained on."
        )
    arrays = read_arrays((source / manifest.graph.file).read_bytes())
    generator = Generator(sizes_of(manifest, arrays))
    load_arrays(generator, arrays)
    codes = [known[anchor.instrument.name, anchor.velocity] for anchor in anchors]
    latents = torch.from_numpy(np.stack([manifest.latent(code) for code in codes]))
    facts = {name.replace("_", " "): manifest.training[name] for name in ("samples_seen",) if name in manifest.training}
    return Subject(manifest.name, generator.eval(), latents, anchors, facts), part
