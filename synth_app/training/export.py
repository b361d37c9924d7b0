"""From a trained voice to a model that the instrument can play, proven on the way out.

The weights go as plain arrays to the same torch-free writer that imports use; then the finished directory is opened as
a player would open it, and its note is compared with torch's.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from synth_app.adapters.generator_onnx import OnnxGenerator
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
from synth_app.adapters.model_store import verify_model
from synth_app.adapters.onnx_writer import GraphOptions, write_graph
from synth_app.core.errors import ModelError, SettingsError
from synth_app.training.arrays import to_arrays
from synth_app.training.codec import codec_for
from synth_app.training.data import Dataset
from synth_app.training.describe import Description, describe
from synth_app.training.evaluation.report import as_markdown, read_report
from synth_app.training.features import denormalise
from synth_app.training.feed import NoteFeed
from synth_app.training.harmonics import LOWEST_PITCH, PITCH_COUNT
from synth_app.training.representation import Representation
from synth_app.training.runs import load_voice, net_is_trained
from synth_app.training.voice import Voice

CHECK_PITCH = 60
SILENT_NET = (
    "The convolutional net of this model is not trained yet and adds nothing: what sounds are its harmonic heads and "
    "its pitch map. Training goes on from this model with the net."
)
ATTRIBUTION_LENGTH = 100
TOLERANCE = 0.01
"""Mean difference from torch in a normalised picture that half-precision weights may make (single points, where a
pixel norm divides by almost nothing, may be further off)."""
DIGITS = 4


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Where to and under which names.

    Attributes:
        out_dir: the model directory; made or overwritten.
        licence, attribution: of the weights, for ``model.toml`` and the card.
        seed: draws the noise that all anchors share.
        report: the evaluation's table for the card (Markdown), if there is one.
        facts: about the training, for ``model.toml``.
    """

    out_dir: Path
    name: str = "default"
    description: str = "Acoustic and electronic instruments of General MIDI, learnt from free soundfonts."
    licence: str = "GPL-3.0-or-later"
    attribution: str = "Trained on notes rendered from the user's own sources."
    seed: int = 5
    report: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def export_model(run: Path, dataset: Path, out: Path, report: Path | None = None) -> Manifest:
    """Export the newest checkpoint of a run; the folder's name is the model's.

    ``report`` is a folder that ``evaluate_model`` filled; its table goes on the card.

    Raises:
        CheckpointError, FileFormatError, SettingsError: what is on disk cannot be used.
        ModelError: the written model does not play what torch plays.
    """
    notes = Dataset.open(dataset)
    feed = NoteFeed(notes, waves=True)
    voice, checkpoint = load_voice(run, feed)
    facts: dict[str, Any] = {
        "samples_seen": checkpoint.config.before + checkpoint.samples_seen,
        "notes": len(feed), "anchors": len(feed.anchors),
        "channels": list(checkpoint.config.model.channels), "convolutions_trained": net_is_trained(checkpoint),
        "sources": list(notes.sources),
    }  # fmt: skip
    table = as_markdown(read_report(report)) if report is not None else ""
    attribution = f"Notes from {', '.join(notes.sources)}"[:ATTRIBUTION_LENGTH]
    if any("MuseScore_General" in source for source in notes.sources):
        attribution = "Notes from MuseScore_General (MIT, S. Christian Collins; FluidR3: Frank Wen); see NOTICE"
    options = ExportOptions(out, out.name, attribution=attribution, report=table, facts=facts)
    return export_voice(voice, feed, options)


def export_voice(voice: Voice, feed: NoteFeed, options: ExportOptions) -> Manifest:
    """Write ``generator.onnx``, ``model.toml`` and ``README.md``, open the result and compare a note with torch.

    ``feed`` gives the anchors' names and, through its waves, their descriptors.

    Raises:
        ModelError: the written model does not play what torch plays.
        SettingsError: the instrument has no decoder for what the voice paints.
    """
    config = voice.generator.config
    if config.representation.convention is None:
        raise SettingsError(
            f"The instrument has no decoder for the representation {config.representation.name!r}: export voices that "
            "paint mel-centred or mel-magenta at high resolution."
        )
    options.out_dir.mkdir(parents=True, exist_ok=True)
    precision = _precision(config.representation)
    graph = write_graph(to_arrays(voice.generator), GraphOptions(config.partials, config.cosines), precision)
    (options.out_dir / GRAPH_NAME).write_bytes(graph)
    manifest = _manifest(voice, feed, options)
    write_manifest(options.out_dir, manifest)
    _compare(voice, manifest, options.out_dir)
    verify_model(str(options.out_dir))
    (options.out_dir / "README.md").write_text(card(manifest, options))
    return manifest


