"""Magenta's GANSynth generator: its thirty tensors, wherever they lie, and what they are in this program's terms.

The names, scales and flips are Magenta's (``magenta/models/gansynth``, Apache-2.0; read, not copied): kernels are HWIO
and raw, multiplied at run time by He's constant; the first layer is a convolution whose kernel covers all its output,
which is a dense layer with both spatial axes flipped; the layer to two channels has no activation after it, so its
constant is sqrt(1 / inputs) instead of sqrt(2 / inputs).
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.magenta_bundle import Bundle
from synth_app.adapters.magenta_files import Files, check_name
from synth_app.core.errors import CheckpointError

Floats = NDArray[np.float32]

BLOCKS = 7
PITCHES = 61
FINISHED_STEP = 9_600_000
"""Images seen from which on the last stage's blend is complete (stage 12)."""

_ROOT = "Generator/progressive_gan_generator/progressive_gan_block_"
_EMA = "/ExponentialMovingAverage"
_MAX_INDEX_BYTES = 64 << 20
_PLAIN: dict[str, Any] = {"float32": np.dtype("<f4"), "int32": np.dtype("<i4")}
_QUANTISED: dict[str, Any] = {"uint8": np.dtype("<u1"), "uint16": np.dtype("<u2"), "float16": np.dtype("<f2")}
MANIFEST = "weights_manifest.json"


@dataclass(frozen=True, slots=True, eq=False)
class MagentaWeights:
    """Tensors by Magenta's names, and where they were.

    Attributes:
        tensors: the thirty that synthesis needs, float32.
        step: images seen in training, or ``None`` when the form does not say.
        source: the file they were read from.
    """

    tensors: dict[str, Floats]
    step: int | None
    source: str


def tensor_names() -> list[str]:
    """The averaged (EMA) weights that synthesis needs: both convolutions of every block and the last ``to_rgb``."""
    layers = [(b, layer) for b in range(1, BLOCKS + 1) for layer in ("conv0", "conv1")] + [(BLOCKS, "to_rgb")]
    return [f"{_ROOT}{b}/{layer}/{part}{_EMA}" for b, layer in layers for part in ("conv2d/kernel", "bias")]


def read_weights(files: Files) -> MagentaWeights:
    """Find and read the generator in a tree of files: a V2 checkpoint (the newest stage's newest), or tf.js weights.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    names = files.names()
    index = _newest_index(files, names)
    if index:
        return _read_bundle(files, index)
    manifests = [name for name in names if PurePosixPath(name).name == MANIFEST]
    if manifests:
        return _read_tfjs(files, min(manifests, key=len))
    raise CheckpointError(
        "There is no TensorFlow V2 checkpoint (model.ckpt-*.index) and no weights_manifest.json here; "
        "give the folder or archive that holds stage_00012."
    )


def to_arrays(tensors: dict[str, Floats]) -> dict[str, Floats]:
    """The tensors as the graph writer's named arrays, scales folded in, widths read from the tensors.

    Raises:
        CheckpointError: a tensor is missing or its shape does not chain to the others.
    """
    first = _of(tensors, "1/conv0/conv2d/kernel")
    if first.ndim != 4 or first.shape[:2] != (2, 16) or first.shape[2] <= PITCHES:
        raise CheckpointError(f"The first kernel has shape {list(first.shape)}, not [2, 16, latent + 61, channels].")
    dense = first[::-1, ::-1].transpose(2, 3, 0, 1).reshape(first.shape[2], -1)
    arrays = {"block1.conv0.weight": _scaled(dense, math.prod(first.shape[:3]), 2.0)}
    width = first.shape[3]
    arrays["block1.conv0.bias"] = _bias(tensors, "1/conv0", width)
    for b in range(1, BLOCKS + 1):
        for i in (0, 1):
            if (b, i) == (1, 0):
                continue
            kernel = _of(tensors, f"{b}/conv{i}/conv2d/kernel")
            wanted = (3, 3, width, width if i else kernel.shape[-1])
            if kernel.shape != wanted:
                raise CheckpointError(
                    f"The kernel of block {b} conv{i} has shape {list(kernel.shape)} where {list(wanted)} would chain."
                )
            width = kernel.shape[3]
            arrays[f"block{b}.conv{i}.weight"] = _scaled(kernel.transpose(3, 2, 0, 1), math.prod(kernel.shape[:3]), 2.0)
            arrays[f"block{b}.conv{i}.bias"] = _bias(tensors, f"{b}/conv{i}", width)
    rgb = _of(tensors, f"{BLOCKS}/to_rgb/conv2d/kernel")
    if rgb.shape != (1, 1, width, 2):
        raise CheckpointError(f"The kernel of to_rgb has shape {list(rgb.shape)} where {[1, 1, width, 2]} would chain.")
    arrays["rgb.weight"] = _scaled(rgb[0, 0].T, width, 1.0)
    arrays["rgb.bias"] = _bias(tensors, f"{BLOCKS}/to_rgb", 2)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"The weights of {name} are not all numbers, so the checkpoint is unusable.")
    return arrays


def _of(tensors: dict[str, Floats], layer: str) -> Floats:
    name = f"{_ROOT}{layer}{_EMA}"
    if name not in tensors:
        raise CheckpointError(f"The checkpoint has no tensor {name}, so it is not GANSynth's generator.")
    return tensors[name]


def _bias(tensors: dict[str, Floats], layer: str, width: int) -> Floats:
    bias = _of(tensors, f"{layer}/bias")
    if bias.shape != (width,):
        raise CheckpointError(f"The bias of block {layer} has shape {list(bias.shape)} where [{width}] would chain.")
    return np.ascontiguousarray(bias)


def _scaled(kernel: Floats, fan_in: int, gain: float) -> Floats:
    return np.ascontiguousarray(kernel * np.float32(math.sqrt(gain / fan_in)), np.float32)


def _newest_index(files: Files, names: list[str]) -> str:
    """The last stage's checkpoint: the one that ``checkpoint`` names, else the one with the most steps."""
    found = [name for name in names if re.search(r"(^|/)[^/]*-\d+\.index$", name)]
    if not found:
        return ""
    folder = max(str(PurePosixPath(name).parent) for name in found)
    here = [name for name in found if str(PurePosixPath(name).parent) == folder]
    note = f"{folder}/checkpoint" if folder != "." else "checkpoint"
    if note in names and files.size(note) < 1 << 20:
        said = re.search(rb'^model_checkpoint_path:\s*"([^"]*)"', files.read(note), re.MULTILINE)
        last = said[1].decode("utf-8", "replace").rsplit("/", 1)[-1] if said else ""
        for name in here:
            if PurePosixPath(name).name == f"{last}.index":
                return name
    return max(here, key=lambda name: int(re.findall(r"-(\d+)\.index$", name)[0]))


