"""What the engine tells the outside: one frozen snapshot, published by the control thread, polled by the panel."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def _no_samples() -> NDArray[np.float32]:
    return np.zeros(0, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class VoiceView:
    """One voice as the panel sees it. ``phase`` is one of the engine's words for it, in lower case."""

    voice_id: int
    channel: int
    pitch: int
    phase: str
    level: float


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The state of the instrument at one moment. Counters only ever rise.

    Attributes:
        peak_left, peak_right: highest output sample since the last snapshot, linear.
        reduction_db: what the limiter takes off now, 0 or more.
        asked_weights, sounding_weights: where the morph was sent, and the latest that newly struck notes play.
        latency_ms: designed delay from a key's stamp to its sample's place in the mix, limiter included.
        jitter_ms: standard deviation of the measured delay about it.
        late: commands that reached the mixer after their time. bridged: notes begun on a stand-in. starved: times a
            voice ran out of rendered sound, held by its decoder or not. xruns: the driver's count.
        queue: demands waiting to be rendered. warm: share (0..1) of the keyboard whose notes at the present timbre are
            ready to sound at once.
        midi_events: messages received. midi_inputs: connected inputs by name.
        banner: one sentence the player should read, or "".
        last_panic: what the latest panic silenced, in words ("5 notes").
        scope: the newest output samples, left and right averaged, float32 ``[n]``, the last one just before ``frame``.
            4096 or more let the panel draw every sample at 30 snapshots a second; fewer leave gaps, none is allowed.
    """

    time_ns: int = 0
    frame: int = 0
    peak_left: float = 0.0
    peak_right: float = 0.0
    reduction_db: float = 0.0
    voices: tuple[VoiceView, ...] = ()
    asked_weights: tuple[float, ...] = ()
    sounding_weights: tuple[float, ...] = ()
    patch_name: str = ""
    patch_revision: int = 0
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    late: int = 0
    bridged: int = 0
    starved: int = 0
    xruns: int = 0
    callbacks: int = 0
    cpu_load: float = 0.0
    queue: int = 0
    cache_notes: int = 0
    cache_bytes: int = 0
    warm: float = 0.0
    provider: str = ""
    model: str = ""
    audio_device: str = ""
    rate_hz: int = 0
    block_frames: int = 0
    midi_inputs: tuple[str, ...] = ()
    midi_events: int = 0
    recording: str = ""
    banner: str = ""
    last_panic: str = ""
    scope: NDArray[np.float32] = field(default_factory=_no_samples, compare=False, repr=False)
    extra: dict[str, float] = field(default_factory=dict)
