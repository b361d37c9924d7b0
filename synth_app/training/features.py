"""Pictures of the notes, computed once: what the generator is asked to paint.

Beside each instrument's waves lies ``picture-centred.npy`` (another representation has another name), float16
[notes, 2, 128, 1024]: normalised log-mel power with a floor at ``LOG_MEL_FLOOR``, and instantaneous frequency. It is
mapped from disk, so a data set larger than the memory still trains. It is a cache: without it, pictures are made when
they are needed.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth_app.training.data import Dataset, InstrumentEntry, Progress
from synth_app.training.representation import Representation

LOG_MEL_FLOOR = -11.0
"""Natural log of mel power under which a target is not followed: about 80 dB under a full sine."""
MAG_A, MAG_B = 0.0661371661726, 0.113718730221
IF_A = 0.8
CHUNK = 16

Encode = Callable[[Tensor], tuple[Tensor, Tensor]]


def normalise(log_mel: Tensor, inst_freq: Tensor) -> Tensor:
    """(log-mel [B, T, F], inst. freq. [B, T, F]) -> picture [B, 2, T, F], floor applied."""
    level = log_mel.clamp_min(LOG_MEL_FLOOR) * MAG_A + MAG_B
    return torch.stack([level, inst_freq * IF_A], dim=1).clamp(-1.0, 1.0)


def denormalise(picture: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of ``normalise`` above the floor."""
    return (picture[:, 0] - MAG_B) / MAG_A, picture[:, 1] / IF_A


def make_pictures(
    dataset: Dataset, encode: Encode, progress: Progress | None = None, representation: Representation | None = None
) -> None:
    """Compute what is missing; an interrupted run goes on with the instrument it was at."""
    for index, instrument in enumerate(dataset.instruments):
        if progress is not None:
            progress(instrument.name, index, len(dataset.instruments))
        path = picture_path(dataset, instrument, representation)
        if not path.exists():
            partial = path.with_suffix(".partial.npy")
            _write_pictures(partial, dataset.waves(instrument), encode)
            partial.rename(path)


def picture_path(dataset: Dataset, instrument: InstrumentEntry, representation: Representation | None = None) -> Path:
    """Where the instrument's pictures lie, in the instrument's own representation or in another."""
    return dataset.root / instrument.folder / f"picture-{(representation or Representation()).name}.npy"


@torch.no_grad()
def picture_of(wave: Tensor, encode: Encode) -> Tensor:
    """Waves [B, 64000] to pictures [B, 2, T, F] as they are stored, float16, wherever the waves are."""
    return normalise(*encode(wave)).half()


def _write_pictures(path: Path, waves: NDArray[np.int16], encode: Encode) -> None:
    pieces = []
    for start in range(0, len(waves), CHUNK):
        wave = torch.from_numpy(np.array(waves[start : start + CHUNK])).float() / 32_767.0
        pieces.append(picture_of(wave, encode).numpy())
    np.save(path, np.concatenate(pieces))
