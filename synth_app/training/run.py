"""A training in progress, and what one step of it does. When to step is the loop's business."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from synth_app.training.adversary import NOBODY, Adversary, Labels
from synth_app.training.between import NOTES, Between, paint_between
from synth_app.training.codec import codec_for
from synth_app.training.config import Stage, TrainConfig
from synth_app.training.data import Dataset
from synth_app.training.ema import Average
from synth_app.training.epilogue import convolution_dtype, prepare_thread
from synth_app.training.features import denormalise
from synth_app.training.feed import Anchor, Batch, NoteFeed
from synth_app.training.growth import Growth
from synth_app.training.losses import ear_loss, loudness_loss, picture_loss, spectral_loss
from synth_app.training.voice import Voice, start_from_data

BETAS = (0.9, 0.99)
WARM_UP_SAMPLES = 2_000
LAST_RATE = 0.1
ATTACK_FRAMES = (0, 1, 3, 5)
"""Counted from the first frame that sounds."""
BETWEEN_WEIGHT = 0.5
"""Of what an onset learns from the net, beside what it learns from notes."""
FRAMES_BEHIND = 8
"""Of a real note, heard behind a painted onset: four complete it, and four more are cut off again."""

Gradients = tuple[Tensor | None, ...]


@dataclass(frozen=True, slots=True)
class Lot:
    """What a step draws: noise for the notes' latents [B, latent], and as many other latents with pitches, if any; for
    an onset, with what the net paints there [B, 2, T, F]."""

    noise: Tensor
    prior: Tensor
    prior_pitch: Tensor
    prior_picture: Tensor

    def rows(self, rows: slice) -> "Lot":
        """For some of the notes."""
        return Lot(self.noise[rows], self.prior[rows], self.prior_pitch[rows], self.prior_picture[rows])


class Run:
    """The voice, its average, its optimiser and its clock.

    Args:
        config: what to train. dataset: on which notes.
        feed: the data set's notes, if they are already open (with waves, if a stage listens to them).
        device: where the arithmetic is done, "cpu" or "cuda".
    """

    def __init__(
        self, config: TrainConfig, dataset: Dataset, feed: NoteFeed | None = None, device: str = "cpu"
    ) -> None:
        self.config, self.device = config, torch.device(device)
        model = config.model
        self.feed = feed or NoteFeed(
            dataset, waves=any(stage.listens for stage in config.stages),
            representation=model.representation, spectral=model.spectral,
        )  # fmt: skip
        torch.manual_seed(config.seed)
        self.voice = Voice(model, len(self.feed.anchors), config.levels, from_scratch=config.scratch)
        if not config.scratch:
            start_from_data(self.voice, self.feed, config.seed)
        self.voice.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Average(self.voice, config.average_half_life)
        groups = [
            {"params": self.voice.net_parameters(), "name": "net"},
            {"params": self.voice.head_parameters(), "name": "heads"},
            {"params": [self.voice.codes], "name": "codes"},
        ]
        if self.voice.onset_parameters():
            groups.append({"params": self.voice.onset_parameters(), "name": "onset"})
        self.optimiser = torch.optim.Adam(groups, lr=1e-3, betas=BETAS, fused=True)
        self.codec = codec_for(model.representation, model.spectral).to(self.device)
        self.precision = convolution_dtype(self.device)
        self.samples_seen = 0
        self.adversary: Adversary | None = None
        self._between: Between | None = None
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
        self._begin(stage, done)
        rng = np.random.default_rng([self.config.seed, 1, self.samples_seen])
        size, growth = len(batch.anchor), stage.growth(done)
        lot, batch = self._draw(stage, size, rng), batch.to(self.device)
        edges = np.linspace(0, size, min(self.config.shards, size) + 1).round().astype(int).tolist()
        rows = [slice(start, stop) for start, stop in pairwise(edges)]
        shares = [(shard.stop - shard.start) / size for shard in rows]
        frames = self._frames(stage, rng)
        jobs = [partial(self._gradients, stage, growth, batch.rows(shard), lot.rows(shard), frames) for shard in rows]
        results = list(self._pool.map(lambda job: job(), jobs))
        terms = _mean_terms(shares, [part for _, part, _ in results])
        self.optimiser.zero_grad()
        learning = self._learning(stage)
        for value, grads in zip(learning, zip(*(part for part, *_ in results), strict=True), strict=True):
            value.grad = _mean_gradient(shares, grads)
        used = [value for value in learning if value.grad is not None]
        terms["gradient"] = float(torch.nn.utils.clip_grad_norm_(used, self.config.clip_norm))
        self.optimiser.step()
        self.samples_seen += size
        self.average.update(self.voice, done * stage.samples + size, size)
        if self.adversary is not None and stage.adversarial > 0:
            made = torch.cat([part for *_, part in results])
            mixer = torch.Generator().manual_seed(self.config.seed + self.samples_seen)
            labels, real = Labels(batch.pitch, batch.anchor), growth.of(batch.picture)
            terms |= self.adversary.learn(real, made, labels, stage, growth, mixer, self.samples_seen // size)
        return terms

    def summon_adversary(self) -> Adversary:
        """The discriminator, made at its first use."""
        if self.adversary is None:
            torch.manual_seed(self.config.seed + 1)
            self.adversary = Adversary.fresh(self.config, len(self.feed.anchors), self.device)
        return self.adversary

    def _learning(self, stage: Stage) -> list[torch.nn.Parameter]:
        """What a stage may move."""
        return self.voice.onset_parameters() if stage.kind == "onset" else self._parameters

    def _begin(self, stage: Stage, done: float) -> None:
        """See that everything a step of this stage needs is there."""
        if stage.adversarial > 0:
            self.summon_adversary()
        if stage.kind == "onset" and done == 0.0:
            self.average.copy_to(self.voice)  # what it follows from is what will be exported
        if stage.fresh and done == 0.0:
            self.optimiser.state.clear()
            if self.adversary is not None:
                self.adversary.optimiser.state.clear()
        self._set_rates(stage, done)

    def _draw(self, stage: Stage, size: int, rng: np.random.Generator) -> Lot:
        """Noise for a batch, and random latents at pitches as common as in the data, if the stage wants them."""
        latent_size = self.config.model.latent_size
        noise = rng.standard_normal((size, latent_size), np.float32)
        if stage.kind == "onset" and stage.prior:
            between = self._drawn_between(stage, size, rng)
            return Lot(torch.from_numpy(noise).to(self.device), between.latent, between.pitch, between.picture)
        count = size if stage.prior else 0
        prior = rng.standard_normal((count, latent_size), np.float32)
        pitch = rng.choice(self.feed.table[:, 2], count)
        drawn, others, keys = (torch.from_numpy(part).to(self.device) for part in (noise, prior, pitch))
        return Lot(drawn, others, keys, torch.zeros(0, device=self.device))

    def _drawn_between(self, stage: Stage, size: int, rng: np.random.Generator) -> Between:
        """Notes of the net, which does not move while its onset is learnt: painted once, at the first need."""
        if self._between is None:
            assert self.voice.generator.onset is not None
            frames, notes = self.voice.generator.onset.frames, min(NOTES, stage.samples)
            self._between = paint_between(self.voice, frames, notes, self.config.seed, self.precision)
        rows = rng.integers(0, len(self._between.pitch), size)
        return self._between.rows(torch.from_numpy(rows).to(self.device))

    def _gradients(
        self, stage: Stage, growth: Growth, batch: Batch, lot: Lot, frames: Tensor | None
    ) -> tuple[Gradients, dict[str, float], Tensor]:
        """For a shard of a batch: gradients of all parameters, the loss terms, and what was painted."""
        count = len(batch.anchor) if stage.recon > 0 else 0
        latent = self.voice.latents(batch.anchor[:count], lot.noise[:count], self.config.code_noise)
        latent, pitch = torch.cat([latent, lot.prior]), torch.cat([batch.pitch[:count], lot.prior_pitch])
        made = self._paint(stage, growth, latent, pitch, frames)
        terms: dict[str, float] = {}
        loss = made.new_zeros(())
        if count:
            loss = self._likeness(stage, growth, made[:count], batch, frames, terms)
        if stage.kind == "onset" and stage.prior:
            parts = self.picture_loss(made[count:], lot.prior_picture)
            terms["between"] = parts.magnitude.item()
            loss = loss + BETWEEN_WEIGHT * (parts.magnitude + self.config.if_weight * parts.inst_freq)
        if stage.adversarial > 0 and self.adversary is not None:
            nobody = torch.full_like(lot.prior_pitch, NOBODY)
            labels = Labels(pitch, torch.cat([batch.anchor[:count], nobody]))
            lesson = self.adversary.lesson(made, labels, stage, growth)
            terms["lesson"] = lesson.item()
            loss = loss + stage.adversarial * lesson
        return torch.autograd.grad(loss, self._learning(stage), allow_unused=True), terms, made.detach()

    def _likeness(
        self, stage: Stage, growth: Growth, made: Tensor, batch: Batch, frames: Tensor | None, terms: dict[str, float]
    ) -> Tensor:
        """How far painted notes are from the notes that they should be; notes its terms."""
        target = batch.picture if frames is None else batch.picture[:, :, frames]
        target = target[:, :, : made.shape[2]] if stage.kind == "onset" else target
        parts = self.picture_loss(made, growth.of(target))
        loss = stage.recon * (parts.magnitude + self.config.if_weight * parts.inst_freq)
        terms |= {"magnitude": parts.magnitude.item(), "inst_freq": parts.inst_freq.item()}
        if stage.listens and frames is None:
            count = -(-stage.wave_notes * len(made) // stage.batch)
            batch = batch.rows(slice(count))
            made, wave = self._begun(made[:count], batch) if stage.kind == "onset" else (made[:count], batch.wave)
            loss = loss + self._listen(stage, made, batch.picture[:, :, : made.shape[2]], wave, terms)
        return loss

    def _begun(self, made: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Onsets with the next frames of their notes behind them, and the waves of so much."""
        assert self.voice.generator.onset is not None
        frames = made.shape[2] + FRAMES_BEHIND
        spectral = self.config.model.spectral
        samples = (frames - 1) * spectral.hop_samples + spectral.fft_size - spectral.pad_samples
        return self.voice.generator.onset.over(batch.picture[:, :, :frames], made), batch.wave[:, :samples]

    def _listen(self, stage: Stage, made: Tensor, picture: Tensor, target: Tensor, terms: dict[str, float]) -> Tensor:
        """How far painted notes sound from the notes that they should be, ``picture`` and ``target``; notes its terms.

        Where the notes go on, the last frames' grains lack those that follow: they are left out.
        """
        wave, cut = self.codec.decode(*denormalise(made)), self.codec.config.frames - picture.shape[2]
        if cut:
            kept = wave.shape[1] - self.codec.config.fft_size
            frames = picture.shape[2] - self.codec.config.fft_size // self.codec.config.hop_samples
            wave, target, picture = wave[:, :kept], target[:, :kept], picture[:, :, :frames]
        loss = wave.new_zeros(())
        if stage.wave_weight > 0.0:
            spectral = spectral_loss(wave, target)
            loss, terms["wave"] = loss + stage.wave_weight * spectral, spectral.item()
        if stage.ear_weight > 0.0:
            ear = ear_loss(self.codec.level(wave), denormalise(picture)[0])
            loss, terms["ear"] = loss + stage.ear_weight * ear, ear.item()
        if stage.loudness_weight > 0.0:
            loudness = loudness_loss(wave, target)
            loss, terms["loudness"] = loss + stage.loudness_weight * loudness, loudness.item()
        return loss

    def _frames(self, stage: Stage, rng: np.random.Generator) -> Tensor | None:
        """The frames that a step looks at: some of the attack always, the others by lot."""
        spectral = self.config.model.spectral
        if not 0 < stage.frames < spectral.frames:
            return None
        attack = np.array(ATTACK_FRAMES) + spectral.pad_frames
        others = np.setdiff1d(np.arange(spectral.frames), attack)
        drawn = rng.choice(others, stage.frames - len(attack), replace=False)
        return torch.from_numpy(np.sort(np.concatenate([attack, drawn]))).to(self.device)

    def _paint(self, stage: Stage, growth: Growth, latent: Tensor, pitch: Tensor, frames: Tensor | None) -> Tensor:
        """What the voice paints at the stage's resolution."""
        if stage.kind == "onset":
            return self.voice.generator.onset_only(latent.detach(), pitch)
        if stage.kind == "heads":
            return self.voice.generator.heads_only(latent, pitch, frames)
        return self.voice.picture(latent, pitch, growth, self.precision)

    def _set_rates(self, stage: Stage, done: float) -> None:
        rates = {"net": stage.lr_net, "heads": stage.lr_heads, "codes": stage.lr_codes, "onset": stage.lr_onset}
        warm = min(1.0, (done * stage.samples + stage.batch) / min(WARM_UP_SAMPLES, 0.1 * stage.samples + 1))
        fall = min(1.0, LAST_RATE + (1.0 - LAST_RATE) * (1.0 - done) / stage.decay) if stage.decay > 0 else 1.0
        for group in self.optimiser.param_groups:
            group["lr"] = rates[group["name"]] * min(warm, fall)
            group["betas"] = (stage.momentum, BETAS[1])


def anchor_name(anchor: Anchor) -> str:
    """The name and layer of an anchor in one line."""
    return f"{anchor.instrument.name} v{anchor.velocity}"


def _mean_gradient(shares: list[float], gradients: Gradients) -> Tensor | None:
    """The shards' gradients of one parameter, weighted by their size; ``None`` where it was not used."""
    parts = [share * gradient for share, gradient in zip(shares, gradients, strict=True) if gradient is not None]
    return reduce(torch.add, parts) if parts else None


def _mean_terms(shares: list[float], terms: list[dict[str, float]]) -> dict[str, float]:
    """The shards' loss terms, weighted by their size."""
    return {name: sum(share * part[name] for share, part in zip(shares, terms, strict=True)) for name in terms[0]}
