"""The training loop. Its one clock is the number of notes seen; stopping and going on gives the same next batch.

Heads first: the bias map, the additive head and the codes learn in minutes what a convolutional net needs hours for.
Then the net joins, coarse and then at full size, and learns what is left; from there on the loss also listens to the
decoded wave.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from synth_app.adapters.model_manifest import read_manifest
from synth_app.adapters.onnx_writer import read_arrays
from synth_app.core.errors import SettingsError
from synth_app.training.arrays import load_arrays
from synth_app.training.checkpoint import load_checkpoint, newest_checkpoint, restore, save_checkpoint
from synth_app.training.codec import TorchCodec
from synth_app.training.config import Stage, TrainConfig
from synth_app.training.data import Dataset
from synth_app.training.ema import Average
from synth_app.training.epilogue import prepare_thread
from synth_app.training.features import denormalise, make_pictures
from synth_app.training.feed import Anchor, Batch, NoteFeed
from synth_app.training.losses import picture_loss, spectral_loss
from synth_app.training.memory import keep_freed_memory
from synth_app.training.voice import Voice, start_from_data

BETAS = (0.9, 0.99)
WARM_UP_SAMPLES = 2_000
LAST_RATE = 0.1
ATTACK_FRAMES = (3, 4, 6, 8)
LOG_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to run; what to train is in the ``TrainConfig``.

    Attributes:
        dataset: a finished data set's folder.
        run: folder for checkpoints and ``log.jsonl``; if it holds a checkpoint, the run goes on from it.
        threads: of the arithmetic. niceness: added to the process's own, so that playing comes first.
        checkpoint_s: seconds between checkpoints.
        start: a model directory to begin from when the run has no checkpoint yet: its weights, and the codes of the
            anchors whose names and velocities it shares with the data set.
        samples: stop after so many (a pause; the schedule is the configuration's).
        compile: build fused loops with the C++ compiler of this machine.
    """

    dataset: Path
    run: Path
    threads: int = 2
    niceness: int = 15
    checkpoint_s: float = 180.0
    start: Path | None = None
    samples: int | None = None
    compile: bool = True


Report = Callable[[dict[str, float]], None]


