"""The words that the control thread and the audio callback exchange, as flat records in shared memory.

Only this module, :mod:`~synth_app.engine.rings` and :mod:`~synth_app.engine.mixer` know the layout. Every field is 8
bytes wide, so that records are aligned on every platform without padding. Addresses are plain integers: whoever puts
one into a command keeps the memory alive until the mixer says, through the done ring, that it has let go of it.
"""

from __future__ import annotations

import numpy as np

VOICE_SLOTS = 64
"""Most voices that may sound by choice (the polyphony's upper bound)."""

SLOTS = 160
"""Entries in the mixer: the voices, their twins while a stand-in is exchanged, and room for the dying."""

COMMAND_CAPACITY = 4096
"""Commands in flight. A chord of 64 voices is 64 starts, 64 steals, and with 16 channels of dense controllers some 1500
changes a second; 4096 is more than a second of that. The last quarter is kept for releases and kills."""

DONE_CAPACITY = 4096
"""Messages back. A voice causes at most four (started, late, segment freed, finished), so 1000 may end unread."""

MAX_BLOCK = 1024
"""The mixer works in pieces of at most this many frames; a callback of any size is cut into them."""

TAP_FRAMES = 1 << 18
"""Frames of finished output kept for the recorder and the oscilloscope: 5.4 s at 48 kHz."""

# Commands
START, RELEASE, KILL, TUNE, GAIN, SEGMENT, MASTER = 1, 2, 3, 4, 5, 6, 7

# Messages back
STARTED, FINISHED, SEGMENT_FREED, LATE = 1, 2, 3, 4

# Slot states
FREE, SOUNDING, RELEASING, DYING = 0, 1, 2, 3

# A slot's appetite
FED, FADING, DRY = 0, 1, 2

# Envelope stages
ATTACK, DECAY, SUSTAIN, FADE = 0, 1, 2, 3

COMMAND = np.dtype(
    [
        ("kind", "i8"),
        ("slot", "i8"),
        ("voice_id", "i8"),
        ("due_frame", "i8"),  # applied at this output frame; in the past = at once, and reported LATE
        ("buffer", "i8"),  # address of float32 samples
        ("progress", "i8"),  # address of int64[2]: samples available, 1 when no more will come
        ("origin", "i8"),  # the voice's sample index of buffer[0]
        ("switch", "i8"),  # SEGMENT: the voice's sample index from which the new buffer is read
        ("position", "f8"),  # START: where in the voice's timeline to begin
        ("rate", "f8"),  # samples of buffer a frame of output
        ("vibrato", "f8"),  # ratio; MASTER: vibrato rate in Hz
        ("gain_left", "f8"),  # MASTER: the master gain
        ("gain_right", "f8"),
        ("attack_s", "f8"),
        ("decay_s", "f8"),
        ("sustain", "f8"),
        ("release_s", "f8"),  # START, RELEASE: time for 60 dB; KILL: the length of the fade
        ("fade_in_s", "f8"),  # START: a fade in for stand-ins that are exchanged
    ]
)

DONE = np.dtype([("kind", "i8"), ("slot", "i8"), ("voice_id", "i8"), ("frame", "i8"), ("value", "i8")])

SLOT = np.dtype(
    [
        ("state", "i8"),
        ("voice_id", "i8"),
        ("buffer", "i8"),
        ("progress", "i8"),
        ("origin", "i8"),
        ("next_buffer", "i8"),
        ("next_progress", "i8"),
        ("next_origin", "i8"),
        ("next_switch", "i8"),
        ("position", "f8"),
        ("rate", "f8"),
        ("rate_target", "f8"),
        ("vibrato", "f8"),
        ("vibrato_target", "f8"),
        ("gain_left", "f8"),
        ("gain_left_target", "f8"),
        ("gain_right", "f8"),
        ("gain_right_target", "f8"),
        ("stage", "i8"),
        ("envelope", "f8"),
        ("attack_step", "f8"),
        ("decay_factor", "f8"),
        ("sustain", "f8"),
        ("release_factor", "f8"),
        ("fade", "f8"),  # 1 = fully there; moves by fade_step a frame: fades in, and out when dying or starved
        ("fade_step", "f8"),
        ("starving", "i8"),
        ("level", "f8"),  # highest output of the last piece, for the panel and for stealing
    ]
)

STATE = np.dtype(
    [
        ("frame", "i8"),  # output frames mixed so far
        ("rate_hz", "f8"),
        ("master", "f8"),
        ("master_target", "f8"),
        ("vibrato_hz", "f8"),
        ("vibrato_phase", "f8"),
        ("smoothing", "f8"),  # one-pole coefficient of every gain, rate and depth
        ("block", "i8"),  # frames of the latest callback
        ("callbacks", "i8"),
        ("underflows", "i8"),
        ("late", "i8"),
        ("starved", "i8"),
        ("refused", "i8"),  # starts that found their slot taken: a bug if it ever rises
        ("lost_messages", "i8"),  # done ring full: nobody listened for a long time. The ends of voices are never lost
        ("not_finite", "i8"),  # samples replaced by silence
        ("reduction", "f8"),  # lowest limiter gain of the latest block
        ("pending", "i8"),  # commands waiting for their frame
        ("tap_frame", "i8"),  # frames written to the tap so far
        ("limiter_ceiling", "f8"),
        ("limiter_release", "f8"),
        ("limiter_envelope", "f8"),
        ("limiter_index", "i8"),
        ("limiter_head", "i8"),
        ("limiter_tail", "i8"),
        ("limiter_sum", "i8"),  # of box gains in 2^-40 units: exact, so it never drifts
    ]
)

STAMP_SEQUENCE, STAMP_FRAME, STAMP_NS, STAMP_SCRATCH = 0, 1, 2, 3
"""Places in the clock stamps, int64 [5]: a sequence number (odd while the next two are written), the frame at which the
latest block began, the monotonic time of that moment, and two words of scratch."""

LOOK_AHEAD_S = 0.0015
"""The limiter's look-ahead, part of the stated latency."""


def look_ahead_frames(rate_hz: int) -> int:
    """Frames by which the limiter delays the mix."""
    return max(1, round(LOOK_AHEAD_S * rate_hz))
