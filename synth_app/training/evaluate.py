"""How good a voice is, measured: in tune, near to the real notes, recognisable, level, and various.

Everything is measured on the decoded sound, encoded again, so that the decoder's own loss is part of every figure and
of the ceiling (real notes through the same representation) beside it. Three variants are measured: the whole
generator, its heads alone, and its net alone.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth_app.training import metrics
from synth_app.training.codec import TorchCodec
from synth_app.training.data import Dataset
from synth_app.training.features import denormalise
from synth_app.training.feed import Batch, NoteFeed
from synth_app.training.harmonics import LOWEST_PITCH
from synth_app.training.runs import load_voice
from synth_app.training.voice import Voice

CHUNK = 8
DIVERSITY_PITCH = 60
Paint = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How much to measure.

    Attributes:
        notes: of each kind (trained, held out).
        draws: random latents from N(0, I).
        seed: chooses notes and latents.
        plots: folder for pictures, or ``None`` for none.
    """

    notes: int = 160
    draws: int = 64
    seed: int = 5
    plots: Path | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """Sounds on the scales: all [N] but the pictures, log-mel [N, T, F] of the decoded sounds."""

    cents: NDArray[np.float64]
    lsd_db: NDArray[np.float64]
    convergence: NDArray[np.float64]
    level_db: NDArray[np.float64]
    consistency: NDArray[np.float64]


