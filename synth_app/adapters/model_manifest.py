"""``model.toml``: the contract between whoever makes a model (trainer, importer) and the instrument that plays it.

A model is a directory: the graph (``generator.onnx``), this file, and a card for people (``README.md``). Everything
the instrument needs to know without reading the graph stands here, and is checked against a schema.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tomli_w
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from synth_app.adapters.onnx_writer_arrays import GraphOptions
from synth_app.core.errors import ModelError
from synth_app.spectral.config import SpectralConfig
from synth_app.timbre.anchors import Anchor, Layer

SCHEMA_VERSION = 1
MANIFEST_NAME = "model.toml"
GRAPH_NAME = "generator.onnx"

Name = Annotated[str, Field(min_length=1, max_length=100)]
Words = Annotated[str, Field(min_length=1, max_length=4000)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Pitch = Annotated[int, Field(ge=0, le=127)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NormaliserTable(_Table):
    """normalised = scale * physical + offset. The defaults are GANSynth's."""

    mag_scale: Finite = 0.0661371661726
    mag_offset: Finite = 0.113718730221
    if_scale: Finite = 0.8
    if_offset: Finite = 0.0


class GraphTable(_Table):
    """The graph file.

    Attributes:
        file: beside ``model.toml``. sha256: of it; also the model's identity in note keys.
        precision: of the stored weights. partials, cosines: sizes of the harmonic basis.
    """

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\.onnx$")] = GRAPH_NAME
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    precision: Literal["fp16", "fp32"] = "fp16"
    partials: Annotated[int, Field(ge=0, le=512)] = 32
    cosines: Annotated[int, Field(ge=0, le=512)] = 20


class CheckTable(_Table):
    """One fixed note and the RMS that it must have once decoded (whole note, full scale 1)."""

    anchor: Name
    layer: Annotated[int, Field(ge=0)] = 0
    pitch: Pitch = 60
    rms: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class LayerTable(_Table):
    """An anchor's code for strokes around one velocity; the shared tail completes it to a latent."""

    velocity: Annotated[int, Field(ge=1, le=127)]
    code: list[Finite]


class AnchorTable(_Table):
    """A named timbre."""

    name: Name
    family: Name
    tags: list[str] = Field(default_factory=list)
    descriptors: dict[str, Finite] = Field(default_factory=dict)
    layers: Annotated[list[LayerTable], Field(min_length=1)]


