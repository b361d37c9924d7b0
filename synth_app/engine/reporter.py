"""Makes the telemetry snapshot. Run by the control thread; reads the mixer's memory, writes none of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_app.core.units import gain_to_db
from synth_app.engine.callback import MixerMemory
from synth_app.engine.control import ControlLoop
from synth_app.engine.protocol import TAP_FRAMES, look_ahead_frames
from synth_app.engine.telemetry import Telemetry, VoiceView

SCOPE_FRAMES = 4096


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the snapshot says of devices and files, which the control thread does not know by itself."""

    provider: str = ""
    model: str = ""
    audio_device: str = ""
    block_frames: int = 0
    cpu_load: float = 0.0
    xruns: int = 0
    midi_inputs: tuple[str, ...] = ()
    midi_events: int = 0
    recording: str = ""
    banner: str = ""
    last_panic: str = ""


class Reporter:
    """Builds snapshots of one core."""

    def __init__(self, memory: MixerMemory, control: ControlLoop) -> None:
        self._memory = memory
        self._control = control
        self._seen = 0
        self._revision = 0
        self._patch: object = None

    def snapshot(self, now_ns: int, around: Surroundings) -> Telemetry:
        """The present state."""
        control, memory = self._control, self._memory
        state = memory.state[0]
        frame = int(state["tap_frame"])
        fresh = self._newest(frame, min(frame - self._seen, TAP_FRAMES // 2))
        peaks = np.abs(fresh).max(axis=0) if len(fresh) else np.zeros(2)
        self._seen = frame
        patch = control.performer.patch
        if patch is not self._patch:
            self._patch = patch
            self._revision += 1
        rate_hz = memory.rate_hz
        latency_frames = control.ensemble.delay_frames + look_ahead_frames(rate_hz)
        voices = tuple(
            VoiceView(v.voice_id, v.action.channel, v.action.pitch, v.phase.value, self._level(v.slot))
            for v in control.voices
        )
        return Telemetry(
            time_ns=now_ns,
            frame=frame,
            peak_left=float(peaks[0]),
            peak_right=float(peaks[1]),
            reduction_db=-gain_to_db(float(state["reduction"])),
            voices=voices,
            asked_weights=control.performer.asked_weights,
            sounding_weights=control.performer.sounding_weights,
            patch_name=patch.name,
            patch_revision=self._revision,
            latency_ms=latency_frames * 1e3 / rate_hz,
            jitter_ms=control.ensemble.delays.jitter_ms(rate_hz),
            late=control.ensemble.late,
            bridged=control.ensemble.bridged,
            starved=int(state["starved"]) + control.ensemble.streams.held,
            xruns=around.xruns,
            callbacks=int(state["callbacks"]),
            cpu_load=around.cpu_load,
            queue=control.board.queue_length(),
            cache_notes=len(control.cache),
            cache_bytes=control.cache.used_bytes,
            warm=control.warm_share(now_ns),
            provider=around.provider,
            model=around.model,
            audio_device=around.audio_device,
            rate_hz=rate_hz,
            block_frames=around.block_frames,
            midi_inputs=around.midi_inputs,
            midi_events=around.midi_events,
            recording=around.recording,
            banner=around.banner or control.banner,
            last_panic=around.last_panic,
            scope=self._newest(frame, SCOPE_FRAMES).mean(axis=1),
        )

    def _level(self, slot: int) -> float:
        return float(self._memory.slots[slot]["level"]) if slot >= 0 else 0.0

    def _newest(self, frame: int, count: int) -> NDArray[np.float32]:
        """Copy of the last ``count`` output frames, float32 ``[count, 2]``."""
        places = np.arange(frame - count, frame) % TAP_FRAMES
        return self._memory.tap.reshape(TAP_FRAMES, 2)[places]
