"""The measurement itself: notes of a data set, painted by every part of a generator, heard and counted.

Notes are taken pitch by pitch, so that the real notes of a pitch are read once and serve as the gallery in which
likenesses are looked for, and as the reference for the kinds of sound there are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth_app.spectral.config import SpectralConfig
from synth_app.training.codec import TorchCodec
from synth_app.training.data import Dataset
from synth_app.training.evaluation.distribution import find_cells
from synth_app.training.evaluation.figures import Numbers, crowd_figures, draw_figures, having, note_figures
from synth_app.training.evaluation.hearing import Ear, Heard, summary_of, together
from synth_app.training.evaluation.judging_net import JudgingNet
from synth_app.training.evaluation.likeness import Gallery, ranks, spread_db
from synth_app.training.evaluation.modulation import HAS_LEVEL_DB, HAS_PITCH_CENTS
from synth_app.training.evaluation.paths import walk
from synth_app.training.evaluation.subject import Subject
from synth_app.training.feed import Batch, NoteFeed
from synth_app.training.harmonics import LOWEST_PITCH
from synth_app.training.representation import Representation

CODEC = "real, through the codec"
ANCHORS, HELD_OUT, DRAWS = "anchors", "held-out", "random draws"
CHUNK = 8
MIDDLE_C = 60
VARIOUS = 48
"""How many anchors are compared with each other for diversity."""
BASELINE_NOTES = 96

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much to measure: notes of each kind, random draws, walks between anchors, and the seed that chooses."""

    notes: int = 500
    draws: int = 500
    walks: int = 8
    seed: int = 5


@dataclass(frozen=True, slots=True)
class Listened:
    """Notes of one kind, in one order: whose they are [N], the real ones, and each variant's likenesses."""

    anchors: NDArray[np.int64]
    real: Heard
    made: dict[str, Heard]


