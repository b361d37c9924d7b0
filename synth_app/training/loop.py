"""The training loop. Its one clock is the number of notes seen; stopping and going on gives the same next batch.

Heads first: the bias map, the additive head and the codes learn in minutes what a convolutional net needs hours for.
Then the net joins, coarse and then at full size, and learns what is left; from there on the loss also listens to the
decoded wave.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from synth_app.adapters.model_manifest import read_manifest
from synth_app.adapters.onnx_writer import read_arrays
from synth_app.core.errors import SettingsError
from synth_app.training.arrays import load_arrays, sizes_of
from synth_app.training.checkpoint import (
    Checkpoint,
    average_arrays,
    load_checkpoint,
    module_arrays,
    newest_checkpoint,
    restore_average,
    restore_module,
    save_checkpoint,
)
from synth_app.training.codec import codec_for
from synth_app.training.config import TrainConfig
from synth_app.training.data import Dataset
from synth_app.training.ema import Average
from synth_app.training.epilogue import compiler_at_hand, prepare_thread
from synth_app.training.features import make_pictures
from synth_app.training.feed import NoteFeed, ResidentFeed
from synth_app.training.memory import keep_freed_memory
from synth_app.training.model import GeneratorConfig
from synth_app.training.run import Run

LOG_EVERY_S = 10.0
ADVERSARY = "adversary."


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to run; what to train is in the ``TrainConfig``.

    Attributes:
        dataset: a finished data set's folder.
        run: folder for checkpoints and ``log.jsonl``; if it holds a checkpoint, the run goes on from it.
        threads: of the arithmetic. niceness: added to the process's own, so that playing comes first.
        checkpoint_s: seconds between checkpoints.
        start: a model directory to begin from when the run has no checkpoint yet: its weights, and the codes of the
            instruments that it shares with the data set. Its heads are trained, so the fitting plan is "net" or
            "adversarial" (see ``plans``).
        samples: stop after so many (a pause; the schedule is the configuration's).
        device: "cpu" or "cuda".
        resident: keep the notes in the device's memory and make their pictures there; the way of every device but the
            CPU, where reading finished pictures from disk costs less (``None`` chooses).
        pictures: make the pictures of the whole data set before training, 0.5 MB a note on disk; otherwise they are
            made again for each step, which costs the CPU some 20 ms a note.
        compile: build fused loops, if this machine has a compiler for the device.
    """

    dataset: Path
    run: Path
    threads: int = 2
    niceness: int = 15
    checkpoint_s: float = 180.0
    start: Path | None = None
    samples: int | None = None
    compile: bool = True
    device: str = "cpu"
    resident: bool | None = None
    pictures: bool = True


Report = Callable[[dict[str, float]], None]


def train(config: TrainConfig, options: TrainOptions, report: Report | None = None) -> Path:
    """Train, or go on with training, and leave a checkpoint; returns its path.

    Raises:
        SettingsError: the run's folder belongs to other instruments.
        CheckpointError, FileFormatError: what is on disk cannot be used.
    """
    device = torch.device(options.device)
    config = replace(config, shards=options.threads if device.type == "cpu" else 1)
    os.nice(options.niceness)
    prepare_thread()
    keep_freed_memory()
    options.run.mkdir(parents=True, exist_ok=True)
    dataset = Dataset.open(options.dataset)
    run = Run(config, dataset, _feed(config, options, dataset, device), options.device)
    if not resume(run, options.run) and options.start is not None:
        start_from_model(run, options.start)
    if options.compile and compiler_at_hand(device.type):
        run.compile()
    with suppress(KeyboardInterrupt):  # a pause: what was learnt is saved below
        _learn(run, options, min(config.samples, options.samples or config.samples), report)
    return save(run, options.run)


def _feed(config: TrainConfig, options: TrainOptions, dataset: Dataset, device: torch.device) -> NoteFeed:
    """The notes, where the arithmetic can best get at them."""
    representation, spectral = config.model.representation, config.model.spectral
    if options.resident if options.resident is not None else device.type != "cpu":
        return ResidentFeed(dataset, device, representation, spectral)
    if options.pictures:
        make_pictures(dataset, codec_for(representation, spectral).encode, representation=representation)
    waves = any(stage.listens for stage in config.stages)
    return NoteFeed(dataset, waves=waves, representation=representation, spectral=spectral)