class Run:
    """A training in progress: the voice, its average, its optimiser and its clock."""

    def __init__(self, config: TrainConfig, dataset: Dataset, feed: NoteFeed | None = None) -> None:
        self.config = config
        self.feed = feed or NoteFeed(dataset, waves=any(stage.wave_weight > 0 for stage in config.stages))
        torch.manual_seed(config.seed)
        self.voice = Voice(config.model, len(self.feed.anchors)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        start_from_data(self.voice, self.feed, config.seed)
        self.average = Average(self.voice, config.average_half_life)
        groups = [
            {"params": self.voice.net_parameters(), "name": "net"},
            {"params": self.voice.head_parameters(), "name": "heads"},
            {"params": [self.voice.codes], "name": "codes"},
        ]
        self.optimiser = torch.optim.Adam(groups, lr=1e-3, betas=BETAS, fused=True)
        self.codec = TorchCodec(config.model.spectral, "centred")
        self.samples_seen = 0
        self.picture_loss = picture_loss
        self._parameters = list(self.voice.parameters())
        self._pool = ThreadPoolExecutor(config.shards, initializer=prepare_thread)

    @property
    def anchor_names(self) -> tuple[str, ...]:
        """One line for each code, for the checkpoint."""
        return tuple(anchor_name(anchor) for anchor in self.feed.anchors)

    def compile(self) -> None:
        """Fuse what is bound by memory into compiled loops; the first step of each kind takes longer."""
        self.voice.generator.compile_epilogue()
        self.picture_loss = torch.compile(picture_loss, dynamic=False)

    def step(self, batch: Batch) -> dict[str, float]:
        """Learn from one batch; returns the loss terms.

        The batch is cut in one shard for each thread. Threads that share one convolution wait for each other by
        spinning, which on a busy machine cost ten times the arithmetic; shards meet only once a step.
        """
        index, done = self.config.stage_at(self.samples_seen)
        stage = self.config.stages[index]
        self._set_rates(stage, done)
        rng = np.random.default_rng([self.config.seed, 1, self.samples_seen])
        size = len(batch.anchor)
        noise = torch.from_numpy(rng.standard_normal((size, self.config.model.latent_size), np.float32))
        edges = np.linspace(0, size, min(self.config.shards, size) + 1).round().astype(int).tolist()
        rows = [slice(start, stop) for start, stop in pairwise(edges)]
        shares = [(shard.stop - shard.start) / size for shard in rows]
        frames = self._frames(stage, rng)
        jobs = [partial(self._gradients, stage, batch.rows(shard), noise[shard], frames) for shard in rows]
        results = list(self._pool.map(lambda job: job(), jobs))
        names = results[0][1]
        terms = {
            name: sum(share * part[1][name] for share, part in zip(shares, results, strict=True)) for name in names
        }
        for index, value in enumerate(self._parameters):
            grads = [
                (share, grad)
                for share, (part, _) in zip(shares, results, strict=True)
                if (grad := part[index]) is not None
            ]
            value.grad = sum((share * grad for share, grad in grads[1:]), grads[0][0] * grads[0][1]) if grads else None
        used = [value for value in self._parameters if value.grad is not None]
        terms["gradient"] = float(torch.nn.utils.clip_grad_norm_(used, self.config.clip_norm))
        self.optimiser.step()
        self.samples_seen += size
        self.average.update(self.voice, self.samples_seen, size)
        return terms

    def _gradients(
        self, stage: Stage, batch: Batch, noise: Tensor, frames: Tensor | None
    ) -> tuple[tuple[Tensor | None, ...], dict[str, float]]:
        """Gradients of all parameters, and the loss terms, for a shard of a batch."""
        latent = self.voice.latents(batch.anchor, noise, self.config.code_noise)
        made, target = self._paint(stage, latent, batch, frames)
        parts = self.picture_loss(made, target)
        loss = parts.magnitude + self.config.if_weight * parts.inst_freq
        terms = {"magnitude": parts.magnitude.item(), "inst_freq": parts.inst_freq.item()}
        if stage.wave_weight > 0 and stage.coarse == 0 and frames is None:
            count = -(-stage.wave_notes * len(made) // stage.batch)
            wave = spectral_loss(self.codec.decode(*denormalise(made[:count])), batch.wave[:count])
            loss = loss + stage.wave_weight * wave
            terms["wave"] = wave.item()
        return torch.autograd.grad(loss, self._parameters, allow_unused=True), terms

    def _frames(self, stage: Stage, rng: np.random.Generator) -> Tensor | None:
        """The frames that a step looks at: some of the attack always, the others by lot."""
        total = self.config.model.spectral.frames
        if not 0 < stage.frames < total:
            return None
        others = np.setdiff1d(np.arange(total), ATTACK_FRAMES)
        drawn = rng.choice(others, stage.frames - len(ATTACK_FRAMES), replace=False)
        return torch.from_numpy(np.sort(np.concatenate([ATTACK_FRAMES, drawn])))

    def _paint(self, stage: Stage, latent: Tensor, batch: Batch, frames: Tensor | None) -> tuple[Tensor, Tensor]:
        """(what the voice paints, what it should have painted) at the stage's resolution."""
        generator = self.voice.generator
        if stage.kind == "heads":
            target = batch.picture if frames is None else batch.picture[:, :, frames]
            return generator.heads_only(latent, batch.pitch, frames), target
        if stage.coarse > 0:
            made = self.voice.coarse_picture(latent, batch.pitch, stage.coarse, torch.bfloat16)
            return made, functional.avg_pool2d(batch.picture, 1 << stage.coarse)
        return generator(latent, batch.pitch, torch.bfloat16), batch.picture

    def _set_rates(self, stage: Stage, done: float) -> None:
        rates = {"net": stage.lr_net, "heads": stage.lr_heads, "codes": stage.lr_codes}
        warm = min(1.0, (done * stage.samples + stage.batch) / min(WARM_UP_SAMPLES, 0.1 * stage.samples + 1))
        fall = min(1.0, LAST_RATE + (1.0 - LAST_RATE) * (1.0 - done) / stage.decay) if stage.decay > 0 else 1.0
        for group in self.optimiser.param_groups:
            group["lr"] = rates[group["name"]] * min(warm, fall)


def anchor_name(anchor: Anchor) -> str:
    """The name and layer of an anchor in one line."""
    return f"{anchor.instrument.name} v{anchor.velocity}"


def train(config: TrainConfig, options: TrainOptions, report: Report | None = None) -> Path:
    """Train, or go on with training, and leave a checkpoint; returns its path.

    Raises:
        SettingsError: the run's folder belongs to other instruments.
        CheckpointError, FileFormatError: what is on disk cannot be used.
    """
    config = replace(config, shards=options.threads)
    os.nice(options.niceness)
    prepare_thread()
    keep_freed_memory()
    options.run.mkdir(parents=True, exist_ok=True)
    dataset = Dataset.open(options.dataset)
    make_pictures(dataset, TorchCodec(config.model.spectral, "centred").encode)
    run = Run(config, dataset)
    if not resume(run, options.run) and options.start is not None:
        start_from_model(run, options.start)
    if options.compile:
        run.compile()
    with suppress(KeyboardInterrupt):  # a pause: what was learnt is saved below
        _learn(run, options, min(config.samples, options.samples or config.samples), report)
    return save(run, options.run)


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
    return save_checkpoint(
        folder, run.config, run.samples_seen, run.anchor_names, run.voice, run.average, run.optimiser
    )


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
    restore(checkpoint, run.voice, run.average, run.optimiser)
    run.samples_seen = checkpoint.samples_seen
    return True


def start_from_model(run: Run, directory: Path) -> None:
    """Begin with an exported model's weights, and its codes where anchor and velocity are the same.

    Raises:
        ModelError: the directory is no model.
        CheckpointError: the model has other sizes than the run's configuration.
    """
    manifest = read_manifest(directory)
    load_arrays(run.voice.generator, read_arrays((directory / manifest.graph.file).read_bytes()))
    known = {(anchor.name, layer.velocity): layer.code for anchor in manifest.anchors for layer in anchor.layers}
    with torch.no_grad():
        for index, anchor in enumerate(run.feed.anchors):
            code = known.get((anchor.instrument.name, anchor.velocity))
            if code is not None:
                run.voice.codes[index] = torch.tensor(code[: run.config.model.code_size])
    run.average = Average(run.voice, run.config.average_half_life)


def _stage_end(config: TrainConfig, samples_seen: int) -> int:
    """Samples at which the stage of this moment ends."""
    index, _ = config.stage_at(samples_seen)
    return sum(stage.samples for stage in config.stages[: index + 1])