class Measurement:
    """Measures a subject against the notes of a data set."""

    def __init__(self, subject: Subject, dataset: Dataset, judge: JudgingNet, amounts: Amounts) -> None:
        self.subject, self.amounts = subject, amounts
        codec, usual = subject.codec, subject.generator.config.representation == Representation()
        self.ear = Ear(codec, codec if usual else TorchCodec(SpectralConfig(), "centred"), judge)
        self.feeds = {
            ANCHORS: NoteFeed(dataset, waves=True),
            HELD_OUT: NoteFeed(dataset, held_out=True, waves=True),
        }
        self.gallery = Gallery(dataset, subject.anchors)
        self.rng = np.random.default_rng(amounts.seed)
        self.rows = {
            kind: self.rng.permutation(len(feed))[: amounts.notes] for kind, feed in self.feeds.items() if len(feed)
        }
        self.pitches = np.unique(np.concatenate([feed.table[:, 2] for feed in self.feeds.values()]))
        self.reference: NDArray[np.float64] = np.zeros((0, 0))

    def listen(self, progress: Progress) -> dict[str, Listened]:
        """All chosen notes, real and painted. Also gathers the reference: the other real notes."""
        parts: dict[str, list[tuple[NDArray[np.int64], Heard, dict[str, Heard]]]] = {kind: [] for kind in self.rows}
        summaries, spared = [], []
        for done, pitch in enumerate(self.pitches.tolist()):
            anchors, levels = self.gallery.at(pitch)
            chosen: set[int] = set()
            for kind, rows in self.rows.items():
                feed = self.feeds[kind]
                here = rows[feed.table[rows, 2] == pitch]
                chosen |= set(feed.table[here, 0].tolist())
                for start in range(0, len(here), CHUNK):
                    batch = feed.load(here[start : start + CHUNK])
                    parts[kind].append(self._listen(batch, anchors, levels))
            summaries.append(summary_of(levels))
            spared.append(~np.isin(anchors, list(chosen)))
            progress((done + 1) / len(self.pitches))
        self.reference = reference_of(np.concatenate(summaries), np.concatenate(spared))
        return {kind: _joined(pieces) for kind, pieces in parts.items()}

    def _listen(
        self, batch: Batch, anchors: NDArray[np.int64], levels: Tensor
    ) -> tuple[NDArray[np.int64], Heard, dict[str, Heard]]:
        names = self.gallery.names
        wanted = names[batch.anchor.numpy()]
        made = {}
        pictures = self.subject.paint(self.subject.latents[batch.anchor], batch.pitch) | {
            CODEC: self.ear.perfect(batch)
        }
        for variant, picture in pictures.items():
            heard = self.ear.compare(picture, batch)
            heard.figures["rank"] = ranks(heard.level, levels, names[anchors], wanted).astype(np.float64)
            made[variant] = heard.without_level()
        return batch.anchor.numpy(), self.ear.real(batch).without_level(), made

    def figures(self, listened: dict[str, Listened], progress: Progress) -> dict[str, dict[str, Numbers]]:
        """variant -> kind of notes -> figures."""
        cells = find_cells(self.reference, np.random.default_rng([self.amounts.seed, 2]))
        found: dict[str, dict[str, Numbers]] = {}
        for kind, notes in listened.items():
            for variant, made in notes.made.items():
                numbers = note_figures(made, notes.real, notes.anchors)
                numbers |= crowd_figures(made, notes.real, self.reference, cells, self.amounts.seed)
                found.setdefault(variant, {})[kind] = numbers
        for variant, heard in self.draws(progress).items():
            found[variant][DRAWS] = draw_figures(heard, self.reference, cells)
        for variant, walks in walk(self.subject, self.amounts.walks, self.pitches, self.rng).items():
            found[variant]["walks"] = walks.figures()
        for variant, (spread, real) in self.diversity().items():
            found[variant]["diversity"] = {"spread_db": spread, "real_db": real, "ratio": spread / real}
        return found

    def draws(self, progress: Progress) -> dict[str, Heard]:
        """Random latents from N(0, I) at random pitches."""
        size = self.subject.latents.shape[1]
        latents = torch.from_numpy(self.rng.standard_normal((self.amounts.draws, size), np.float32))
        pitches = torch.from_numpy(self.rng.choice(self.pitches, self.amounts.draws))
        parts: dict[str, list[Heard]] = {}
        for start in range(0, len(pitches), CHUNK):
            rows = slice(start, start + CHUNK)
            for variant, picture in self.subject.paint(latents[rows], pitches[rows]).items():
                parts.setdefault(variant, []).append(self.ear.alone(picture, pitches[rows]).without_level())
            progress(min(1.0, (start + CHUNK) / len(pitches)))
        return {variant: together(pieces) for variant, pieces in parts.items()}

    def diversity(self) -> dict[str, tuple[float, float]]:
        """(mean LSD between anchors, mean LSD between their real notes) at middle C, or the pitch nearest to it."""
        pitch = int(self.pitches[np.argmin(np.abs(self.pitches + LOWEST_PITCH - MIDDLE_C))])
        anchors, real = self.gallery.at(pitch)
        if len(anchors) < 2:
            return {}
        keep = np.linspace(0, len(anchors) - 1, min(VARIOUS, len(anchors))).astype(int)
        levels: dict[str, list[Tensor]] = {}
        for start in range(0, len(keep), CHUNK):
            chosen = torch.from_numpy(anchors[keep[start : start + CHUNK]])
            pitches = torch.full((len(chosen),), pitch)
            for variant, picture in self.subject.paint(self.subject.latents[chosen], pitches).items():
                levels.setdefault(variant, []).append(self.ear.alone(picture, pitches).level)
        wanted = spread_db(real[torch.from_numpy(keep)])
        return {variant: (spread_db(torch.cat(made)), wanted) for variant, made in levels.items()}

    def baselines(self) -> dict[str, Numbers]:
        """What a wrong note costs on the same scales: real notes a semitone off, and of another instrument."""
        kind = HELD_OUT if HELD_OUT in self.rows else ANCHORS
        batch = self.feeds[kind].load(self.rows[kind][:BASELINE_NOTES])
        table = self.feeds[ANCHORS].table
        anchor, pitch = batch.anchor.numpy()[:, None], batch.pitch.numpy()[:, None]
        semitone = (table[:, 0] == anchor) & (np.abs(table[:, 2] - pitch) == 1)
        other = (table[:, 0] != anchor) & (table[:, 2] == pitch)
        return {
            name: self._baseline(batch, allowed)
            for name, allowed in (("real, a semitone off", semitone), ("real, another instrument", other))
            if allowed.any()
        }

    def _baseline(self, batch: Batch, allowed: NDArray[np.bool_]) -> Numbers:
        """Real notes [B] beside wrong ones drawn from those allowed for each, [B, notes of the feed]."""
        rows = np.flatnonzero(allowed.any(axis=1))
        heard = []
        for start in range(0, len(rows), CHUNK):
            those = torch.from_numpy(rows[start : start + CHUNK])
            wrong = [int(self.rng.choice(np.flatnonzero(allowed[row]))) for row in those.tolist()]
            right = Batch(batch.anchor[those], batch.pitch[those], batch.picture[those], batch.wave[those])
            picture = self.ear.perfect(self.feeds[ANCHORS].load(np.array(wrong)))
            heard.append(self.ear.compare(picture, right).without_level())
        figures = together(heard).figures
        return {
            "strict_pitch": float((np.abs(figures["cents"]) < 50.0).mean()),
            "lsd_db": float(np.median(figures["lsd_db"])),
            "convergence": float(np.median(figures["convergence"])),
        }

    def facts(self, listened: dict[str, Listened]) -> dict[str, int]:
        """How much was measured."""
        real = listened[ANCHORS].real.figures
        whose = listened[ANCHORS].anchors
        return {
            "anchors": len(self.subject.anchors),
            "instruments": len(set(self.gallery.names.tolist())),
            "trained notes": len(whose),
            "held-out notes": len(listened[HELD_OUT].anchors) if HELD_OUT in listened else 0,
            "random draws": self.amounts.draws,
            "walks": self.amounts.walks,
            "anchors with beating": len(having(real["level_depth_db"], whose, HAS_LEVEL_DB)),
            "anchors with vibrato": len(having(real["pitch_depth_cents"], whose, HAS_PITCH_CENTS)),
        }


def reference_of(summaries: NDArray[np.float64], spared: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The real notes that a crowd is compared with: those that were not chosen, or all where these are too few."""
    return summaries[spared] if 2 * spared.sum() >= len(spared) else summaries


def _joined(pieces: list[tuple[NDArray[np.int64], Heard, dict[str, Heard]]]) -> Listened:
    anchors, real, made = zip(*pieces, strict=True)
    variants = {variant: together([one[variant] for one in made]) for variant in made[0]}
    return Listened(np.concatenate(anchors), together(real), variants)
