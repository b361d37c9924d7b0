"""From many notes to few numbers: what a row of the report says."""

import numpy as np
from numpy.typing import NDArray

from synth_app.training.evaluation.distribution import different_bins, frechet_ratio
from synth_app.training.evaluation.hearing import Heard
from synth_app.training.evaluation.modulation import HAS_LEVEL_DB, HAS_PITCH_CENTS

Array = NDArray[np.float64]
Numbers = dict[str, float]

STRICT_CENTS, NEAR_CENTS = 50.0, 15.0
SILENT_RMS = 1e-3


def note_figures(made: Heard, real: Heard, anchors: NDArray[np.int64]) -> Numbers:
    """Likenesses against the notes they should be, row by row; ``anchors`` [N] says whose they are."""
    figures = made.figures
    attack = np.abs(figures["attack_ms"] - real.figures["attack_ms"])
    return pitch_figures(figures) | {
        "lsd_db": _median(figures["lsd_db"]),
        "convergence": _median(figures["convergence"]),
        "level_error_db": _median(np.abs(figures["level_db"])),
        "level_bias_db": _median(figures["level_db"]),
        "consistency": _median(figures["consistency"]),
        "liveliness": _median(figures["liveliness"]),
        "attack_error_ms": _median(attack),
        "level_modulation": kept(figures["level_depth_db"], real.figures["level_depth_db"], anchors, HAS_LEVEL_DB),
        "pitch_modulation": kept(
            figures["pitch_depth_cents"], real.figures["pitch_depth_cents"], anchors, HAS_PITCH_CENTS
        ),
        "top_1": float((figures["rank"] < 1).mean()),
        "top_3": float((figures["rank"] < 3).mean()),
    }


def pitch_figures(figures: dict[str, Array]) -> Numbers:
    """How in tune notes are, by the tracker and by the judge. Entropy is the mean note's, in nats."""
    off = np.abs(figures["cents"])
    heard = off[np.isfinite(off)]
    return {
        "strict_pitch": float((off < STRICT_CENTS).mean()),
        "within_15_cents": float((off < NEAR_CENTS).mean()),
        "median_cents": _median(heard),
        "judged_pitch": float(figures["judged_pitch"].mean()),
        "pitch_entropy": float(figures["pitch_entropy"].mean()),
    }


def draw_figures(draws: Heard, reference: Array, cells: Array) -> Numbers:
    """Random draws: in tune, audible, within full scale, and how unlike real notes their kinds are."""
    figures = draws.figures
    return pitch_figures(figures) | {
        "rms_median": _median(figures["rms"]),
        "silent": float((figures["rms"] < SILENT_RMS).mean()),
        "peak_over_1": float((figures["peak"] > 1.0).mean()),
        "different_bins": different_bins(draws.summary, reference, cells),
    }


def crowd_figures(made: Heard, real: Heard, reference: Array, cells: Array, seed: int) -> Numbers:
    """The crowd of likenesses beside the crowd of real notes."""
    frechet = frechet_ratio(made.features, real.features, np.random.default_rng([seed, 3]))
    return {
        "frechet": frechet.made,
        "frechet_real": frechet.real,
        "frechet_ratio": frechet.ratio,
        "different_bins": different_bins(made.summary, reference, cells),
        "different_bins_real": different_bins(real.summary, reference, cells),
    }


def having(depth: Array, anchors: NDArray[np.int64], threshold: float) -> NDArray[np.int64]:
    """The anchors whose real notes' median depth of modulation [N] reaches a threshold."""
    known = np.unique(anchors)
    deep = [bool(np.median(depth[anchors == anchor]) >= threshold) for anchor in known]
    return np.asarray(known[np.array(deep)])


def kept(made: Array, real: Array, anchors: NDArray[np.int64], threshold: float) -> float:
    """Depth over real depth, the median over the notes of the anchors that have it; NaN where none has."""
    rows = np.isin(anchors, having(real, anchors, threshold)) & (real > 0.0)
    return _median(made[rows] / real[rows])


def _median(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")
