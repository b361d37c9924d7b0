"""A tiny data set, made up here: two instruments of a few partials, 26 notes each, through the real builder."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import wavfile

from synth_app.training.data import BuildOptions, Dataset, build_dataset
from synth_app.training.pitch import hz_of

RATE = 16_000


def tone(pitch: int, partials: tuple[float, ...], seconds: float = 4.0) -> NDArray[np.float32]:
    """A steady harmonic tone that fades in the last second, float32 at 16 kHz."""
    time = np.arange(int(RATE * seconds)) / RATE
    wave = sum(
        level * np.sin(2 * np.pi * hz_of(pitch) * k * time)
        for k, level in enumerate(partials, start=1)
        if hz_of(pitch) * k < RATE / 2
    )
    return np.asarray(0.2 * wave * np.clip(seconds - time, 0.0, 1.0), np.float32)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root: Path = tmp_path_factory.mktemp("notes")
    for name, partials in (("dull", (1.0, 0.2)), ("bright", (0.6, 0.5, 0.4, 0.3, 0.2))):
        folder = root / "waves" / name
        folder.mkdir(parents=True)
        for pitch in range(48, 74):
            samples = (tone(pitch, partials) * 32_767).astype(np.int16)
            wavfile.write(folder / f"note-{pitch:03d}.wav", RATE, samples)
    options = BuildOptions(out_dir=root / "data", wave_folders=(root / "waves",), held_out_instruments=())
    return build_dataset(options)
