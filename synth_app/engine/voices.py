"""A voice as the engine sees it: between the performer's decision and the mixer's slot.

Phases: PENDING (nothing of its note is rendered) -> SOUNDING -> RELEASING -> gone. PENDING and let go -> LATCHED: a
short note still sounds once. A killed voice is DYING until its fade is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from synth_app.performer.actions import StartVoice
from synth_app.render.note import Note


class Phase(Enum):
    """Where a voice is in its life."""

    PENDING = "pending"
    LATCHED = "latched"
    SOUNDING = "sounding"
    RELEASING = "releasing"
    DYING = "dying"


@dataclass(slots=True, eq=False)
class EngineVoice:
    """One voice.

    Attributes:
        action: what the performer asked for; its rate and gains follow later changes.
        note: the note it plays or waits for.
        due_frame: when it should sound, by the designed delay.
        phase: see the module.
        slot: its mixer slot, -1 before it has one.
        start_frame: the frame at which its note's first sample played, or would have.
        begin_frame: the frame of its slot's START (0 = at once): what is said to the slot before would be lost.
        anchor_frame, anchor_position: a frame, and the sample of the note that plays at it; every bend moves them.
        ratio: transposition of the note its slot plays (other than 1 when a short note kept its stand-in).
        held_frames: for LATCHED: how long the key was down.
        following: the note its stream plays, as last seen.
        coming: the note its morph asks for next, while its stream still waits for the one before; and the first
            frame (coming_frame) for which it holds.
        wished_frame, handed_frame: when the last one was wished, and when its stream was last told of one.
        stand_in: the slot in which a stand-in sounds for it, or -1; with its note, transposition and first frame.
    """

    action: StartVoice
    note: Note
    due_frame: int
    phase: Phase = Phase.PENDING
    slot: int = -1
    start_frame: int = 0
    begin_frame: int = 0
    anchor_frame: int = 0
    anchor_position: float = 0.0
    ratio: float = 1.0
    held_frames: int = 0
    rate: float = 1.0
    vibrato: float = 0.0
    gain_left: float = 0.0
    gain_right: float = 0.0
    following: Note | None = None
    coming: Note | None = None
    coming_frame: int = 0
    wished_frame: int = -(1 << 40)
    handed_frame: int = -(1 << 40)
    stand_in: int = -1
    stand_in_note: Note | None = None
    stand_in_ratio: float = 1.0
    stand_in_frame: int = 0

    @property
    def voice_id(self) -> int:
        return self.action.voice_id

    @property
    def waiting(self) -> bool:
        """Whether its own note has not begun."""
        return self.phase in (Phase.PENDING, Phase.LATCHED)
