"""Train the judge: ``python -m synth_app.training.evaluation.train_judge DATASET OUT.npz``.

It hears every real note of a data set but the held-out pitches, on which it is examined afterwards. Small changes of
level, onset and noise keep it from learning notes by heart; more would make it deaf to what it is to judge.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from synth_app.training.data import Dataset
from synth_app.training.evaluation.judging_net import JudgingNet, load_judge, opinion_entropy, pair_frames, save_judge
from synth_app.training.features import LOG_MEL_FLOOR, MAG_A, MAG_B, picture_path
from synth_app.training.harmonics import LOWEST_PITCH

FLOOR = LOG_MEL_FLOOR * MAG_A + MAG_B
BATCH = 32
RATE = 2e-3
LEVEL_SHIFT, NOISE = 0.03, 0.01


@dataclass(frozen=True, slots=True)
class Lessons:
    """Notes to learn from or to be examined on: level [N, 64, 1024] float16, pitch index [N], instrument [N]."""

    level: Tensor
    pitch: Tensor
    instrument: Tensor


def read_lessons(dataset: Dataset, *, held_out: bool) -> Lessons:
    """All notes of a data set whose pitches were, or were not, held out; every instrument is a class."""
    levels, labels = [], []
    for index, instrument in enumerate(dataset.instruments):
        pictures = np.load(picture_path(dataset, instrument), mmap_mode="r")
        notes = [note for note in instrument.notes if note.held_out == held_out]
        if notes:
            level = torch.from_numpy(pictures[[note.row for note in notes], 0]).float()
            levels.append(pair_frames(level).half())
            labels += [(note.pitch - LOWEST_PITCH, index) for note in notes]
    pitch, instrument_of = torch.tensor(labels).unbind(dim=1)
    return Lessons(torch.cat(levels), pitch, instrument_of)


def learn(lessons: Lessons, instruments: int, epochs: int, seed: int = 1) -> JudgingNet:
    """A judge that has heard the lessons ``epochs`` times; the same seed gives the same judge."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = JudgingNet(instruments, learning=True)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-4)
    steps = epochs * -(-len(lessons.pitch) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.15)
    for epoch in range(epochs):
        total = 0.0
        for rows in np.array_split(rng.permutation(len(lessons.pitch)), steps // epochs):
            chosen = torch.from_numpy(rows)
            level = _disturb(lessons.level[chosen].float(), rng)
            with torch.autocast("cpu", torch.bfloat16):
                _, pitch, instrument = net(level)
            loss = functional.cross_entropy(pitch.float(), lessons.pitch[chosen])
            loss = loss + functional.cross_entropy(instrument.float(), lessons.instrument[chosen])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch + 1} of {epochs}: loss {total / len(lessons.pitch):.3f}", flush=True)  # noqa: T201
    net.eval()
    return net


def _disturb(level: Tensor, rng: np.random.Generator) -> Tensor:
    """Level pictures a little louder or softer, a little noisy, two frames early or late."""
    shift = torch.from_numpy(rng.uniform(-LEVEL_SHIFT, LEVEL_SHIFT, (len(level), 1, 1)).astype(np.float32))
    noise = torch.from_numpy(rng.standard_normal(level.shape, np.float32)) * NOISE
    moved = torch.roll(level, int(rng.integers(-1, 2)), dims=1)
    return (moved + shift + noise).clamp(FLOOR, 1.0)


@torch.no_grad()
def examine(net: JudgingNet, lessons: Lessons) -> dict[str, float]:
    """How often pitch and instrument are named rightly, and the mean entropy of the pitch opinion in nats."""
    parts = [net(lessons.level[i : i + 64].float())[1:] for i in range(0, len(lessons.pitch), 64)]
    pitch, instrument = (torch.cat(column) for column in zip(*parts, strict=True))
    top_3 = instrument.topk(min(3, instrument.shape[1]), dim=1).indices == lessons.instrument[:, None]
    return {
        "pitch": float((pitch.argmax(dim=1) == lessons.pitch).float().mean()),
        "instrument": float((instrument.argmax(dim=1) == lessons.instrument).float().mean()),
        "instrument_top_3": float(top_3.any(dim=1).float().mean()),
        "pitch_entropy": float(opinion_entropy(pitch).mean()),
    }


def train_judge(dataset: Path, out: Path, epochs: int, seed: int = 1) -> dict[str, float]:
    """Train on a finished data set with pictures, write the judge, and examine what was written.

    Raises:
        FileFormatError: there is no finished data set in the folder.
    """
    notes = Dataset.open(dataset)
    net = learn(read_lessons(notes, held_out=False), len(notes.instruments), epochs, seed)
    save_judge(net, out)
    return examine(load_judge(out), read_lessons(notes, held_out=True))


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Train the net that judges generators, on real notes only.")
    parser.add_argument("dataset", type=Path, help="folder that the command dataset made")
    parser.add_argument("out", type=Path, help="the .npz to write")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    result = train_judge(given.dataset, given.out, given.epochs, given.seed)
    print(", ".join(f"{name} {value:.3f}" for name, value in result.items()))  # noqa: T201


if __name__ == "__main__":
    main()
