"""Windowed Fourier frames and the overlap-add that undoes them.

The window is the periodic Hann; with a hop of a quarter of its length the squares of four overlapping windows sum to
1.5 at every sample, so multiplying by ``hann / 1.5`` on the way back makes the round trip exact wherever four frames
overlap. All the padding is on the left, so the last three hops of a note fade out instead: the format's built-in
96 ms release.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth_app.spectral.config import SpectralConfig


def hann(length: int) -> NDArray[np.float64]:
    """Periodic Hann window, float64 ``[length]``."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)


def stft(wave: NDArray[np.floating], config: SpectralConfig) -> NDArray[np.complex128]:
    """Analyse one note.

    Args:
        wave: ``[config.samples]``; full scale is +-1.

    Returns:
        complex128 ``[frames, bins]``: column ``k`` is Fourier bin ``k + 1`` (DC is dropped, Nyquist is kept).

    Raises:
        ValueError: when the length is not ``config.samples``.
    """
    if wave.shape != (config.samples,):
        raise ValueError(f"a note has {config.samples} samples, got shape {wave.shape}")
    padded = np.concatenate([np.zeros(config.pad_samples), wave.astype(np.float64)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, config.fft_size)[:: config.hop_samples]
    spectrum: NDArray[np.complex128] = np.fft.rfft(frames * hann(config.fft_size), axis=1)
    return spectrum[:, 1:]


def istft(spectrum: NDArray[np.complex128], config: SpectralConfig) -> NDArray[np.float64]:
    """Overlap-add any number of frames; the inverse of :func:`stft` with its padding still in front.

    Args:
        spectrum: ``[frames, bins]``, DC dropped as in :func:`stft`; any number of frames.

    Returns:
        float64 ``[(frames - 1) * hop + fft_size]``.
    """
    frames = spectrum.shape[0]
    with_dc = np.concatenate([np.zeros((frames, 1)), spectrum], axis=1)
    grains = np.fft.irfft(with_dc, n=config.fft_size, axis=1) * (hann(config.fft_size) / 1.5)
    hop, overlap = config.hop_samples, config.fft_size // config.hop_samples
    out = np.zeros((frames + overlap - 1, hop))
    for part in range(overlap):
        out[part : part + frames] += grains[:, part * hop : (part + 1) * hop]
    return out.reshape(-1)
