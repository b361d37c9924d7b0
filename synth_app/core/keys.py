"""Content addresses: what a rendered note is, by the values that made it.

A note with a given key never becomes wrong, only unwanted: a morph changes which keys are in demand, never what a key
holds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LatentKey = bytes


@dataclass(frozen=True, slots=True)
class NoteKey:
    """The address of one rendered note: which weights, which timbre, which MIDI note."""

    model_id: str
    latent_key: LatentKey
    pitch: int


def latent_key(latent: NDArray[np.float32]) -> LatentKey:
    """The address of a latent: 16 bytes of BLAKE2 over its little-endian float32 values."""
    return hashlib.blake2b(np.ascontiguousarray(latent, dtype="<f4").tobytes(), digest_size=16).digest()
