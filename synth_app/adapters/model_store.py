"""Where models live, and how one is found, opened, and proven whole.

Models come with the program (``models/`` of the checkout, or inside an installed wheel), from the player's own data
folder (imports and fetches go there), or from any path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

from synth_app.adapters.generator_onnx import OnnxGenerator
from synth_app.adapters.model_manifest import MANIFEST_NAME, Manifest, file_sha256, read_manifest
from synth_app.core.errors import ModelError
from synth_app.render.ports import Generator
from synth_app.spectral.codec import decode
from synth_app.timbre.anchors import Anchor

APP_NAME = "synth_app"
DEFAULT_MODEL = "default"
RMS_TOLERANCE = 0.02
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model as a list shows it; ``problem`` says why it cannot be used ("" = it can, as far as its manifest goes)."""

    name: str
    directory: Path
    manifest: Manifest | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What :func:`verify_model` found out about a sound model."""

    manifest: Manifest
    provider: str
    rms: float

    @property
    def sentence(self) -> str:
        """For people."""
        m = self.manifest
        return (
            f"{m.name}: {len(m.anchors)} anchors, hash, schema and graph in order, "
            f"fixed note {self.rms:.4f} RMS as expected ({self.provider})"
        )


def user_models_dir() -> Path:
    """The player's own models; imports go there."""
    return platformdirs.user_data_path(APP_NAME, appauthor=False) / "models"


def search_path() -> tuple[Path, ...]:
    """Folders of model directories, first found wins: the player's own, then the program's."""
    in_checkout = _PACKAGE.parent / "models"
    bundled = in_checkout if in_checkout.is_dir() else _PACKAGE / "_data" / "models"
    return user_models_dir(), bundled


def list_models() -> list[ModelEntry]:
    """Every model on the search path, by name; broken ones with their problem."""
    found: dict[str, ModelEntry] = {}
    for folder in search_path():
        if not folder.is_dir():
            continue
        for directory in sorted(folder.iterdir()):
            if directory.name not in found and (directory / MANIFEST_NAME).is_file():
                found[directory.name] = _entry(directory)
    return [found[name] for name in sorted(found)]


def find_model(model: str = "") -> Path | None:
    """The directory of a model given by name or path; "" means the default one. ``None`` when there is none."""
    if model:
        path = Path(model).expanduser()
        path = path.parent if path.name == MANIFEST_NAME else path
        if (path / MANIFEST_NAME).is_file():
            return path
        if Path(model).name != model:
            return None
    for folder in search_path():
        if (folder / (model or DEFAULT_MODEL) / MANIFEST_NAME).is_file():
            return folder / (model or DEFAULT_MODEL)
    return None


def require_model(model: str = "") -> Path:
    """:func:`find_model`, or a ``ModelError`` that names what there is."""
    found = find_model(model)
    if found is None:
        names = ", ".join(entry.name for entry in list_models()) or "none is installed"
        raise ModelError(f"There is no model {model or DEFAULT_MODEL!r}; models at hand: {names}.")
    return found


def open_model(
    model: str = "", provider: str = "auto", threads: int = 0, on_fallback: Callable[[str], None] | None = None
) -> tuple[OnnxGenerator, tuple[Anchor, ...]]:
    """Open a model by name or path.

    Raises:
        ModelError: it is missing or unusable.
    """
    generator = OnnxGenerator(require_model(model), provider, threads, on_fallback)
    return generator, generator.manifest.timbre_anchors()


def verify_model(model: str = "", provider: str = "cpu") -> ModelReport:
    """Prove a model: hash, schema, graph, and the level of its fixed note.

    Raises:
        ModelError: names the first thing that is not in order.
    """
    directory = require_model(model)
    manifest = read_manifest(directory)
    path = directory / manifest.graph.file
    try:
        found = file_sha256(path)
    except OSError as error:
        raise ModelError(f"The graph {path} cannot be read ({error.strerror}); get the model again.") from error
    if found != manifest.graph.sha256:
        raise ModelError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST_NAME}; get the model again.")
    generator = OnnxGenerator(directory, provider)
    try:
        rms = note_rms(generator, manifest.check_latent, manifest.check.pitch, manifest)
    finally:
        words = generator.info.provider
        generator.close()
    if not abs(rms / manifest.check.rms - 1.0) < RMS_TOLERANCE:
        raise ModelError(
            f"The model {manifest.name!r} plays its fixed note at {rms:.4f} RMS instead of {manifest.check.rms:.4f}; "
            "get the model again."
        )
    return ModelReport(manifest, words, rms)


def note_rms(generator: Generator, latent: NDArray[np.float32], pitch: int, manifest: Manifest) -> float:
    """RMS of one whole decoded note; what ``check.rms`` in the manifest means."""
    pitches = np.asarray([pitch], np.int64)
    frames = generator.render(np.asarray(latent, np.float32)[None], pitches, 0, manifest.frames)
    wave = decode(frames.log_mel[0], frames.inst_freq[0], manifest.phase_convention, manifest.spectral)
    return float(np.sqrt(np.mean(np.square(wave))))


def _entry(directory: Path) -> ModelEntry:
    try:
        return ModelEntry(directory.name, directory, read_manifest(directory))
    except ModelError as error:
        return ModelEntry(directory.name, directory, None, str(error))
