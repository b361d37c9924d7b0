"""Turns a GANSynth checkpoint into a model directory that plays through the same adapter as our own. No TensorFlow.

A checkpoint may be a folder or a zip archive with ``stage_*`` inside (the layout that Magenta published), a stage's
folder, a tf.js ``weights_manifest.json`` with its shards, or the web address of an archive or manifest. Its phase
convention is "magenta". GANSynth has no named timbres, so a few seeded draws are named as anchors; any other draw is as
good.

Every import looks at frames 0 to 2, which hold nothing but padding: a generator trained as Magenta's says silence
there, -0.80 in normalised magnitude and 0 in frequency, within a few hundredths. Other values mean random or damaged
weights, or kernels scaled in another way; the import goes on with a warning, which the card keeps.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.generator_onnx import OnnxGenerator
from synth_app.adapters.magenta_fetch import Progress, fetch_archive, fetch_tfjs, fetch_zip
from synth_app.adapters.magenta_files import open_files
from synth_app.adapters.magenta_tensors import FINISHED_STEP, MANIFEST, MagentaWeights, read_weights, to_arrays
from synth_app.adapters.model_manifest import (
    GRAPH_NAME,
    AnchorTable,
    CheckTable,
    GraphTable,
    LayerTable,
    Manifest,
    write_manifest,
)
from synth_app.adapters.model_store import note_rms, user_models_dir
from synth_app.adapters.onnx_writer import GraphOptions, write_graph
from synth_app.core.errors import CheckpointError, ModelError

DRAWS = 16
PAD_FRAMES = 3
SILENCE_MAG, SILENCE_TOLERANCE = -0.8, 0.04
OPTIONS = GraphOptions(partials=0, cosines=0)
LICENCE = "As stated by whoever trained the checkpoint; Magenta's code is Apache-2.0, the NSynth data are CC BY 4.0"
ATTRIBUTION = "GANSynth: Engel, Agrawal, Chen, Gulrajani, Donahue, Roberts (ICLR 2019), Magenta, trained on NSynth"


@dataclass(frozen=True, slots=True)
class PaddingTest:
    """What frames 0 to 2 say, normalised: median magnitude, and median distance of the frequency from 0."""

    magnitude: float
    inst_freq: float

    @property
    def passed(self) -> bool:
        """Whether they are as silent as the training data were."""
        return abs(self.magnitude - SILENCE_MAG) < SILENCE_TOLERANCE and self.inst_freq < SILENCE_TOLERANCE

    @property
    def sentence(self) -> str:
        """For the card."""
        verdict = "as trained" if self.passed else "NOT as trained: random or damaged weights, or other scales"
        return (
            f"padding frames at {self.magnitude:+.3f} (silence is {SILENCE_MAG:+.3f}) and {self.inst_freq:.3f} "
            f"(silence is 0): {verdict}"
        )


@dataclass(frozen=True, slots=True)
class ImportReport:
    """A finished import.

    Attributes:
        directory: of the model. manifest: as written. warnings: sentences the player should read.
        sha256: of the downloaded archive, "" when nothing was downloaded.
    """

    directory: Path
    manifest: Manifest
    padding: PaddingTest
    warnings: tuple[str, ...]
    sha256: str = ""


def import_checkpoint(source: str | Path, out_dir: Path, name: str, progress: Progress | None = None,
                      overwrite: bool = False) -> ImportReport:  # fmt: skip
    """Import a checkpoint from a path or a web address into ``out_dir``.

    Nothing is left there when it fails, and what was there before stays unless ``overwrite``.

    Raises:
        CheckpointError: the checkpoint is missing, damaged, of other shapes, or the directory cannot be written.
    """
    if not 0 < len(name) <= 100:
        raise CheckpointError("The name of a model has 1 to 100 characters; give it another one.")
    if out_dir.exists() and not overwrite:
        raise CheckpointError(f"{out_dir} is there already; give the model another name or remove it.")
    if urlsplit(str(source)).scheme in ("http", "https"):
        with tempfile.TemporaryDirectory(prefix="synth-app-import-") as folder:
            path, sha256 = _download(str(source), Path(folder), progress)
            return _import(path, str(source), out_dir, name, sha256)
    path = Path(source).expanduser()
    return _import(path.parent if path.name in (MANIFEST, "checkpoint") else path, path.name, out_dir, name, "")


def fetch_model(name: str, out_dir: Path | None = None, progress: Progress | None = None,
                overwrite: bool = False) -> ImportReport:  # fmt: skip
    """Download one of Magenta's two published generators, check it and import it.

    Raises:
        CheckpointError: no such name, no network, a damaged archive, or a model of that name is there already.
    """
    out_dir = out_dir or user_models_dir() / name
    if out_dir.exists() and not overwrite:
        raise CheckpointError(f"{out_dir} is there already; play it, or remove it to fetch it again.")
    archive = fetch_archive(name, progress=progress)
    return _import(archive.path, archive.url, out_dir, name, archive.sha256)


def _download(url: str, folder: Path, progress: Progress | None) -> tuple[Path, str]:
    if urlsplit(url).path.endswith(".json"):
        return fetch_tfjs(url, folder / "weights", progress), ""
    archive = fetch_zip(url, folder / "archive.zip", progress)
    return archive.path, archive.sha256


def _import(path: Path, source: str, out_dir: Path, name: str, sha256: str) -> ImportReport:
    if path.suffix == ".index":
        path = path.parent
    weights = read_weights(open_files(path))
    arrays = to_arrays(weights.tensors)
    # Beside its place, so that it gets there in one step or not at all.
    try:
        out_dir.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}-", dir=out_dir.parent))
    except OSError as error:
        raise CheckpointError(f"{out_dir.parent} cannot be written ({error.strerror}); choose another.") from error
    try:
        report = _write(draft, arrays, weights, source, name, sha256)
        if out_dir.exists():
            shutil.rmtree(out_dir)
        draft.chmod(0o755)
        draft.rename(out_dir)
    except OSError as error:
        raise CheckpointError(f"{out_dir} cannot be written ({error.strerror}); free some space.") from error
    except ModelError as error:
        raise CheckpointError(f"The checkpoint cannot be made a model: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return ImportReport(out_dir, report.manifest, report.padding, report.warnings, sha256)


def _write(draft: Path, arrays: dict[str, NDArray[np.float32]], weights: MagentaWeights, source: str, name: str,
           sha256: str) -> ImportReport:  # fmt: skip
    """Graph, manifest and card; the fixed note and the padding test need the model itself, so it is opened between."""
    graph = write_graph(arrays, OPTIONS, "fp32")
    (draft / GRAPH_NAME).write_bytes(graph)
    latent_size = len(arrays["block1.conv0.weight"]) - OPTIONS.pitches
    fields = _manifest_fields(name, latent_size, hashlib.sha256(graph).hexdigest())
    manifest = Manifest(**fields, check=CheckTable(anchor="Draw 01", rms=1.0))
    write_manifest(draft, manifest)
    generator = OnnxGenerator(draft, "cpu")
    try:
        rms = note_rms(generator, manifest.check_latent, manifest.check.pitch, manifest)
        padding = padding_test(generator, manifest)
    finally:
        generator.close()
    if not np.isfinite(rms) or rms <= 0.0:
        raise CheckpointError("The checkpoint's generator gives no finite sound, so it is unusable.")
    warnings = _warnings(padding, weights.step)
    notes: dict[str, Any] = {"source": source, "checkpoint": weights.source, "padding_test": padding.sentence}
    notes |= {"warnings": list(warnings)} if warnings else {}
    notes |= {"archive_sha256": sha256} if sha256 else {}
    training = {"images_seen": weights.step} if weights.step is not None else {}
    check = CheckTable(anchor="Draw 01", rms=rms)
    manifest = Manifest(**fields, check=check, notes=notes, training=training)
    write_manifest(draft, manifest)
    (draft / "README.md").write_text(_card(manifest, arrays), encoding="utf-8")
    return ImportReport(draft, manifest, padding, warnings)


def _manifest_fields(name: str, latent_size: int, sha256: str) -> dict[str, Any]:
    anchors = []
    for k in range(1, DRAWS + 1):
        code = np.random.default_rng(k).standard_normal(latent_size).astype(np.float32)
        layer = LayerTable(velocity=100, code=code.tolist())
        anchors.append(AnchorTable(name=f"Draw {k:02d}", family="Draws", tags=["random"], layers=[layer]))
    return {
        "name": name,
        "description": "GANSynth checkpoint, imported",
        "licence": LICENCE,
        "attribution": ATTRIBUTION,
        "latent_size": latent_size,
        "phase_convention": "magenta",
        "graph": GraphTable(sha256=sha256, precision="fp32", partials=OPTIONS.partials, cosines=OPTIONS.cosines),
        "anchors": anchors,
    }


def padding_test(generator: OnnxGenerator, manifest: Manifest) -> PaddingTest:
    """Render the padding frames of every anchor at a few pitches; see the module."""
    latents = np.stack([manifest.latent(anchor.layers[0].code) for anchor in manifest.anchors])
    pitches = np.resize(np.asarray([36, 48, 60, 72], np.int64), len(latents))
    frames = generator.render(latents, pitches, 0, PAD_FRAMES)
    n = manifest.normaliser
    magnitude = float(np.median(frames.log_mel)) * n.mag_scale + n.mag_offset
    return PaddingTest(magnitude, float(np.median(np.abs(frames.inst_freq))) * n.if_scale)


def _warnings(padding: PaddingTest, step: int | None) -> tuple[str, ...]:
    warnings = []
    if not padding.passed:
        warnings.append(
            f"The padding self-test did not pass ({padding.sentence}); the model may not sound as it should."
        )
    if step is not None and step < FINISHED_STEP:
        warnings.append(
            f"The checkpoint has seen {step:,} images, and its last stage stands alone only after {FINISHED_STEP:,}, "
            "so the model may not sound as it should."
        )
    return tuple(warnings)


def _card(manifest: Manifest, arrays: dict[str, NDArray[np.float32]]) -> str:
    widths = [len(arrays[f"block{b}.conv1.bias"]) for b in range(1, 8)]
    parameters = sum(array.size for array in arrays.values())
    lines = [
        f"# {manifest.name}",
        "",
        f"{manifest.description} from `{manifest.notes['source']}` (`{manifest.notes['checkpoint']}`).",
        "",
        f"- Attribution: {manifest.attribution}.",
        f"- Licence: {manifest.licence}.",
        f"- Generator: widths {', '.join(map(str, widths))}; {parameters:,} parameters, weights in float32.",
        f"- Phase convention: magenta. Pitches {manifest.lowest_pitch} to {manifest.highest_pitch}.",
        f"- Graph: SHA-256 {manifest.graph.sha256}.",
        f"- Self-test: {manifest.notes['padding_test']}.",
    ]
    if "images_seen" in manifest.training:
        lines.append(f"- Training: {manifest.training['images_seen']:,} images seen.")
    if "archive_sha256" in manifest.notes:
        lines.append(f"- Archive: SHA-256 {manifest.notes['archive_sha256']}.")
    lines += ["", "The anchors are seeded random draws; any other draw is as good.", ""]
    lines += [f"> Warning: {warning}" for warning in manifest.notes.get("warnings", [])]
    return "\n".join(lines).rstrip() + "\n"
