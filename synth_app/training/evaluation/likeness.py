"""Whose note is it? The real note nearest to a generated one, among all trained anchors at the same pitch."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth_app.training import metrics
from synth_app.training.data import Dataset
from synth_app.training.evaluation.judging_net import pair_frames
from synth_app.training.features import denormalise, picture_path
from synth_app.training.feed import Anchor
from synth_app.training.harmonics import LOWEST_PITCH


class Gallery:
    """The level pictures of all real notes of some anchors, trained and held-out ones, by pitch."""

    def __init__(self, dataset: Dataset, anchors: tuple[Anchor, ...]) -> None:
        self._paths: list[Path] = [picture_path(dataset, anchor.instrument) for anchor in anchors]
        self._rows = [
            {note.pitch - LOWEST_PITCH: note.row for note in anchor.instrument.notes if note.layer == anchor.layer}
            for anchor in anchors
        ]
        self.names = np.array([anchor.instrument.name for anchor in anchors])

    def at(self, pitch: int) -> tuple[NDArray[np.int64], Tensor]:
        """(anchors [N] that have a note of a pitch index, their levels [N, T, F])."""
        anchors = [index for index, rows in enumerate(self._rows) if pitch in rows]
        levels = [np.load(self._paths[i], mmap_mode="r")[self._rows[i][pitch], 0] for i in anchors]
        return np.array(anchors), torch.from_numpy(np.stack(levels)).float()


def ranks(made: Tensor, real: Tensor, names: NDArray[np.str_], wanted: NDArray[np.str_]) -> NDArray[np.int64]:
    """At which place, 0 first, the wanted instrument comes for each note, [N]; its layers count as one.

    ``made`` [N, T, F] and ``real`` [M, T, F] are level pictures, ``names`` the instruments of the real ones. The
    distance is the mean absolute difference of log-mel levels, neighbouring frames averaged.
    """
    distance = torch.cdist(pair_frames(made).flatten(1), pair_frames(real).flatten(1), p=1.0).numpy()
    known = np.unique(names)
    by_name = np.stack([distance[:, names == name].min(axis=1) for name in known], axis=1)
    own = by_name[np.arange(len(wanted)), np.searchsorted(known, wanted)]
    return np.asarray((by_name < own[:, None]).sum(axis=1), np.int64)


def spread_db(levels: Tensor) -> float:
    """Mean log-spectral distance between all pairs of level pictures [N, T, F]: how various they are."""
    return metrics.pairwise_lsd_db(denormalise(torch.stack([levels, levels], dim=1))[0])
