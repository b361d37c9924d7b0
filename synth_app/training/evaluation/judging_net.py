"""The judge: a small convolutional net that names pitch and instrument of a note, trained on real notes only.

Its last hidden layer is the space in which crowds of notes are compared (Frechet distance), its opinion about pitch
gives pitch accuracy and pitch entropy. It enters no loss. What the package carries was trained by ``train_judge``; a
data set of other instruments uses the same features, since those, and not the names, are what is compared.

Input is the level half of pictures, [B, 128, 1024] in -1..1, floored like every target.
"""

import io
import zipfile
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from synth_app.core.errors import FileFormatError
from synth_app.training.harmonics import PITCH_COUNT

FILE_NAME = "judge.npz"
CHANNELS = (1, 16, 32, 48, 64, 96)
KERNELS = ((3, 7), (3, 3), (3, 3), (3, 3), (3, 3))
STRIDES = ((2, 2), (2, 2), (2, 2), (2, 2), (1, 2))
PLACES = 32
"""Frequency places that are left of 1024 bins: pitch is where something lies, so they are told apart."""
FEATURES = 64


class JudgingNet(nn.Module):
    """Five convolutions, a hidden layer of 64, and two opinions.

    ``learning`` adds batch normalisation and dropout; ``folded`` gives the weights without them.
    """

    def __init__(self, instruments: int, *, learning: bool = False) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(CHANNELS[i], CHANNELS[i + 1], KERNELS[i], STRIDES[i], (KERNELS[i][0] // 2, KERNELS[i][1] // 2))
            for i in range(len(KERNELS))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(size) if learning else nn.Identity() for size in CHANNELS[1:])
        self.dropout = nn.Dropout(0.2 if learning else 0.0)
        self.hidden = nn.Linear(CHANNELS[-1] * PLACES, FEATURES)
        self.pitch = nn.Linear(FEATURES, PITCH_COUNT)
        self.instrument = nn.Linear(FEATURES, instruments)

    def features(self, level: Tensor) -> Tensor:
        """[B, 128, 1024] (or pairs of frames averaged already, [B, 64, 1024]) -> [B, 64], none negative."""
        x = pair_frames(level) if level.shape[1] > 64 else level
        x = x[:, None]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = functional.relu(norm(conv(x)))
        features: Tensor = functional.relu(self.hidden(self.dropout(x.mean(dim=2).flatten(1))))
        return features

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(features [B, 64], logits of pitch [B, 61], logits of instrument [B, instruments])."""
        features = self.features(level)
        return features, self.pitch(features), self.instrument(features)

    @torch.no_grad()
    def folded(self) -> dict[str, NDArray[np.float32]]:
        """The weights of the same net without batch normalisation."""
        arrays = {name: value for name, value in self.state_dict().items() if not name.startswith("norms")}
        for index, norm in enumerate(self.norms):
            if isinstance(norm, nn.BatchNorm2d):
                assert norm.running_mean is not None and norm.running_var is not None
                scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                bias = arrays[f"convs.{index}.bias"]
                arrays[f"convs.{index}.weight"] = arrays[f"convs.{index}.weight"] * scale[:, None, None, None]
                arrays[f"convs.{index}.bias"] = (bias - norm.running_mean) * scale + norm.bias
        return {name: value.numpy() for name, value in arrays.items()}


def pair_frames(level: Tensor) -> Tensor:
    """Neighbouring frames averaged: [B, T, F] -> [B, T / 2, F]."""
    return functional.avg_pool2d(level[:, None], (2, 1))[:, 0]


def opinion_entropy(logits: Tensor) -> Tensor:
    """Entropy of opinions [B, classes] in nats, [B]: 0 is certainty."""
    log_share = functional.log_softmax(logits, dim=1)
    return -(log_share.exp() * log_share).sum(dim=1)


def save_judge(net: JudgingNet, path: Path) -> None:
    """Write the folded weights in half precision, plain arrays in an .npz."""
    arrays = {name: value.astype(np.float16) for name, value in net.folded().items()}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load_judge(path: Path | None = None) -> JudgingNet:
    """The judge from a file, or the one that the package carries.

    Raises:
        FileFormatError: the file is no judge.
    """
    try:
        content = (path or resources.files(__package__) / FILE_NAME).read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            state = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
        net = JudgingNet(len(state["instrument.bias"]))
        net.load_state_dict(state)
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise FileFormatError(
            f"The judging net {path or FILE_NAME} cannot be read ({error}): train it again."
        ) from error
    return net.eval()
