"""Whole notes to pictures and back: the reference that the stream and the trainer are tested against.

Everything is float64 numpy and says what is meant; ``streaming`` says the same fast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth_app.spectral.config import PhaseConvention, SpectralConfig
from synth_app.spectral.inst_freq import (
    centre_signs,
    centred_inst_freq,
    centred_phase_step,
    magenta_inst_freq,
    magenta_phase_step,
)
from synth_app.spectral.locking import accumulate, plan_locking
from synth_app.spectral.mel import MelTable, log_mel_to_magnitude, mel_table, power_to_log_mel
from synth_app.spectral.stft import istft, stft


def encode(
    wave: NDArray[np.floating], convention: PhaseConvention, config: SpectralConfig, table: MelTable | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn one note into the picture a generator paints.

    Args:
        wave: ``[config.samples]``; full scale is +-1.
        convention: what ``inst_freq`` means.
        config: the geometry.
        table: ``mel_table(config)``, when the caller keeps one.

    Returns:
        ``log_mel`` (natural log of mel power) and ``inst_freq`` (units of pi a hop), both float64 ``[frames, bins]``.

    Raises:
        ValueError: when the length is not ``config.samples``.
    """
    table = table or mel_table(config)
    spectrum = stft(wave, config)
    inst_freq = magenta_inst_freq if convention == "magenta" else centred_inst_freq
    return power_to_log_mel(np.abs(spectrum), table), inst_freq(spectrum, table)


def decode(
    log_mel: NDArray[np.floating],
    inst_freq: NDArray[np.floating],
    convention: PhaseConvention,
    config: SpectralConfig,
    table: MelTable | None = None,
) -> NDArray[np.float64]:
    """Turn a picture into sound.

    Args:
        log_mel: natural log of mel power, ``[frames, bins]``; any number of frames beyond the padding.
        inst_freq: units of pi a hop, same shape.
        convention: what ``inst_freq`` means.
        config: the geometry.
        table: ``mel_table(config)``, when the caller keeps one.

    Returns:
        float64 ``[(frames - 1) * hop + fft_size - pad]``: 64,000 samples for a whole note. The last three hops fade
        out, as the frames that would overlap them are missing.

    Raises:
        ValueError: when the shapes differ or are not ``[frames, bins]``.
    """
    if log_mel.shape != inst_freq.shape or log_mel.ndim != 2 or log_mel.shape[1] != config.bins:
        raise ValueError(f"expected two [frames, {config.bins}], got {log_mel.shape} and {inst_freq.shape}")
    table = table or mel_table(config)
    magnitude = log_mel_to_magnitude(log_mel, table)
    if convention == "magenta":
        phase = accumulate(magenta_phase_step(inst_freq, table), None)
        spectrum = magnitude * np.exp(1j * phase)
    else:
        phase = centred_phase(magnitude, centred_phase_step(inst_freq, table), config)
        spectrum = magnitude * np.exp(1j * phase) * centre_signs(config.bins)
    return istft(spectrum, config)[config.pad_samples :]


def centred_phase(
    magnitude: NDArray[np.float64], step: NDArray[np.float64], config: SpectralConfig
) -> NDArray[np.float64]:
    """Peak-locked phase of linear bins, radians, ``[frames, bins]``.

    The frames that see only padding have phase zero whatever the picture says there, so that a note rendered from
    its first sounding frame on is the same note.
    """
    start = config.pad_frames
    phase = np.zeros_like(step)
    phase[start:] = accumulate(step[start:], plan_locking(magnitude[start:]))
    return phase
