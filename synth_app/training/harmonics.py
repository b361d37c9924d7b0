"""Where the partials of a note lie: the fixed features that the harmonic heads are written in.

A column at frequency f belongs to partial ``round(f / f0)`` of the note, and ``bump`` is 1 on the partial and falls
off with 1.5 Fourier bins. The heads speak about partials and formants in these terms, so what they learn at one pitch
holds at every other.
"""

import numpy as np
from numpy.typing import NDArray

from synth_app.spectral.config import SpectralConfig
from synth_app.training.representation import Representation

LOWEST_PITCH = 24
PITCH_COUNT = 61
FEATURES = 16
BASIS_RMS = 0.5
OWN_SHARE, BLURS = 0.3, ((1.5, 0.5), (4.0, 0.6), (12.0, 0.5))
"""Of a pitch's code: the key itself, and Gaussians over its neighbours (width in semitones, share)."""
_BUMP_BINS = 1.5


def fundamentals_hz() -> NDArray[np.float64]:
    """Frequencies of the pitches 24..84, shape [61]."""
    pitches = LOWEST_PITCH + np.arange(PITCH_COUNT)
    return np.asarray(440.0 * 2.0 ** ((pitches - 69.0) / 12.0))


def pitch_codes(blur: bool) -> NDArray[np.float32]:
    """How each pitch is told to the network, [pitch, 61]: alone (one-hot), or with its neighbours mixed in.

    Neighbouring keys of an instrument share a sample or a string. A one-hot hides that: what a network learns of one
    pitch says nothing about the next, and a note that training never saw is painted like the average instrument's.
    Gaussians of three widths beside the key itself cost no arithmetic in the exported graph (the first layers' weights
    take them in) and brought held-out notes from 6.36 to 5.96 dB, trained ones from 5.89 to 5.61, after the same
    40,000 samples (docs/training.md). Rows have unit length, as one-hots have.
    """
    alone = np.eye(PITCH_COUNT)
    if not blur:
        return alone.astype(np.float32)
    distance = np.arange(PITCH_COUNT)[:, None] - np.arange(PITCH_COUNT)
    codes = OWN_SHARE * alone
    for width, share in BLURS:
        bump = np.exp(-0.5 * (distance / width) ** 2)
        codes = codes + share * bump / np.linalg.norm(bump, axis=1, keepdims=True)
    return np.asarray(codes / np.linalg.norm(codes, axis=1, keepdims=True), np.float32)


def partials(config: SpectralConfig, representation: Representation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(harmonic number n = f/f0, bump g), both [61, bins]."""
    centres = representation.centres_hz(config)
    fundamentals = fundamentals_hz()[:, None]
    number = centres / fundamentals
    nearest = np.round(np.maximum(number, 1.0)) * fundamentals
    width_hz = _BUMP_BINS * config.sample_rate_hz / config.fft_size
    return number, np.exp(-0.5 * ((centres - nearest) / width_hz) ** 2)


def raw_basis(
    config: SpectralConfig, representation: Representation, partial_count: int, cosine_count: int
) -> NDArray[np.float64]:
    """The head's basis phi before scaling, [61, P + 2 Q, bins]: P single partials, Q cosines, Q cosines on partials."""
    number, bump = partials(config, representation)
    tonal = bump * (number >= 0.5)
    rounded = np.round(number)
    order = np.arange(1, partial_count + 1)[None, :, None]
    single = tonal[:, None] * (rounded[:, None] == order)
    place = np.arange(config.bins) / (config.bins - 1)
    cosines = np.cos(np.pi * np.arange(cosine_count)[:, None] * place)
    everywhere = np.broadcast_to(cosines, (PITCH_COUNT, *cosines.shape))
    return np.concatenate([single, everywhere, tonal[:, None] * cosines], axis=1)


def basis_scale(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """One constant for each basis function, [K]: brings its RMS over pitches and bins to 0.5."""
    return np.asarray(BASIS_RMS / np.sqrt((raw**2).mean(axis=(0, 2))))


def harmonic_features(config: SpectralConfig, representation: Representation) -> NDArray[np.float64]:
    """phi16, [61, 16, bins]: the position between partials and in octaves, told in cosines and sines."""
    number, bump = partials(config, representation)
    octave = np.log2(np.maximum(number, 0.25))
    rows = [np.cos(2 * np.pi * number), np.sin(2 * np.pi * number), bump, (number < 0.5).astype(float), octave / 6.0]
    rows += [np.cos(np.pi * k * octave / 8.0) for k in (1, 2, 3, 4, 6, 8)]
    rows += [np.sin(np.pi * k * octave / 8.0) for k in (1, 2, 4, 8)]
    rows += [np.cos(np.pi * number) * (number < 24.0)]
    return np.stack(rows, axis=1)


def pooled_features(config: SpectralConfig, representation: Representation, width: int) -> NDArray[np.float64]:
    """phi16 averaged to ``width`` bins, [61, 16, width]."""
    features = harmonic_features(config, representation)
    return np.asarray(features.reshape(PITCH_COUNT, FEATURES, width, -1).mean(axis=3))
