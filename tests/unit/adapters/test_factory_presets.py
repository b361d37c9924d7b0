"""Every factory preset, against the model that ships with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synth_app.adapters.model_store import find_model, open_model
from synth_app.adapters.preset_store import DEFAULT_PRESET, PresetEntry, PresetStore
from synth_app.core.events import NoteOn
from synth_app.core.params import default_patch_params, default_settings_params
from synth_app.performer.actions import StartVoice
from synth_app.performer.performer import Performer
from synth_app.timbre.palette import Palette

STORE = PresetStore(user_dir=Path("/nonexistent"))
ENTRIES = STORE.list_presets()


@pytest.fixture(scope="module")
def model():
    generator, anchors = open_model("", "cpu")
    yield generator, anchors
    generator.close()


def test_there_are_enough_of_them_and_one_greets():
    assert 8 <= len(ENTRIES) <= 32 and all(entry.factory for entry in ENTRIES)
    assert STORE.find(DEFAULT_PRESET).parent == STORE.factory_dir
    assert len({entry.name.casefold() for entry in ENTRIES}) == len(ENTRIES), "each is found by its name"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_factory_preset_is_whole_and_plays_on_the_shipped_model(entry: PresetEntry, model):
    generator, anchors = model
    assert entry.problem == "" and entry.path.stem == entry.name
    patch = STORE.load(entry.path)
    assert patch.author and patch.notes and patch.tags, "the browser has something to show"
    assert patch.params.keys() == default_patch_params().keys(), "nothing is left to later defaults"
    assert len({(anchor.x, anchor.y) for anchor in patch.anchors}) == len(patch.anchors)
    assert sum(patch.weights) == pytest.approx(1.0)
    performer = Performer(Palette(patch, anchors, generator.info), default_settings_params())
    (start,) = [a for a in performer.handle(NoteOn(0, 0, 60, 100)) if isinstance(a, StartVoice)]
    assert start.latent.shape == (generator.info.latent_size,) and np.all(np.isfinite(start.latent))


def test_the_greeting_makes_a_sound(model):
    generator, anchors = model
    palette = Palette(STORE.load(STORE.find(DEFAULT_PRESET)), anchors, generator.info)
    note = palette.note(palette.patch.weights, 100, 60)
    frames = generator.render(note.latent[None], np.array([60]), 3, 19)
    assert frames.log_mel.shape == (1, 16, generator.info.bins)
    loudest = frames.log_mel.max()
    assert np.isfinite(loudest) and loudest > np.median(frames.log_mel) + 4.0, "partials stand out of the floor"


def test_the_default_model_is_installed():
    assert find_model("") is not None
