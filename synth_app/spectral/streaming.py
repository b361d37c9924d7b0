"""The decoder as a stream: frames in, samples out, with a state that can be copied and fast-forwarded.

However the frames of a note are split over calls, the samples are those of ``codec.decode``. The state is one phase
for each bin, the last frame's power (the phase lock looks one frame back) and three hops of overlap, some 20 kB at
16 kHz; ``fork`` copies it, so a held note can be continued in two ways and a cached note entered in its middle.

With a ``rate_factor`` the inverse transform is longer and zero above the old Nyquist frequency, so a 16 kHz model
speaks 48 or 96 kHz directly: exact band-limited interpolation, frame by frame, with nothing to prime or to flush.
"""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from synth_app.spectral import kernels
from synth_app.spectral.config import PhaseConvention, SpectralConfig
from synth_app.spectral.inst_freq import centre_signs
from synth_app.spectral.mel import MelTable, mel_table
from synth_app.spectral.stft import hann


class StreamingDecoder:
    """Decodes one note frame by frame. Used from one thread at a time; different decoders may run in parallel.

    The first ``config.pad_hops`` hops of a note's output are its padding: a whole note is everything that ``push``
    and ``tail`` return, less ``config.pad_samples * rate_factor`` samples. Building one makes the tables; ``fork`` an
    unused decoder to start further notes.

    Args:
        config: the geometry.
        convention: what ``inst_freq`` means.
        rate_factor: output rate over ``config.sample_rate_hz``; 3 gives 48 kHz, 6 gives 96 kHz.
        start_frame: index of the first frame that will be pushed. In the centred convention a note may start at
            ``config.pad_frames``: the frames before it are not heard and carry no phase.
        table: ``mel_table(config)``, when the caller keeps one.

    Raises:
        ValueError: when ``rate_factor`` is not a positive whole number.
    """

    def __init__(
        self,
        config: SpectralConfig,
        convention: PhaseConvention,
        rate_factor: int = 1,
        start_frame: int = 0,
        table: MelTable | None = None,
    ) -> None:
        if rate_factor < 1:
            raise ValueError(f"rate_factor must be 1 or more, got {rate_factor}")
        self._config = config
        self._convention = convention
        self._rate_factor = rate_factor
        self._table = table or mel_table(config)
        signs = np.ones(config.bins) if convention == "magenta" else centre_signs(config.bins)
        if rate_factor > 1:
            signs[-1] *= 0.5  # what was Nyquist now has a mirror image of its own
        self._signs = signs.astype(np.float32)
        # The longer inverse transform divides by its length; the level must not.
        self._window = (hann(config.fft_size * rate_factor) * (rate_factor / 1.5)).astype(np.float32)
        self._frame = start_frame
        self._phase = np.zeros(config.bins)
        self._power = np.zeros(config.bins)
        self._overlap = np.zeros((config.fft_size - config.hop_samples) * rate_factor, np.float32)

    @property
    def frame(self) -> int:
        """Index of the next frame."""
        return self._frame

    @property
    def hop_samples(self) -> int:
        """Samples that each frame finishes, at the output's rate."""
        return self._config.hop_samples * self._rate_factor

    def push(self, log_mel: NDArray[np.floating], inst_freq: NDArray[np.floating]) -> NDArray[np.float32]:
        """Decode the next frames.

        Args:
            log_mel: natural log of mel power, ``[frames, bins]``.
            inst_freq: units of pi a hop, same shape.

        Returns:
            The samples those frames finish, float32 ``[frames * hop * rate_factor]``.

        Raises:
            ValueError: when the shapes differ or are not ``[frames, bins]``.
        """
        return self._synthesise(self._advance(log_mel, inst_freq, heard=log_mel.shape[0]))

    def skip(self, log_mel: NDArray[np.floating], inst_freq: NDArray[np.floating]) -> None:
        """Go on past some frames as if they had been pushed, at a fraction of the cost; arguments as for `push`."""
        still_heard = self._config.fft_size // self._config.hop_samples - 1
        self._synthesise(self._advance(log_mel, inst_freq, heard=min(still_heard, log_mel.shape[0])))

    def drift(self, log_mel: NDArray[np.floating], inst_freq: NDArray[np.floating]) -> NDArray[np.float32]:
        """Go on past some frames unheard, and say by how much the pull towards peaks turned every band.

        A partial's bands need not agree on its frequency; whichever leads them decides, and that is what is heard.

        Returns:
            What to add to each band's instantaneous frequency for the mean of what was heard, units of pi, ``[bins]``.
        """
        pulled = np.zeros(self._config.bins, np.complex128)
        if self._convention == "magenta":  # every bin by itself
            return np.zeros(self._config.bins, np.float32)
        for levels, steps in zip(log_mel, inst_freq, strict=True):
            before = self._phase.copy()
            self._advance(levels[None], steps[None], heard=0)
            own = np.pi * steps.astype(np.float64)[self._table.nearest]
            np.add.at(pulled, self._table.nearest, self._power * np.exp(1j * (self._phase - before - own)))
        return (np.angle(pulled) / np.pi).astype(np.float32)

    def tail(self) -> NDArray[np.float32]:
        """The overlap left by the last frames, float32 ``[3 * hop * rate_factor]``; the overlap is silence after."""
        tail = self._overlap
        self._overlap = np.zeros_like(tail)
        return tail

    def fork(self) -> StreamingDecoder:
        """An independent decoder in the same state; only the state is copied, the tables are shared."""
        twin = copy.copy(self)
        twin._phase = self._phase.copy()
        twin._power = self._power.copy()
        twin._overlap = self._overlap.copy()
        return twin

    def _advance(
        self, log_mel: NDArray[np.floating], inst_freq: NDArray[np.floating], heard: int
    ) -> NDArray[np.complex64]:
        """Move the phases over some frames; return the spectra of the last ``heard``, DC included."""
        config, table = self._config, self._table
        if log_mel.shape != inst_freq.shape or log_mel.ndim != 2 or log_mel.shape[1] != config.bins:
            raise ValueError(f"expected two [frames, {config.bins}], got {log_mel.shape} and {inst_freq.shape}")
        picture = np.ascontiguousarray(log_mel, np.float32), np.ascontiguousarray(inst_freq, np.float32)
        spectrum = np.empty((heard, config.bins + 1), np.complex64)
        if self._convention == "magenta":
            kernels.advance_magenta(*picture, table.band, table.inverse, self._signs, self._phase, spectrum)
        else:
            padding = max(0, config.pad_frames - self._frame)
            tables = table.band, table.inverse, table.nearest, self._signs
            kernels.advance_centred(*picture, *tables, padding, self._phase, self._power, spectrum)
        self._frame += log_mel.shape[0]
        return spectrum

    def _synthesise(self, spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Overlap-add some frames and return the hops they finish."""
        frames = spectrum.shape[0]
        out = np.empty(frames * self.hop_samples, np.float32)
        if frames:
            grains = np.fft.irfft(spectrum, n=self._config.fft_size * self._rate_factor, axis=1)
            kernels.overlap_add(grains, self._window, self._overlap, out)
        return out
