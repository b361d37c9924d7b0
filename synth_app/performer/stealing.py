"""Who must go when there are more notes than voices.

Released voices go first (the longest released is the quietest), then those that only a pedal holds, then the oldest.
The newest chord is spared, so that a chord cannot eat itself: its notes arrive within milliseconds of one another.
"""

from __future__ import annotations

from collections.abc import Iterable

from synth_app.performer.voices import Voice

CHORD_NS = 40_000_000
"""Strokes no further apart than this belong to one chord."""


def victims(voices: Iterable[Voice], count: int, now_ns: int) -> list[Voice]:
    """The ``count`` voices that are missed least, in the order in which they should go."""
    return sorted(voices, key=lambda voice: _worth(voice, now_ns))[: max(0, count)]


def _worth(voice: Voice, now_ns: int) -> tuple[int, int, int]:
    """Sorts first what is missed least."""
    if voice.released_ns is not None:
        return 0, voice.released_ns, voice.voice_id
    if now_ns - voice.started_ns <= CHORD_NS:
        return 3, voice.started_ns, voice.voice_id
    return (2 if voice.gated else 1), voice.started_ns, voice.voice_id