def _read_bundle(files: Files, index: str) -> MagentaWeights:
    if files.size(index) > _MAX_INDEX_BYTES:
        raise CheckpointError(f"{index} is larger than any checkpoint's index, so it is refused.")
    prefix = index.removesuffix(".index")

    def read_range(shard: int, shards: int, offset: int, size: int) -> bytes:
        return files.read(f"{prefix}.data-{shard:05d}-of-{shards:05d}", offset, size)

    bundle = Bundle(files.read(index), read_range)
    tensors = {name: _as_float32(name, bundle.tensor(name)) for name in tensor_names()}
    step = int(bundle.tensor("global_step")) if "global_step" in bundle.entries else None
    return MagentaWeights(tensors, step, index)


def _as_float32(name: str, tensor: NDArray[Any]) -> Floats:
    if tensor.dtype != np.dtype("<f4"):
        raise CheckpointError(f"The tensor {name} holds {tensor.dtype} instead of float32, so it is not GANSynth's.")
    return tensor


def _read_tfjs(files: Files, manifest: str) -> MagentaWeights:
    """tf.js weights: groups of shards, concatenated, in which the tensors follow each other."""
    wanted = set(tensor_names())
    folder = manifest.removesuffix(MANIFEST)
    tensors: dict[str, Floats] = {}
    try:
        for group in json.loads(files.read(manifest)):
            data = b"".join(files.read(folder + check_name(str(path))) for path in group["paths"])
            place = 0
            for weight in group["weights"]:
                tensor, place = _tfjs_tensor(weight, data, place)
                if weight["name"] in wanted:
                    tensors[weight["name"]] = tensor
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(f"{manifest} is no weights manifest of tf.js, or is damaged.") from error
    return MagentaWeights(tensors, None, manifest)


def _tfjs_tensor(weight: dict[str, Any], data: bytes, place: int) -> tuple[Floats, int]:
    """One tensor from its group's bytes, and where the next one begins. Quantised: ``value = code * scale + min``."""
    shape = [int(size) for size in weight["shape"]]
    quantised = weight.get("quantization")
    kind = str(quantised["dtype"] if quantised else weight["dtype"])
    dtype = (_QUANTISED if quantised else _PLAIN).get(kind)
    if dtype is None or min(shape, default=0) < 0:
        raise CheckpointError(f"The tensor {weight['name']} is stored as {kind}, which is not read here.")
    end = place + math.prod(shape) * dtype.itemsize
    if end > len(data):
        raise CheckpointError(f"The weights end before {weight['name']} does; download them again.")
    values = np.frombuffer(data[place:end], dtype).reshape(shape)
    if quantised and kind != "float16":
        values = values * np.float32(quantised["scale"]) + np.float32(quantised["min"])
    return values.astype(np.float32), end


def shard_names(manifest: bytes) -> list[str]:
    """The files that a tf.js manifest asks for, in order, each checked to stay beside it.

    Raises:
        CheckpointError: the manifest is damaged or names a place elsewhere.
    """
    try:
        return [check_name(str(path)) for group in json.loads(manifest) for path in group["paths"]]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError("This is no weights manifest of tf.js, or it is damaged.") from error
