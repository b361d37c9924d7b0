"""How well ``synth-app fit`` finds instruments that the model was never trained on.

    python tools/fit_held_out.py runs/dataset models/default runs/fits

For each instrument that the data set holds out, eight notes are written as WAVs, as a player would have recorded them,
and fitted into a copy of the model. The other notes are then painted with the fitted anchor and with the nearest one
that the model knew before, decoded, and compared with the instrument itself. A row for each goes to ``table.md``.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from synth_app.adapters.model_manifest import read_manifest
from synth_app.adapters.onnx_writer import read_arrays
from synth_app.training import metrics
from synth_app.training.arrays import load_arrays, sizes_of
from synth_app.training.codec import codec_for
from synth_app.training.data import Dataset, InstrumentEntry
from synth_app.training.features import denormalise
from synth_app.training.fit import add_recordings
from synth_app.training.harmonics import LOWEST_PITCH
from synth_app.training.model import Generator

FITTED, HEARD = 8, 16


def main(source: Path, model: Path, out: Path) -> None:
    """Fit each held-out instrument and measure it on notes that were not used."""
    dataset, copy = Dataset.open(source), out / "model"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(model, copy)
    lines = ["| instrument | nearest anchor | its LSD dB | fitted LSD dB |", "|---|---|---|---|"]
    for entry in (entry for entry in dataset.instruments if entry.held_out):
        used, others = _split(entry)
        waves = dataset.waves(entry).astype(np.float32) / 32_767.0
        folder = out / "recordings" / f"{entry.name} recorded"
        folder.mkdir(parents=True)
        for row, pitch in used:
            soundfile.write(folder / f"{pitch}.wav", waves[row], 16_000)
        known = [(anchor.name, layer.code) for anchor in read_manifest(copy).anchors for layer in anchor.layers]
        fit = add_recordings(copy, folder)[folder.name]
        wave = torch.from_numpy(waves[[row for row, _ in others]])
        pitch = torch.tensor([pitch - LOWEST_PITCH for _, pitch in others])
        name, code = known[fit.nearest]
        before, after = (_distance_db(copy, torch.tensor(one), pitch, wave) for one in (code, fit.code.tolist()))
        lines.append(f"| {entry.name} | {name} | {before:.1f} | {after:.1f} |")
        sys.stdout.write(lines[-1] + "\n")
        sys.stdout.flush()
    (out / "table.md").write_text("\n".join(lines) + "\n")


def _split(entry: InstrumentEntry) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(row, pitch) of the notes to fit, and of some between them to measure."""
    loud = [(note.row, note.pitch) for note in entry.notes if note.layer == len(entry.velocities) - 1]
    places = np.linspace(0, len(loud) - 1, FITTED).round().astype(int).tolist()
    rest = [note for place, note in enumerate(loud) if place not in places]
    return [loud[place] for place in places], rest[:: max(1, len(rest) // HEARD)][:HEARD]


@torch.no_grad()
def _distance_db(model: Path, code: Tensor, pitch: Tensor, wave: Tensor) -> float:
    """Median log-spectral distance of decoded notes of one code from the instrument's own."""
    manifest = read_manifest(model)
    arrays = read_arrays((model / manifest.graph.file).read_bytes())
    sizes = sizes_of(manifest, arrays)
    generator = Generator(sizes).eval()
    load_arrays(generator, arrays)
    codec = codec_for(sizes.representation, sizes.spectral)
    latent = torch.cat([code, torch.tensor(manifest.shared_tail)]).expand(len(pitch), -1)
    made = codec.level(codec.decode(*denormalise(generator(latent, pitch))))
    return float(metrics.log_spectral_distance_db(made, codec.level(wave)).median())


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
