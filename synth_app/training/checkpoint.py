"""All the state of a run in one .npz file: weights, codes, averages, Adam's moments, the clock, and the configuration.

Plain arrays and one JSON text; nothing in the file is ever executed. A checkpoint is for going on; what players get is
an export.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synth_app.core.errors import CheckpointError
from synth_app.training.config import TrainConfig
from synth_app.training.ema import Average

KEPT = 2


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file holds: the configuration, samples seen, and named arrays ("weight/..", "average/..", "adam/..")."""

    config: TrainConfig
    samples_seen: int
    anchors: tuple[str, ...]
    arrays: dict[str, NDArray[np.float32]]


def module_arrays(module: nn.Module, optimiser: torch.optim.Adam, prefix: str = "") -> dict[str, NDArray[np.float32]]:
    """A module's weights and its optimiser's moments, each parameter's name behind a prefix."""
    arrays = {}
    for name, value in module.named_parameters():
        arrays[f"weight/{prefix}{name}"] = _plain(value)
        for moment, content in optimiser.state.get(value, {}).items():
            arrays[f"adam/{moment}/{prefix}{name}"] = _plain(content)
    return arrays


def average_arrays(average: Average) -> dict[str, NDArray[np.float32]]:
    """The averaged weights."""
    return {f"average/{name}": _plain(value) for name, value in average.values.items()}


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``checkpoint-<samples>.npz`` whole or not at all, and remove all but the newest two."""
    facts = {
        "config": checkpoint.config.to_json(),
        "samples_seen": checkpoint.samples_seen,
        "anchors": checkpoint.anchors,
    }
    arrays: dict[str, NDArray[Any]] = {name: np.array(value) for name, value in facts.items()} | checkpoint.arrays
    path = folder / f"checkpoint-{checkpoint.samples_seen:09d}.npz"
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    partial.replace(path)
    for old in sorted(folder.glob("checkpoint-*.npz"))[:-KEPT]:
        old.unlink()
    return path


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint with the most samples in a run's folder, if there is one."""
    return max(folder.glob("checkpoint-*.npz"), default=None)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: the file is missing, cut off, or of another version.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            config = TrainConfig.from_json(str(file["config"]))
            arrays = {name: file[name] for name in file.files if "/" in name}
            return Checkpoint(config, int(file["samples_seen"]), tuple(file["anchors"].tolist()), arrays)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"The checkpoint {path} cannot be read ({error}): use an earlier one.") from error


def saved_config(folder: Path) -> TrainConfig | None:
    """The plan that a run's folder is at, if it holds a checkpoint.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    path = newest_checkpoint(folder)
    return None if path is None else load_checkpoint(path).config


@torch.no_grad()
def restore_average(checkpoint: Checkpoint, average: Average) -> None:
    """Put a checkpoint's averaged weights into an average.

    Raises:
        CheckpointError: a weight is missing or has another shape.
    """
    for name, value in average.values.items():
        value.copy_(_fitting(checkpoint, f"average/{name}", value))


@torch.no_grad()
def restore_module(
    checkpoint: Checkpoint, module: nn.Module, optimiser: torch.optim.Adam | None = None, prefix: str = ""
) -> None:
    """Put a checkpoint's arrays into a module and its optimiser.

    Raises:
        CheckpointError: a weight is missing or has another shape.
    """
    for name, value in module.named_parameters():
        value.copy_(_fitting(checkpoint, f"weight/{prefix}{name}", value))
        moments = {
            key.split("/")[1]: _laid_out_as(value, array)
            for key, array in checkpoint.arrays.items()
            if key.startswith("adam/") and key.split("/", 2)[2] == prefix + name
        }
        if optimiser is not None and moments:
            optimiser.state[value] = moments


def _fitting(checkpoint: Checkpoint, key: str, like: Tensor) -> Tensor:
    array = checkpoint.arrays.get(key)
    if array is None or array.shape != tuple(like.shape):
        found = "missing" if array is None else f"of shape {array.shape}, not {tuple(like.shape)}"
        raise CheckpointError(f"The checkpoint's {key} is {found}: it belongs to another model; start a new run.")
    return torch.from_numpy(array)


def _laid_out_as(value: Tensor, array: NDArray[np.float32]) -> Tensor:
    """The array in the memory order of a parameter: the fused optimiser walks both side by side."""
    plain = torch.from_numpy(np.array(array))
    return torch.empty_like(value).copy_(plain) if plain.shape == value.shape else plain.to(value.device)


def _plain(value: Tensor) -> NDArray[np.float32]:
    return np.asarray(value.detach().cpu().numpy(), np.float32)
