"""A patch: a sound in memory. On disk it is a preset; its MIDI number is a program."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from synth_app.core.params import PARAMS, check_param, default_patch_params

SCENES = 4
"""How many scenes a patch has room for."""

Scene = tuple[tuple[str, float], ...]
"""(anchor's name, weight) pairs: a morph to come back to. Empty: nothing is kept there."""


@dataclass(frozen=True, slots=True)
class PatchAnchor:
    """An anchor as it sits in a patch: by name, with its place on the morph pad (x and y in 0..1) and its weight."""

    name: str
    x: float
    y: float
    weight: float
    latents: tuple[tuple[int, tuple[float, ...]], ...] = ()
    """(velocity, latent) layers carried by the patch itself, for captured or random anchors the model does not name."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A whole sound.

    Attributes:
        name: for people.
        anchors: at least one.
        params: value of every patch parameter of :mod:`synth_app.core.params` (missing ones take their default).
        model: name of the model it was made for ("" = any).
        author, notes, tags: for the browser.
        scenes: at most :data:`SCENES`. They name anchors; one whose anchor has left keeps its other weights.
    """

    name: str
    anchors: tuple[PatchAnchor, ...]
    params: dict[str, float] = field(default_factory=default_patch_params)
    model: str = ""
    author: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    scenes: tuple[Scene, ...] = ()

    @property
    def weights(self) -> tuple[float, ...]:
        """The anchors' weights, in order."""
        return tuple(anchor.weight for anchor in self.anchors)

    def param(self, name: str) -> float:
        """Value of a patch parameter, or its default."""
        value = self.params.get(name)
        return PARAMS[name].default if value is None else value

    def with_weights(self, weights: tuple[float, ...]) -> Patch:
        """The same patch with other morph weights (as many as there are anchors)."""
        anchors = tuple(replace(a, weight=w) for a, w in zip(self.anchors, weights, strict=True))
        return replace(self, anchors=anchors)

    def with_scene(self, index: int) -> Patch:
        """The same patch with its present weights kept as a scene."""
        scenes = [*self.scenes, *((),) * (index + 1 - len(self.scenes))]
        scenes[index] = tuple({anchor.name: anchor.weight for anchor in self.anchors}.items())
        return replace(self, scenes=tuple(scenes))

    def with_param(self, name: str, value: float) -> Patch:
        """The same patch with one parameter set.

        Raises:
            SettingsError: unknown name or value out of range.
        """
        return replace(self, params={**self.params, name: check_param(name, value)})
