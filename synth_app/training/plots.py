"""Pictures of notes, real above painted, for the eye."""

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import torch

from synth_app.training.feed import Batch
from synth_app.training.harmonics import LOWEST_PITCH

if TYPE_CHECKING:
    from synth_app.training.evaluate import Judge

SHOWN = 6


def plot_notes(judge: "Judge", batch: Batch, folder: Path) -> None:
    """``notes.png``: levels of a few held-out notes, real, whole generator, heads alone."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = torch.linspace(0, len(batch.pitch) - 1, min(SHOWN, len(batch.pitch))).long()
    latent, pitch = judge.latents(batch.anchor[rows]), batch.pitch[rows]
    variants = {"real": batch.picture[rows]} | {
        name: judge.paint(paint, latent, pitch) for name, paint in judge.paints().items()
    }
    figure, axes = pyplot.subplots(len(variants), len(rows), figsize=(4 * len(rows), 3 * len(variants)), squeeze=False)
    for line, (name, pictures) in zip(axes, variants.items(), strict=True):
        for axis, picture, row in zip(line, pictures, rows.tolist(), strict=True):
            axis.imshow(picture[0, :, :512].T.numpy(), origin="lower", aspect="auto", vmin=-0.65, vmax=0.75)
            instrument = judge.anchors[int(batch.anchor[row])].instrument.name
            axis.set_title(f"{name}: {instrument} {int(batch.pitch[row]) + LOWEST_PITCH}", fontsize=8)
            axis.axis("off")
    folder.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(folder / "notes.png", dpi=60)
    pyplot.close(figure)