class Manifest(_Table):
    """Everything in ``model.toml``.

    Attributes:
        release_frame: first frame of the note's own release, by window centre.
        pad_frames: leading frames that hold only padding.
        shared_tail: one fixed noise draw, the end of every anchor's latent (empty when codes are full latents).
        training, notes: facts for people.
    """

    schema_version: Literal[1] = 1
    name: Name
    description: str = ""
    licence: Words
    attribution: Words
    latent_size: Annotated[int, Field(ge=1, le=4096)] = 256
    lowest_pitch: Pitch = 24
    highest_pitch: Pitch = 84
    sample_rate_hz: Annotated[int, Field(ge=8000, le=192000)] = 16000
    frames: Annotated[int, Field(ge=4, le=4096)] = 128
    bins: Annotated[int, Field(ge=32, le=8192)] = 1024
    fft_size: Annotated[int, Field(ge=64, le=16384)] = 2048
    hop_samples: Annotated[int, Field(ge=16, le=4096)] = 512
    pad_frames: Annotated[int, Field(ge=0)] = 3
    release_frame: Annotated[int, Field(ge=1)] = 98
    phase_convention: Literal["magenta", "centred"]
    normaliser: NormaliserTable = NormaliserTable()
    graph: GraphTable
    check: CheckTable
    training: dict[str, Any] = Field(default_factory=dict)
    notes: dict[str, Any] = Field(default_factory=dict)
    shared_tail: list[Finite] = Field(default_factory=list)
    anchors: Annotated[list[AnchorTable], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits(self) -> Manifest:
        if self.highest_pitch < self.lowest_pitch:
            raise ValueError("highest_pitch is below lowest_pitch")
        if not self.pad_frames < self.release_frame <= self.frames:
            raise ValueError("release_frame must lie after pad_frames and within frames")
        if self.fft_size != 2 * self.bins or self.fft_size != 4 * self.hop_samples:
            raise ValueError("fft_size must be twice bins and four hop_samples")
        names = [anchor.name for anchor in self.anchors]
        if len(set(names)) != len(names):
            raise ValueError("two anchors have the same name")
        for anchor in self.anchors:
            for layer in anchor.layers:
                size = len(layer.code)
                if not self.latent_size - len(self.shared_tail) <= size <= self.latent_size:
                    raise ValueError(f"a code of {anchor.name!r} does not complete to {self.latent_size} values")
        checked = next((anchor for anchor in self.anchors if anchor.name == self.check.anchor), None)
        if checked is None or self.check.layer >= len(checked.layers):
            raise ValueError("the note to check names no anchor and layer of this model")
        if not self.lowest_pitch <= self.check.pitch <= self.highest_pitch:
            raise ValueError("the note to check lies outside the pitch range")
        return self

    @property
    def graph_options(self) -> GraphOptions:
        """What the graph writer needs beside the arrays."""
        pitches = self.highest_pitch - self.lowest_pitch + 1
        n = self.normaliser
        return GraphOptions(self.graph.partials, self.graph.cosines, self.lowest_pitch, pitches, n.mag_scale,
                            n.mag_offset, n.if_scale, n.if_offset, self.sample_rate_hz)  # fmt: skip

    @property
    def spectral(self) -> SpectralConfig:
        """The geometry of its picture."""
        pad_samples = (self.pad_frames - 1) * self.hop_samples + self.fft_size
        return SpectralConfig(self.sample_rate_hz, self.fft_size, self.hop_samples, self.frames, self.bins, pad_samples)

    def latent(self, code: list[float]) -> NDArray[np.float32]:
        """A code completed by the shared noise draw, float32 ``[latent_size]``: ``concat(code, tail)``.

        A tail as long as the latent is cut by the code's length from its start; a shorter one is used whole.
        """
        rest = self.latent_size - len(code)
        tail = self.shared_tail[len(self.shared_tail) - rest :] if rest else []
        return np.asarray([*code, *tail], np.float32)

    @property
    def check_latent(self) -> NDArray[np.float32]:
        """The latent of the note to check."""
        anchor = next(anchor for anchor in self.anchors if anchor.name == self.check.anchor)
        return self.latent(anchor.layers[self.check.layer].code)

    def timbre_anchors(self) -> tuple[Anchor, ...]:
        """The anchors as the instrument's values, layers by rising velocity."""
        return tuple(
            Anchor(a.name, a.family, tuple(self._layers(a)), tuple(a.tags), dict(a.descriptors)) for a in self.anchors
        )

    def _layers(self, anchor: AnchorTable) -> list[Layer]:
        layers = []
        for layer in sorted(anchor.layers, key=lambda entry: entry.velocity):
            latent = self.latent(layer.code)
            latent.setflags(write=False)
            layers.append(Layer(layer.velocity, latent))
        return layers


def read_manifest(directory: Path) -> Manifest:
    """Read and check ``model.toml`` in a model directory.

    Raises:
        ModelError: it is missing, not TOML, of another version, or says something that does not fit.
    """
    path = directory / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError as error:
        raise ModelError(f"{directory} is no model directory: it holds no {MANIFEST_NAME}.") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not valid TOML ({error}); export or import the model again.") from error
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ModelError(
            f"{path} is of version {version!r} and this program reads version {SCHEMA_VERSION}; "
            "update the program or make the model again."
        )
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        message = str(first["msg"]).removeprefix("Value error, ")
        raise ModelError(f"{path} does not fit: {where}: {message}.") from error


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write ``model.toml``: facts first, latents last."""
    document = manifest.model_dump(mode="json")
    (directory / MANIFEST_NAME).write_text(tomli_w.dumps(_short(document)), encoding="utf-8")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _short(value: Any) -> Any:
    """Lists of floats in the fewest digits that give the same float32 again."""
    if isinstance(value, dict):
        return {key: _short(entry) for key, entry in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(entry, float) for entry in value):
            return [float(str(np.float32(entry))) for entry in value]
        return [_short(entry) for entry in value]
    return value