def _learn(run: Run, options: TrainOptions, end: int, report: Report | None) -> None:
    """Steps until ``end`` samples, with a line in the log every ten seconds and a checkpoint every few minutes."""
    saved, journal = time.monotonic(), _Journal(options.run / "log.jsonl", report)
    while run.samples_seen < end:
        stage = run.config.stages[run.config.stage_at(run.samples_seen)[0]]
        stop = min(_stage_end(run.config, run.samples_seen), end)
        for batch in run.feed.batches(run.config.seed, run.samples_seen, stop, stage.batch):
            journal.note(run.step(batch), run.samples_seen)
            if time.monotonic() - saved >= options.checkpoint_s:
                save(run, options.run)
                saved = time.monotonic()


class _Journal:
    """Means of the loss terms, a line of JSON every ``LOG_EVERY_S`` seconds."""

    def __init__(self, path: Path, report: Report | None) -> None:
        self._path, self._report = path, report
        self._sums: dict[str, float] = {}
        self._steps, self._start, self._since = 0, -1, time.monotonic()

    def note(self, terms: dict[str, float], samples_seen: int) -> None:
        """Take in a step."""
        self._start = samples_seen if self._start < 0 else self._start
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        elapsed = time.monotonic() - self._since
        if elapsed < LOG_EVERY_S:
            return
        line = {name: round(value / self._steps, 5) for name, value in self._sums.items()}
        line |= {"samples": samples_seen, "per_s": round((samples_seen - self._start) / elapsed, 2)}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        if self._report is not None:
            self._report(line)
        self._sums, self._steps, self._start, self._since = {}, 0, samples_seen, time.monotonic()


def save(run: Run, folder: Path) -> Path:
    """Write a checkpoint of the run."""
    arrays = module_arrays(run.voice, run.optimiser) | average_arrays(run.average)
    if run.adversary is not None:
        arrays |= module_arrays(run.adversary.net, run.adversary.optimiser, ADVERSARY)
    return save_checkpoint(folder, Checkpoint(run.config, run.samples_seen, run.anchor_names, arrays))


def resume(run: Run, folder: Path) -> bool:
    """Put the newest checkpoint of a folder into the run; ``False`` if there is none.

    Raises:
        SettingsError: it knows other instruments.
        CheckpointError: it cannot be used.
    """
    path = newest_checkpoint(folder)
    if path is None:
        return False
    checkpoint = load_checkpoint(path)
    if checkpoint.anchors != run.anchor_names:
        raise SettingsError(f"{folder} was trained on other instruments: name another folder for this run.")
    restore_module(checkpoint, run.voice, run.optimiser)
    restore_average(checkpoint, run.average)
    if any(name.startswith(f"weight/{ADVERSARY}") for name in checkpoint.arrays):
        adversary = run.summon_adversary()
        restore_module(checkpoint, adversary.net, adversary.optimiser, ADVERSARY)
    run.samples_seen = checkpoint.samples_seen
    return True


def sizes_of_model(directory: Path) -> GeneratorConfig:
    """The shape of an exported model's generator, which a run that begins with it must have.

    Raises:
        ModelError: the directory is no model.
    """
    manifest = read_manifest(directory)
    return sizes_of(manifest, read_arrays((directory / manifest.graph.file).read_bytes()))


def start_from_model(run: Run, directory: Path) -> None:
    """Begin with an exported model's weights and codes. A stroke that the model has no code for begins with the code of
    the same instrument's nearest stroke; an instrument that it does not know, where the data put it.

    Raises:
        ModelError: the directory is no model.
        CheckpointError: the model has other sizes than the run's configuration.
    """
    manifest = read_manifest(directory)
    load_arrays(run.voice.generator, read_arrays((directory / manifest.graph.file).read_bytes()))
    known = {anchor.name: anchor.layers for anchor in manifest.anchors}
    with torch.no_grad():
        for index, anchor in enumerate(run.feed.anchors):
            layers = known.get(anchor.instrument.name, ())
            nearest = min(layers, key=lambda layer: abs(layer.velocity - anchor.velocity), default=None)
            if nearest is not None:
                run.voice.codes[index] = torch.tensor(nearest.code[: run.config.model.code_size])
    run.average = Average(run.voice, run.config.average_half_life)


def _stage_end(config: TrainConfig, samples_seen: int) -> int:
    """Samples at which the stage of this moment ends."""
    index, _ = config.stage_at(samples_seen)
    return sum(stage.samples for stage in config.stages[: index + 1])
