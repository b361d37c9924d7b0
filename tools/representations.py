"""Compare the representations of the GANSynth paper: the same short training for each, heard by the same ear.

    python tools/representations.py runs/dataset runs/representations [NAME ...]

Every representation gets the same instruments, notes and number of steps, one thread for some minutes, and a
generator of a quarter of GANSynth's width. Its ceiling (real notes through the codec and back) and its trained voice
are measured on held-out notes: strict pitch, and log-spectral distance and spectral convergence of the decoded sound,
always on the same mel picture and STFT. A row is written to ``table.md`` as soon as it is known; what is trained is
not trained again.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from synth_app.spectral.config import SpectralConfig
from synth_app.training import metrics
from synth_app.training.codec import TorchCodec, codec_for
from synth_app.training.config import Stage, TrainConfig
from synth_app.training.data import Dataset, take_from, write_list
from synth_app.training.features import denormalise
from synth_app.training.feed import Batch, NoteFeed
from synth_app.training.harmonics import LOWEST_PITCH
from synth_app.training.loop import TrainOptions, train
from synth_app.training.model import GeneratorConfig
from synth_app.training.representation import KINDS, Representation
from synth_app.training.runs import load_voice

INSTRUMENTS, NOTES = 4, 16
CHOICES = tuple((kind, high) for high in (True, False) for kind in KINDS)
STAGES = (
    Stage("heads", 12_000, batch=16, frames=24, lr_heads=4e-3, decay=0.5),
    Stage("net", 480, batch=4, lr_net=2e-3, lr_heads=3e-4, lr_codes=2e-4, wave_weight=0.1, wave_notes=1, decay=0.7),
)


def main(source: Path, out: Path, names: list[str]) -> None:
    """Train and measure each; rows go to ``out/table.md``."""
    torch.set_num_threads(1)
    listed = out / "instruments"
    if not (listed / "dataset.json").exists():
        chosen = take_from(source, listed, INSTRUMENTS)
        write_list(chosen, [entry for entry in chosen.instruments if not entry.held_out], chosen.options)
    dataset = Dataset.open(listed)
    known = {representation.name: representation for representation in (Representation(*one) for one in CHOICES)}
    for representation in (known[name] for name in names or known):
        started = time.process_time()
        model = GeneratorConfig(
            channels=(64, 64, 64, 64, 32, 16, 8), hidden=128, ranks=12, representation=representation
        )
        config = TrainConfig(model=model, stages=STAGES, average_half_life=120.0)
        run = out / representation.name
        train(config, TrainOptions(listed, run, threads=1, niceness=0, compile=False))
        spent = time.process_time() - started
        row = measure(dataset, run, config, spent)
        with (out / "table.md").open("a") as file:
            file.write(row + "\n")
        sys.stdout.write(row + "\n")
        sys.stdout.flush()


@torch.no_grad()
def measure(dataset: Dataset, run: Path, config: TrainConfig, spent_s: float) -> str:
    """One row of the table."""
    place = {"representation": config.model.representation, "spectral": config.model.spectral}
    trained = NoteFeed(dataset, **place)  # type: ignore[arg-type]
    held_out = NoteFeed(dataset, held_out=True, waves=True, **place)  # type: ignore[arg-type]
    voice, _ = load_voice(run, trained)
    codec = codec_for(config.model.representation, config.model.spectral)
    rows = np.random.default_rng(5).permutation(len(held_out))[:NOTES]
    sounds: dict[str, list[Tensor]] = {"real": [], "ceiling": [], "voice": []}
    pitches = []
    noise = torch.from_numpy(np.random.default_rng(6).standard_normal((1, config.model.latent_size), np.float32))
    for start in range(0, len(rows), 4):
        batch: Batch = held_out.load(rows[start : start + 4])
        latent = voice.latents(batch.anchor, noise.expand(len(batch.anchor), -1), 0.0)
        sounds["real"].append(batch.wave)
        sounds["ceiling"].append(codec.decode(*denormalise(batch.picture)))
        sounds["voice"].append(codec.decode(*denormalise(voice.generator(latent, batch.pitch))))
        pitches.append(batch.pitch.numpy() + LOWEST_PITCH)
    ear = TorchCodec(SpectralConfig(), "centred")
    real = torch.cat(sounds["real"])
    cells = []
    for name in ("ceiling", "voice"):
        heard = torch.cat(sounds[name])
        lsd = metrics.log_spectral_distance_db(ear.encode(heard)[0], ear.encode(real)[0])
        cents = np.abs(metrics.pitch_errors_cents(heard, np.concatenate(pitches)))
        convergence = metrics.spectral_convergence(heard, real)
        cells += [f"{100 * (cents < 50).mean():.0f}", f"{lsd.median():.2f}", f"{convergence.median():.3f}"]
    shape = f"{config.model.spectral.frames} x {config.model.spectral.bins}"
    return f"| {config.model.representation.name} | {shape} | " + " | ".join(cells) + f" | {spent_s:.0f} |"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
