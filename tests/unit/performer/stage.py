"""A silent band for the performer: a small model, a few timbres, and a listener that keeps the score.

The listener is as strict as the mixer would be: it fails on a voice that starts twice, ends twice or ends without
having begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synth_app.core.events import ControlChange, Event, NoteOff, NoteOn, SetMorph, SetParam, VoiceDone
from synth_app.performer.actions import (
    Action,
    GainVoice,
    KillVoice,
    ReleaseVoice,
    RetimbreVoice,
    StartVoice,
    TuneVoice,
)
from synth_app.performer.performer import Performer
from synth_app.timbre.anchors import Anchor, Layer
from synth_app.timbre.palette import Palette
from synth_app.timbre.patch import Patch, PatchAnchor

LATENT_SIZE = 8
MS = 1_000_000


@dataclass(frozen=True)
class Model:
    """The facts of a model that does not exist."""

    name: str = "paper"
    model_id: str = "paper-1"
    latent_size: int = LATENT_SIZE
    lowest_pitch: int = 24
    highest_pitch: int = 84


def make_anchors(seed: int = 1) -> tuple[Anchor, ...]:
    """Four timbres: two plain, one with two layers, one with three."""
    rng = np.random.default_rng(seed)
    velocities = {"Flute": (80,), "Organ": (64,), "Piano": (50, 110), "Cello": (40, 80, 120)}
    return tuple(
        Anchor(name, "Paper", tuple(Layer(v, rng.standard_normal(LATENT_SIZE).astype(np.float32)) for v in layers))
        for name, layers in velocities.items()
    )


def make_patch(*names: str, **params: float) -> Patch:
    """A patch of named anchors in a row, all weight on the first."""
    anchors = tuple(
        PatchAnchor(name, index / max(1, len(names) - 1), 0.5, float(index == 0)) for index, name in enumerate(names)
    )
    patch = Patch("test", anchors)
    for name, value in params.items():
        patch = patch.with_param(name, value)
    return patch


def make_palette(*names: str, model: Model | None = None, **params: float) -> Palette:
    """A palette of :func:`make_patch` on the paper model."""
    return Palette(make_patch(*(names or ("Flute", "Organ")), **params), make_anchors(), model or Model())


class Stage:
    """A performer with someone who writes down what it does."""

    def __init__(self, palette: Palette | None = None, settings: Mapping[str, float] | None = None) -> None:
        self.performer = Performer(palette or make_palette(), settings or {})
        self.started: dict[int, StartVoice] = {}
        self.released: set[int] = set()
        self.killed: set[int] = set()
        self.done: set[int] = set()

    # what happens -----------------------------------------------------------------------------------------------------

    def do(self, event: Event) -> list[Action]:
        return self.listen(self.performer.handle(event))

    def on(self, pitch: int, velocity: int = 100, *, at: int = 0, channel: int = 0, source: str = "keys") -> int:
        """Strike a key and return the id of its voice."""
        starts = of_kind(self.do(NoteOn(at * MS, channel, pitch, velocity, source)), StartVoice)
        assert len(starts) == 1
        return starts[0].voice_id

    def off(self, pitch: int, *, at: int = 0, channel: int = 0, source: str = "keys") -> list[Action]:
        return self.do(NoteOff(at * MS, channel, pitch, 0, source))

    def cc(self, controller: int, value: int, *, at: int = 0, channel: int = 0, source: str = "keys") -> list[Action]:
        return self.do(ControlChange(at * MS, channel, controller, value, source))

    def morph(self, *weights: float, at: int = 0) -> list[Action]:
        return self.do(SetMorph(at * MS, weights))

    def set(self, name: str, value: float, *, at: int = 0) -> list[Action]:
        return self.do(SetParam(at * MS, name, value))

    def finish(self, *voice_ids: int) -> None:
        """The mixer has finished with voices."""
        for voice_id in voice_ids:
            self.done.add(voice_id)
            assert self.do(VoiceDone(0, voice_id)) == []

    # what is heard ----------------------------------------------------------------------------------------------------

    def listen(self, actions: list[Action]) -> list[Action]:
        for action in actions:
            match action:
                case StartVoice(voice_id=voice_id):
                    assert voice_id > max(self.started, default=0), "voice ids rise"
                    self.started[voice_id] = action
                case ReleaseVoice(voice_id=voice_id):
                    assert voice_id in self.audible and voice_id not in self.released, "one release for one voice"
                    self.released.add(voice_id)
                case KillVoice(voice_id=voice_id):
                    assert voice_id in self.audible, "one kill for one voice"
                    self.killed.add(voice_id)
                case TuneVoice(voice_id=voice_id) | GainVoice(voice_id=voice_id):
                    assert voice_id in self.audible, "nothing is said of voices that are gone"
                case RetimbreVoice(voice_id=voice_id):
                    assert voice_id in self.held, "only held voices follow the morph"
        assert {voice.voice_id for voice in self.performer.voices} == self.audible, "the book tells the truth"
        return actions

    @property
    def audible(self) -> set[int]:
        return set(self.started) - self.killed - self.done

    @property
    def held(self) -> set[int]:
        return self.audible - self.released

    def key(self, voice_id: int) -> tuple[int, int]:
        """(channel, pitch) of a voice."""
        return self.started[voice_id].channel, self.started[voice_id].pitch


def of_kind(actions: list[Action], kind: type) -> list:
    """The actions of one kind, in order."""
    return [action for action in actions if isinstance(action, kind)]
