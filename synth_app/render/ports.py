"""What the render thread needs from a generator. Adapters implement it; nothing here knows ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from synth_app.spectral.config import PhaseConvention

FIRST_SLICE_FRAMES = 7
"""Frames 3..10 hold the first 128 ms of sound."""


@dataclass(frozen=True, slots=True)
class GeneratorInfo:
    """The facts about a generator that the instrument needs, read from ``model.toml``.

    Attributes:
        name: the model's directory name, for people.
        model_id: identity of the weights (SHA-256 of the graph file, or a fixed string for a built-in generator);
            part of every note key.
        latent_size: length of a latent ``z``.
        lowest_pitch, highest_pitch: MIDI notes the generator can render, inclusive.
        sample_rate_hz, fft_size, hop_samples: of the spectral representation.
        frames, bins: size of a whole note's spectrogram (128 x 1024).
        pad_frames: leading frames that hold only padding (3): they never need rendering.
        release_frame: first frame of the note's own release, by window centre (98 for a note held 3.0 s).
        phase_convention: how ``inst_freq`` is turned back into phase.
        provider: what runs it, in words for the status line ("CPU, 2 threads", "CUDA: ...", "partials (no model)").
        lanes: how many threads may call it at a time, each for a note of its own.
        onset_stop: frames before this one cost next to nothing and come all at once (0: there are none).
    """

    name: str
    model_id: str
    latent_size: int
    lowest_pitch: int
    highest_pitch: int
    sample_rate_hz: int
    fft_size: int
    hop_samples: int
    frames: int
    bins: int
    pad_frames: int
    release_frame: int
    phase_convention: PhaseConvention
    provider: str
    lanes: int = 1
    onset_stop: int = 0

    @property
    def first_stop(self) -> int:
        """The frame at which a note's first slice ends: what is needed before it sounds."""
        return self.onset_stop or self.pad_frames + FIRST_SLICE_FRAMES


@dataclass(frozen=True, slots=True)
class SpectralFrames:
    """A range of spectral frames in physical units.

    Attributes:
        log_mel: natural log of mel power, float32 ``[batch, frames, bins]``.
        inst_freq: instantaneous frequency in units of pi radians a hop, float32 ``[batch, frames, bins]``.
    """

    log_mel: NDArray[np.float32]
    inst_freq: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sound:
    """Whole notes, decoded where they were rendered.

    Attributes:
        log_mel, inst_freq: as in :class:`SpectralFrames`, but float16 ``[batch, frames of a whole note, bins]``.
        samples: decoded from those, float32 ``[batch, samples of a whole note]``.
    """

    log_mel: NDArray[np.float16]
    inst_freq: NDArray[np.float16]
    samples: NDArray[np.float32]


class Generator(Protocol):
    """Renders spectral frames from latents and pitches. Called from at most ``info.lanes`` threads at a time."""

    @property
    def info(self) -> GeneratorInfo: ...

    def render(
        self, latents: NDArray[np.float32], pitches: NDArray[np.int64], start_frame: int, stop_frame: int
    ) -> SpectralFrames:
        """Render frames ``start_frame..stop_frame`` (half-open) of one note for each row.

        Any range equals the same range of the whole note, so a note may be rendered in slices.

        Args:
            latents: float32 ``[batch, latent_size]``.
            pitches: MIDI notes, int64 ``[batch]``, each within the generator's range.
            start_frame, stop_frame: ``0 <= start < stop <= frames``.
        """
        ...

    def close(self) -> None:
        """Free the session; the generator may not be used afterwards."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Frames of a note, and the latent that they should be changed to.

    Attributes:
        frames: ``[1, n, bins]`` of the note at ``from_latent``. places: their numbers, int64 ``[n]``.
        from_latent, to_latent: float32 ``[latent_size]``. pitch: a MIDI note.
        chord: the notes that will follow to the same latent, which cost less together.
    """

    frames: SpectralFrames
    places: NDArray[np.int64]
    from_latent: NDArray[np.float32]
    to_latent: NDArray[np.float32]
    pitch: int
    chord: Sequence[int] = ()


@runtime_checkable
class SketchingGenerator(Generator, Protocol):
    """A generator that may know at once, and nearly, what another latent would make of frames."""

    def sketch(self, change: Change) -> SpectralFrames | None:
        """The frames as they would about be at the other latent; ``None``: it has no such short cut.

        Unlike :meth:`render` it may be called from one thread more than ``info.lanes``.
        """
        ...


@runtime_checkable
class DecodingGenerator(Generator, Protocol):
    """A generator that may run on a device where a whole note with its sound costs no more than a slice."""

    def sound(self, latents: NDArray[np.float32], pitches: NDArray[np.int64], rate_factor: int) -> Sound | None:
        """Whole notes with their sound at ``rate_factor`` times the model's rate; ``None``: better ask for slices."""
        ...