class Judge:
    """Measures a voice against the notes of a data set."""

    def __init__(self, voice: Voice, feeds: dict[str, NoteFeed], options: EvaluateOptions) -> None:
        self.voice, self.feeds, self.options = voice.eval(), feeds, options
        self.codec = TorchCodec(voice.generator.config.spectral, "centred")
        rng = np.random.default_rng(options.seed)
        self.noise = torch.from_numpy(rng.standard_normal((1, voice.generator.config.latent_size), np.float32))
        self.anchors = feeds["trained"].anchors
        pitches = sorted(set(feeds["trained"].table[:, 2].tolist()) | set(feeds["held-out"].table[:, 2].tolist()))
        self.pitches = [int(pitch) for pitch in pitches]

    def paints(self) -> dict[str, Paint]:
        """The variants: latent, pitch -> picture. A voice whose net is silent has only one."""
        generator = self.voice.generator
        if not generator.rgb.weight.any():
            return {"heads": generator.heads_only}
        variants: dict[str, Paint] = {"full": generator, "heads": generator.heads_only}
        if generator.head is not None:
            variants["net"] = self._net
        return variants

    def _net(self, latent: Tensor, pitch: Tensor) -> Tensor:
        generator = self.voice.generator
        _, h = generator.base(latent, pitch)
        return torch.tanh(generator.pitch_bias[pitch][:, :, None] + generator.paint(latent, pitch, h))

    def latents(self, anchor: Tensor) -> Tensor:
        """The anchors as they are exported: code and the one shared draw of noise."""
        return self.voice.latents(anchor, self.noise.expand(len(anchor), -1), 0.0)

    @torch.no_grad()
    def judge(self, batch: Batch, picture: Tensor) -> Judged:
        """Compare painted pictures with the notes they should be."""
        parts = []
        for start in range(0, len(picture), CHUNK):
            rows = slice(start, start + CHUNK)
            parts.append(self._judge(batch.wave[rows], batch.pitch[rows], picture[rows]))
        return Judged(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _judge(self, real: Tensor, pitch: Tensor, picture: Tensor) -> tuple[NDArray[np.float64], ...]:
        log_mel, inst_freq = denormalise(picture)
        wave = self.codec.decode(log_mel, inst_freq)
        heard, _ = self.codec.encode(wave)
        wanted, _ = self.codec.encode(real)
        linear = [self.codec.magnitude(mel) for mel in (log_mel, heard)]
        tensors = (
            metrics.log_spectral_distance_db(heard, wanted), metrics.spectral_convergence(wave, real),
            metrics.level_error_db(wave, real), metrics.consistency(*linear),
        )  # fmt: skip
        cents = metrics.pitch_errors_cents(wave, pitch.numpy() + LOWEST_PITCH)
        return (cents, *(value.double().numpy() for value in tensors))

    @torch.no_grad()
    def paint(self, paint: Paint, latent: Tensor, pitch: Tensor) -> Tensor:
        """In small batches."""
        return torch.cat([
            paint(latent[start : start + CHUNK], pitch[start : start + CHUNK]) for start in range(0, len(pitch), CHUNK)
        ])  # fmt: skip

    def real_at(self, pitch: int) -> tuple[NDArray[np.int64], Tensor]:
        """(anchor indices, level pictures [N, T, F]) of every anchor that has a real note at a pitch index."""
        found: dict[int, Tensor] = {}
        for feed in self.feeds.values():
            rows = np.flatnonzero(feed.table[:, 2] == pitch)
            if len(rows):
                batch = feed.load(rows)
                found |= dict(zip(batch.anchor.tolist(), batch.picture[:, 0], strict=True))
        order = sorted(found)
        return np.array(order), torch.stack([found[anchor] for anchor in order])

    def retrieval(self, paint: Paint, kind: str) -> tuple[float, float]:
        """(top-1, top-3): is the real note nearest to a painted one of the same instrument? Six pitches."""
        first = third = total = 0
        feed = self.feeds[kind]
        for pitch in self.pitches[4::10][:6]:
            rows = np.flatnonzero(feed.table[:, 2] == pitch)[:40]
            if len(rows) == 0:
                continue
            wanted = feed.table[rows, 0]
            made = self.paint(paint, self.latents(torch.from_numpy(wanted)), torch.full((len(rows),), pitch))[:, 0]
            order, real = self.real_at(pitch)
            names = np.array([self.anchors[anchor].instrument.name for anchor in order])
            for picture, anchor in zip(made, wanted.tolist(), strict=True):
                ranked = names[torch.argsort((real - picture).abs().mean(dim=(1, 2))).numpy()]
                unique = list(dict.fromkeys(ranked.tolist()))
                name = self.anchors[anchor].instrument.name
                first += unique[0] == name
                third += name in unique[:3]
                total += 1
        return first / max(total, 1), third / max(total, 1)

    def diversity(self, paint: Paint) -> tuple[float, float]:
        """Mean LSD between anchors at middle C: (painted, real)."""
        order, real = self.real_at(DIVERSITY_PITCH - LOWEST_PITCH)
        keep = np.linspace(0, len(order) - 1, min(40, len(order))).astype(int)
        anchors = torch.from_numpy(order[keep])
        made = self.paint(paint, self.latents(anchors), torch.full((len(keep),), DIVERSITY_PITCH - LOWEST_PITCH))
        pictures = [denormalise(torch.stack([level, level], dim=1))[0] for level in (made[:, 0], real[keep])]
        return metrics.pairwise_lsd_db(pictures[0]), metrics.pairwise_lsd_db(pictures[1])


def summarise(judged: Judged) -> dict[str, float]:
    """The figures of one row of the report."""
    heard = judged.cents[np.isfinite(judged.cents)]
    return {
        "strict_pitch": float((np.abs(judged.cents) < 50).mean()),
        "within_15_cents": float((np.abs(judged.cents) < 15).mean()),
        "median_cents": float(np.median(np.abs(heard))) if len(heard) else float("inf"),
        "lsd_db": float(np.median(judged.lsd_db)),
        "convergence": float(np.median(judged.convergence)),
        "level_db": float(np.median(judged.level_db)),
        "consistency": float(np.median(judged.consistency)),
    }


def evaluate_model(run: Path, dataset: Path, out: Path, options: EvaluateOptions | None = None) -> dict[str, Any]:
    """Measure the newest checkpoint of a run against its data set; writes ``report.md``, ``report.json`` and a plot.

    Raises:
        CheckpointError, FileFormatError, SettingsError: what is on disk cannot be used.
    """
    notes = Dataset.open(dataset)
    trained, held_out = NoteFeed(notes, waves=True), NoteFeed(notes, held_out=True, waves=True)
    voice, _ = load_voice(run, trained)
    report = evaluate_voice(voice, trained, held_out, options or EvaluateOptions(plots=out))
    write_report(report, out)
    return report


@torch.no_grad()
def evaluate_voice(
    voice: Voice, trained: NoteFeed, held_out: NoteFeed, options: EvaluateOptions | None = None
) -> dict[str, Any]:
    """Measure a voice; returns plain figures by row name, ready for ``write_report``.

    ``trained`` and ``held_out`` are feeds with waves. Rows: the ceiling, two baselines (a semitone off, another
    instrument), and for each variant the trained notes, the held-out notes and random draws.
    """
    options = options or EvaluateOptions()
    judge = Judge(voice, {"trained": trained, "held-out": held_out}, options)
    rng = np.random.default_rng(options.seed)
    batches = {
        kind: feed.load(np.sort(rng.permutation(len(feed))[: options.notes])) for kind, feed in judge.feeds.items()
    }
    held = batches["held-out"]
    report: dict[str, Any] = {"real notes through the codec, held-out": summarise(judge.judge(held, held.picture))}
    report |= _baselines(judge, held_out, held)
    draws = torch.from_numpy(rng.standard_normal((options.draws, judge.noise.shape[1]), np.float32))
    pitches = torch.from_numpy(rng.choice(judge.pitches, options.draws))
    for variant, paint in judge.paints().items():
        for kind, batch in batches.items():
            made = judge.paint(paint, judge.latents(batch.anchor), batch.pitch)
            row = summarise(judge.judge(batch, made))
            row["top_1"], row["top_3"] = judge.retrieval(paint, kind)
            report[f"{variant}, {kind}"] = row
        report[f"{variant}, random draws"] = _draws(judge, paint, draws, pitches)
        painted, real = judge.diversity(paint)
        report[f"{variant}, diversity"] = {"painted_db": painted, "real_db": real}
    if options.plots is not None:
        from synth_app.training.plots import plot_notes

        plot_notes(judge, held, options.plots)
    return report


def _baselines(judge: Judge, feed: NoteFeed, batch: Batch) -> dict[str, dict[str, float]]:
    """What a wrong note costs on the same scales: the held-out notes against each other."""
    everything = {kind: other.table for kind, other in judge.feeds.items()}
    rows: dict[str, list[int]] = {"semitone": [], "instrument": []}
    kept: dict[str, list[int]] = {"semitone": [], "instrument": []}
    table = everything["trained"]
    for index, (anchor, pitch) in enumerate(zip(batch.anchor.tolist(), batch.pitch.tolist(), strict=True)):
        near = np.flatnonzero((table[:, 0] == anchor) & (np.abs(table[:, 2] - pitch) == 1))
        other = np.flatnonzero((table[:, 0] != anchor) & (table[:, 2] == pitch))
        for name, choices in (("semitone", near), ("instrument", other)):
            if len(choices):
                rows[name].append(int(choices[index % len(choices)]))
                kept[name].append(index)
    result = {}
    for name, label in (("semitone", "real, a semitone off"), ("instrument", "real, another instrument")):
        wrong = judge.feeds["trained"].load(np.array(rows[name]))
        those = torch.tensor(kept[name])
        right = Batch(batch.anchor[those], batch.pitch[those], batch.picture[those], batch.wave[those])
        result[label] = summarise(judge.judge(right, wrong.picture))
    return result


def _draws(judge: Judge, paint: Paint, latents: Tensor, pitches: Tensor) -> dict[str, float]:
    picture = judge.paint(paint, latents, pitches)
    waves = torch.cat([judge.codec.decode(*denormalise(picture[i : i + CHUNK])) for i in range(0, len(picture), CHUNK)])
    cents = metrics.pitch_errors_cents(waves, pitches.numpy() + LOWEST_PITCH)
    rms = waves.square().mean(dim=1).sqrt()
    return {
        "strict_pitch": float((np.abs(cents) < 50).mean()),
        "within_15_cents": float((np.abs(cents) < 15).mean()),
        "rms_median": float(rms.median()),
        "silent": float((rms < 1e-3).float().mean()),
        "peak_over_1": float((waves.abs().amax(dim=1) > 1.0).float().mean()),
    }


COLUMNS = ("strict_pitch", "within_15_cents", "lsd_db", "convergence", "level_db", "consistency", "top_1", "top_3")


def as_markdown(report: dict[str, Any]) -> str:
    """The report as a table; rows without a column's figure leave it empty."""
    lines = ["| notes | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    extra = []
    for name, row in report.items():
        if "lsd_db" in row:
            cells = [f"{row[column]:.2f}" if column in row else "" for column in COLUMNS]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        else:
            extra.append(f"- {name}: " + ", ".join(f"{key} {value:.3f}" for key, value in row.items()))
    return "\n".join([*lines, "", *extra]) + "\n"


def write_report(report: dict[str, Any], folder: Path) -> None:
    """``report.json`` and ``report.md`` in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    (folder / "report.md").write_text("# How good this model is\n\n" + as_markdown(report))
