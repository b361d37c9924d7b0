"""Batches of notes in an order that depends on the seed and on how many were seen, and on nothing else.

``NoteFeed`` reads them from disk, ``ResidentFeed`` keeps the waves where the arithmetic is done and paints the pictures
there in each step. Both give the same notes.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth_app.spectral.config import SpectralConfig
from synth_app.training.codec import TorchCodec, codec_for
from synth_app.training.data import Dataset, InstrumentEntry
from synth_app.training.features import picture_of, picture_path
from synth_app.training.harmonics import LOWEST_PITCH
from synth_app.training.representation import Representation


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
    """The notes of a data set as arrays (anchor, row, pitch index), for training or held out.

    Args:
        dataset: where the notes are.
        held_out: whether to give the notes that training never sees.
        waves: whether batches carry waves, too.
        representation, spectral: what pictures are, and their geometry; the instrument's own if not named.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        held_out: bool = False,
        waves: bool = False,
        representation: Representation | None = None,
        spectral: SpectralConfig | None = None,
    ) -> None:
        self.anchors = anchors_of(dataset)
        self._with_waves = waves
        self._place = (representation or Representation(), spectral or SpectralConfig())
        self._codec: TorchCodec | None = None
        self._pictures: list[NDArray[np.float16] | None] = []
        self._waves: list[NDArray[np.int16]] = []
        table = []
        for index, anchor in enumerate(self.anchors):
            path = picture_path(dataset, anchor.instrument, representation)
            self._pictures.append(np.load(path, mmap_mode="r") if path.exists() else None)
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

    @property
    def codec(self) -> TorchCodec:
        """What makes the pictures, built at its first use."""
        if self._codec is None:
            self._codec = codec_for(*self._place)
        return self._codec

    def load(self, rows: NDArray[np.int64]) -> Batch:
        """Read notes from disk; pictures that are not there are made now."""
        notes = self.table[rows]
        ready = [self._pictures[anchor] for anchor, *_ in notes]
        waves = np.zeros((0, 0), np.int16)
        if self._with_waves or any(pictures is None for pictures in ready):
            waves = np.stack([self._waves[anchor][row] for anchor, row, _ in notes])
        sounds = torch.from_numpy(waves.astype(np.float32) / 32_767.0)
        made = [
            picture_of(sounds[index : index + 1], self.codec.encode)[0]
            if pictures is None
            else torch.from_numpy(np.array(pictures[row]))
            for index, (pictures, row) in enumerate(zip(ready, notes[:, 1], strict=True))
        ]
        return Batch(
            torch.from_numpy(notes[:, 0].copy()),
            torch.from_numpy(notes[:, 2].copy()),
            torch.stack(made).float(),
            sounds if self._with_waves else torch.zeros(0, 0),
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


class ResidentFeed(NoteFeed):
    """The notes as waves in a device's memory, int16 (128 kB a note); their pictures are made there.

    Nothing crosses to the device in a step but the numbers of the notes.

    Args:
        dataset: where the notes are.
        device: where they go.
        representation, spectral: what pictures are, and their geometry.
    """

    def __init__(
        self, dataset: Dataset, device: torch.device, representation: Representation, spectral: SpectralConfig
    ) -> None:
        super().__init__(dataset, waves=True, representation=representation, spectral=spectral)
        self._resident = torch.empty((len(self), spectral.samples), dtype=torch.int16, device=device)
        for index in range(len(self.anchors)):
            mine = np.flatnonzero(self.table[:, 0] == index)
            waves = np.array(self._waves[index][self.table[mine, 1]])
            self._resident[torch.from_numpy(mine).to(device)] = torch.from_numpy(waves).to(device)
        self._notes = torch.from_numpy(self.table).to(device)
        self.codec.to(device)

    def load(self, rows: NDArray[np.int64]) -> Batch:
        """Notes on the device."""
        chosen = torch.from_numpy(rows).to(self._resident.device)
        wave = self._resident[chosen].float() / 32_767.0
        notes = self._notes[chosen]
        return Batch(notes[:, 0], notes[:, 2], picture_of(wave, self.codec.encode).float(), wave)