def _manifest(voice: Voice, feed: NoteFeed, options: ExportOptions) -> Manifest:
    config = voice.generator.config
    rng = np.random.default_rng(options.seed)
    tail = rng.standard_normal(config.latent_size - config.code_size).round(DIGITS).tolist()
    with torch.no_grad():
        codes = voice.white_codes().numpy().astype(np.float64).round(DIGITS)
    anchors = _anchors(feed, codes)
    first = anchors[0]
    rms = _torch_note(voice, np.array([*first.layers[0].code, *tail], np.float32))[1]
    return Manifest(
        name=options.name, description=options.description, licence=options.licence, attribution=options.attribution,
        latent_size=config.latent_size, lowest_pitch=LOWEST_PITCH, highest_pitch=LOWEST_PITCH + PITCH_COUNT - 1,
        phase_convention=config.representation.convention or "centred", shared_tail=tail, anchors=anchors,
        training=options.facts,
        graph=GraphTable(
            sha256=file_sha256(options.out_dir / GRAPH_NAME), precision=_precision(config.representation),
            partials=config.partials, cosines=config.cosines,
        ),
        check=CheckTable(anchor=first.name, layer=0, pitch=CHECK_PITCH, rms=rms),
    )  # fmt: skip


def _precision(representation: Representation) -> Literal["fp16", "fp32"]:
    """Half the bytes do for us. Magenta's decoder sums every bin's phase alone, so rounding adds up over a note."""
    return "fp32" if representation.kind == "mel-magenta" else "fp16"


def _anchors(feed: NoteFeed, codes: NDArray[np.float64]) -> list[AnchorTable]:
    """One entry for each instrument, its layers by rising velocity; described by its loudest layer."""
    layers: dict[str, list[LayerTable]] = {}
    described: dict[str, Description] = {}
    families: dict[str, str] = {}
    for index, anchor in enumerate(feed.anchors):
        name = anchor.instrument.name
        layers.setdefault(name, []).append(LayerTable(velocity=anchor.velocity, code=codes[index].tolist()))
        described[name], families[name] = describe(feed, index), anchor.instrument.family.capitalize()
    return [
        AnchorTable(
            name=name, family=families[name], layers=layers[name],
            tags=list(described[name].tags), descriptors=described[name].descriptors,
        )
        for name in layers
    ]  # fmt: skip


@torch.no_grad()
def _torch_note(voice: Voice, latent: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """(normalised picture [2, T, F], RMS of the decoded wave) of the fixed note."""
    pitch = torch.tensor([CHECK_PITCH - LOWEST_PITCH])
    picture = voice.generator(torch.from_numpy(latent)[None], pitch)
    config = voice.generator.config
    wave = codec_for(config.representation, config.spectral).decode(*denormalise(picture))
    return picture[0].numpy(), float(wave.square().mean().sqrt())


def _compare(voice: Voice, manifest: Manifest, directory: Path) -> None:
    wanted, _ = _torch_note(voice, manifest.check_latent)
    generator = OnnxGenerator(directory, "cpu")
    try:
        frames = generator.render(manifest.check_latent[None], np.array([CHECK_PITCH]), 0, manifest.frames)
    finally:
        generator.close()
    n = manifest.normaliser
    made = np.stack([frames.log_mel[0] * n.mag_scale + n.mag_offset, frames.inst_freq[0] * n.if_scale + n.if_offset])
    difference = float(np.abs(made - wanted).mean())
    if difference > TOLERANCE:
        raise ModelError(
            f"The exported model differs from torch by {difference:.3f} on average: do not ship {directory}."
        )


def card(manifest: Manifest, options: ExportOptions) -> str:
    """The model's page for people."""
    families: dict[str, list[str]] = {}
    for anchor in manifest.anchors:
        families.setdefault(anchor.family, []).append(anchor.name)
    facts = "\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in manifest.training.items())
    silent = manifest.training.get("convolutions_trained") is False
    lines = [
        f"# {manifest.name}", manifest.description,
        *([SILENT_NET] if silent else []),
        f"A GANSynth generator with harmonic heads: {len(manifest.anchors)} anchors, MIDI notes "
        f"{manifest.lowest_pitch} to {manifest.highest_pitch}, 4 s at {manifest.sample_rate_hz} Hz, "
        f"phase convention \"{manifest.phase_convention}\".",
        "## Anchors", "\n".join(f"- **{family}**: {', '.join(names)}" for family, names in families.items()),
        "## Training", facts or "Not recorded.",
        "## Measured", options.report.strip() or "Not measured.",
        "## Licence", f"{manifest.licence}.", manifest.attribution,
    ]  # fmt: skip
    return "\n\n".join(lines) + "\n"
