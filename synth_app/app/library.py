"""A model and the presets that play on it: everything that sounds come from, opened once, by one thread."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np

from synth_app.adapters.frame_store import FrameStore
from synth_app.adapters.generator_kept import KeptGenerator
from synth_app.adapters.generator_partials import PartialsGenerator, partials_anchors
from synth_app.adapters.model_store import find_model, open_model
from synth_app.adapters.preset_store import PresetStore
from synth_app.app.compose import GREETING, fallback_patch
from synth_app.core.command import COMMAND
from synth_app.core.errors import PresetError
from synth_app.render.ports import Generator, GeneratorInfo
from synth_app.timbre.anchors import Anchor
from synth_app.timbre.latent import random_latent
from synth_app.timbre.palette import Palette
from synth_app.timbre.patch import Patch, PatchAnchor

PARTIALS = "partials"
"""Names the built-in additive generator, which needs no model."""


class Library:
    """The generator, its anchors, and the presets.

    Args:
        model: name or path of a model; "" = the default one, or the built-in generator when none is installed.
        provider: "auto", "cpu", "cuda" and the others of ``--provider``.
        on_fallback: told in one sentence when a lost device was replaced by the CPU.
        store: where the first slices of presets are kept from one start to the next; ``None`` = nowhere.

    Attributes:
        generator: opened; called by one thread at a time.
        anchors: of the model.
        presets: on disk.
        notice: a sentence the player should know ("" = nothing to say).

    Raises:
        ModelError: the model cannot be opened.
    """

    def __init__(
        self,
        model: str = "",
        provider: str = "auto",
        on_fallback: Callable[[str], None] | None = None,
        store: FrameStore | None = None,
    ) -> None:
        self.presets = PresetStore()
        self.notice = ""
        self.generator: Generator
        self.anchors: tuple[Anchor, ...]
        if model != PARTIALS and (model or find_model("")):
            generator, self.anchors = open_model(model, provider, on_fallback=on_fallback)
            self.generator = KeptGenerator(generator, store) if store is not None else generator
        else:
            self.generator, self.anchors = PartialsGenerator(), partials_anchors()
            if not model:
                self.notice = f"No model is installed, so the built-in partials play; see {COMMAND} models."

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.generator.close()

    @property
    def info(self) -> GeneratorInfo:
        """Facts about the generator."""
        return self.generator.info

    def palette(self, patch: Patch) -> Palette:
        """Resolve a patch against this model.

        Raises:
            PresetError: it asks for what the model does not have.
        """
        return Palette(patch, self.anchors, self.info)

    def keep(self, patch: Patch) -> None:
        """Keep a preset's own timbres on disk, as they are rendered; from there they come the next time.

        Raises:
            PresetError: it asks for what the model does not have.
        """
        palette = self.palette(patch)
        if isinstance(self.generator, KeptGenerator):
            zones = range(len(palette.zone_velocities))
            self.generator.keep(palette.latent(patch.weights, zone)[0] for zone in zones)

    def patch(self, preset: str = "") -> Patch:
        """The preset of that name or path; "" = the one that greets, or a patch of a few anchors when it does not fit.

        Raises:
            PresetError: there is no such preset, or it cannot be read.
        """
        if preset:
            return self.presets.load(self.presets.find(preset))
        try:
            patch = self.presets.load(self.presets.find(GREETING))
            self.palette(patch)
        except PresetError:
            return fallback_patch(self.anchors)
        return patch

    def anchor_patch(self, name: str) -> Patch:
        """A patch of one anchor.

        Raises:
            PresetError: the model has no anchor of that name.
        """
        by_name = {anchor.name.casefold(): anchor.name for anchor in self.anchors}
        if name.casefold() not in by_name:
            near = difflib.get_close_matches(name.casefold(), by_name, 3, 0.4)
            hint = ", ".join(by_name[n] for n in near) or ", ".join(sorted(by_name.values())[:8])
            raise PresetError(f"The model {self.info.name!r} has no anchor named {name!r}; did you mean {hint}?")
        return Patch(by_name[name.casefold()], (PatchAnchor(by_name[name.casefold()], 0.5, 0.5, 1.0),))

    def random_patch(self, seed: int) -> Patch:
        """A patch of one latent drawn from a normal distribution: the same seed is always the same sound."""
        latent = random_latent(np.random.default_rng(seed), self.info.latent_size)
        layers = ((100, tuple(float(value) for value in latent)),)
        return Patch(f"Draw {seed}", (PatchAnchor(f"Draw {seed}", 0.5, 0.5, 1.0, layers),))
