"""The table between linear bins and mel bands, with the quirks that GANSynth's weights were trained on.

It is not the mel matrix of textbooks. Its linear grid is stretched by 1024/1023 and shifted by one bin against the
Fourier bins it is applied to; its first row is empty; and a loop widens every band narrower than 1.5 bins *in place*
in an array that the next bands read their edges from, so each widening pushes all that follow. What comes out is
linear in frequency (0.75 bin a band) up to 5 kHz and mel above. A cleaner matrix would not play GANSynth's weights.

After Magenta's ``spectral_ops`` (Apache-2.0), re-derived; ``tests`` holds the kept coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from synth_app.spectral.config import SpectralConfig

Number = TypeVar("Number", np.float64, np.complex128)

_POWER_FLOOR = 1e-6
_MIN_BAND_BINS = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class MelTable:
    """The sparse pair of matrices, as two bands and two weights for each linear bin.

    Attributes:
        band: int32 ``[bins, 2]``, the (at most) two mel bands that linear bin ``k`` belongs to.
        forward: float64 ``[bins, 2]``, weights of linear bin ``k`` in those bands (the entries of M).
        inverse: float64 ``[bins, 2]``, weights of those bands in linear bin ``k`` (the entries of M's inverse).
        nearest: int32 ``[bins]``, the band of each linear bin with the greatest weight.
    """

    band: NDArray[np.int32]
    forward: NDArray[np.float64]
    inverse: NDArray[np.float64]
    nearest: NDArray[np.int32]

    def lin_to_mel(self, linear: NDArray[Number]) -> NDArray[Number]:
        """``linear @ M`` for real or complex ``[frames, bins]``."""
        return linear @ self.dense_forward().astype(linear.dtype)

    def mel_to_lin(self, mel: NDArray[np.floating]) -> NDArray[np.float64]:
        """``mel @ inverse(M)`` for ``[frames, bins]``, as two gathers."""
        first, second = self.band.T
        return np.asarray(mel[:, first] * self.inverse[:, 0] + mel[:, second] * self.inverse[:, 1], dtype=np.float64)

    def dense_forward(self) -> NDArray[np.float64]:
        """M, float64 ``[linear, mel]``."""
        return _dense(self.band, self.forward)

    def dense_inverse(self) -> NDArray[np.float64]:
        """The approximate inverse of M, float64 ``[mel, linear]``."""
        return np.ascontiguousarray(_dense(self.band, self.inverse).T)


def mel_table(config: SpectralConfig) -> MelTable:
    """Build the table for ``config`` (some 50 ms; build it once and hand it on)."""
    dense = _mel_matrix(config.bins, config.nyquist_hz)
    # Magenta's inverse: the transpose, scaled so that a flat spectrum comes back flat.
    column_sums = dense @ dense.sum(axis=0)
    scale = np.divide(1.0, column_sums, out=np.zeros_like(column_sums), where=column_sums > 1e-8)
    order = np.argsort(dense == 0.0, axis=1, kind="stable")[:, :2].astype(np.int32)
    forward = np.take_along_axis(dense, order, axis=1)
    nearest = np.take_along_axis(order, np.argmax(forward, axis=1)[:, None], axis=1)[:, 0]
    return MelTable(order, forward, forward * scale[:, None], nearest)


def power_to_log_mel(magnitude: NDArray[np.floating], table: MelTable) -> NDArray[np.float64]:
    """Natural log of mel power from linear magnitudes, both ``[frames, bins]``; silence is ``log(1e-6)``."""
    power = np.square(magnitude + _POWER_FLOOR)
    return np.log(table.lin_to_mel(power) + _POWER_FLOOR)


def log_mel_to_magnitude(log_mel: NDArray[np.floating], table: MelTable) -> NDArray[np.float64]:
    """Linear magnitudes from the natural log of mel power, both ``[frames, bins]``; never below 1e-3."""
    return np.sqrt(table.mel_to_lin(np.exp(log_mel.astype(np.float64))) + _POWER_FLOOR)


def band_centres_hz(bins: int, nyquist_hz: float) -> NDArray[np.float64]:
    """Centres of the mel bands, float64 ``[bins]``."""
    return _band_edges_hz(bins, nyquist_hz)[1:-1]


def _dense(band: NDArray[np.int32], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    bins = band.shape[0]
    dense = np.zeros((bins, bins))
    for column in range(2):
        dense[np.arange(bins), band[:, column]] += weight[:, column]
    return dense


def _mel_matrix(bins: int, nyquist_hz: float) -> NDArray[np.float64]:
    """M, float64 ``[linear, mel]``: triangles on the stretched grid, first row empty."""
    grid_hz = np.linspace(0.0, nyquist_hz, bins)
    edges_hz = _band_edges_hz(bins, nyquist_hz)
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (grid_hz[1:, None] - low) / (centre - low)
    falling = (high - grid_hz[1:, None]) / (high - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return np.concatenate([np.zeros((1, bins)), weights])


def _band_edges_hz(bins: int, nyquist_hz: float) -> NDArray[np.float64]:
    """Edges of the bands, float64 ``[bins + 2]``: band ``i`` runs from edge ``i`` over ``i + 1`` to ``i + 2``."""
    edges = np.linspace(0.0, _hz_to_mel(np.float64(nyquist_hz)), bins + 2)
    width_hz = _MIN_BAND_BINS * nyquist_hz / bins
    for band in range(bins):
        low_hz, centre_hz, high_hz = _mel_to_hz(edges[band : band + 3])
        if high_hz - low_hz < width_hz:
            half_mel = 1127.0 * np.arcsinh(0.5 * width_hz / (centre_hz + 700.0))
            edges[band] = edges[band + 1] - half_mel
            edges[band + 2] = edges[band + 1] + half_mel
    return _mel_to_hz(edges)


def _hz_to_mel(hz: np.float64) -> np.float64:
    return np.float64(1127.0 * np.log1p(hz / 700.0))


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700.0 * np.expm1(mel / 1127.0))
