"""Batches of notes in an order that depends on the seed and on how many were seen, and on nothing else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth_app.training.data import Dataset, InstrumentEntry
from synth_app.training.features import picture_path
from synth_app.training.harmonics import LOWEST_PITCH


@dataclass(frozen=True, slots=True)
class Anchor:
    """A timbre with a code of its own: one velocity layer of one trained instrument."""

    instrument: InstrumentEntry
    layer: int

    @property
    def velocity(self) -> int:
        """The velocity that the layer was played at."""
        return self.instrument.velocities[self.layer]


@dataclass(frozen=True, slots=True)
class Batch:
    """Notes to learn from: anchor [B], pitch index [B], picture [B, 2, 128, 1024] float32, wave [B, 64000] float32."""

    anchor: Tensor
    pitch: Tensor
    picture: Tensor
    wave: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same notes elsewhere."""
        return Batch(*(part.to(device) for part in (self.anchor, self.pitch, self.picture, self.wave)))

    def rows(self, rows: slice) -> "Batch":
        """Some of the notes."""
        wave = self.wave[rows] if len(self.wave) else self.wave
        return Batch(self.anchor[rows], self.pitch[rows], self.picture[rows], wave)


def anchors_of(dataset: Dataset) -> tuple[Anchor, ...]:
    """Every layer of every trained instrument, in the data set's order."""
    return tuple(
        Anchor(instrument, layer)
        for instrument in dataset.instruments
        if not instrument.held_out
        for layer in range(len(instrument.velocities))
    )


class NoteFeed:
    """The notes of a data set as arrays (anchor, row, pitch index), for training or held out."""

    def __init__(self, dataset: Dataset, *, held_out: bool = False, waves: bool = False) -> None:
        self.anchors = anchors_of(dataset)
        self._with_waves = waves
        self._pictures: list[NDArray[np.float16]] = []
        self._waves: list[NDArray[np.int16]] = []
        table = []
        for index, anchor in enumerate(self.anchors):
            self._pictures.append(np.load(picture_path(dataset, anchor.instrument), mmap_mode="r"))
            self._waves.append(dataset.waves(anchor.instrument))
            table += [
                (index, note.row, note.pitch - LOWEST_PITCH)
                for note in anchor.instrument.notes
                if note.layer == anchor.layer and note.held_out == held_out
            ]
        self.table: NDArray[np.int64] = np.array(table, np.int64).reshape(-1, 3)

    def __len__(self) -> int:
        return len(self.table)

    def order(self, seed: int, start: int, count: int) -> NDArray[np.int64]:
        """Rows of ``table`` that are the samples ``start .. start + count`` of an endless run of shuffled epochs."""
        rows = []
        while count > 0:
            epoch, offset = divmod(start, len(self))
            shuffled = np.random.default_rng([seed, epoch]).permutation(len(self))
            piece = shuffled[offset : offset + count]
            rows.append(piece)
            start, count = start + len(piece), count - len(piece)
        return np.concatenate(rows)

    def load(self, rows: NDArray[np.int64]) -> Batch:
        """Read notes from disk."""
        notes = self.table[rows]
        pictures = np.stack([self._pictures[anchor][row] for anchor, row, _ in notes])
        waves = (
            np.stack([self._waves[anchor][row] for anchor, row, _ in notes]) if self._with_waves else np.zeros((0, 0))
        )
        return Batch(
            torch.from_numpy(notes[:, 0].copy()),
            torch.from_numpy(notes[:, 2].copy()),
            torch.from_numpy(pictures).float(),
            torch.from_numpy(waves.astype(np.float32) / 32_767.0),
        )

    def batches(self, seed: int, start: int, end: int, size: int) -> Iterator[Batch]:
        """Samples ``start .. end`` in batches, the next one read while the last is learnt from."""
        starts = range(start, end, size)
        with ThreadPoolExecutor(1) as reader:
            pending = [reader.submit(self.load, self.order(seed, at, min(size, end - at))) for at in starts[:1]]
            for following in [*starts[1:], None]:
                batch = pending.pop()
                if following is not None:
                    count = min(size, end - following)
                    pending.append(reader.submit(self.load, self.order(seed, following, count)))
                yield batch.result()
