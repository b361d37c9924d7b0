"""The preset format: what it accepts, what it refuses and in which words, and how old versions come along."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_app.core.errors import PresetError
from synth_app.core.params import PARAMS, check_param, default_patch_params
from synth_app.timbre import migrations
from synth_app.timbre.migrations import CURRENT_VERSION, migrate
from synth_app.timbre.patch import Patch, PatchAnchor
from synth_app.timbre.preset_schema import MAX_ANCHORS, document_from_patch, patch_from_document

SHARE = st.floats(0, 1)
SINGLE = st.floats(-1e6, 1e6, width=32)
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)
LAYERS = st.lists(st.tuples(st.integers(1, 127), st.lists(SINGLE, min_size=1, max_size=5).map(tuple)), max_size=3)
ANCHORS = st.builds(PatchAnchor, WORDS, SHARE, SHARE, SHARE, LAYERS.map(tuple))
PARAM_VALUES = st.fixed_dictionaries(
    {
        name: st.floats(spec.lowest, spec.highest).map(lambda value, name=name: check_param(name, value))
        for name, spec in PARAMS.items()
        if spec.in_patch
    }
)
PATCHES = st.builds(
    Patch,
    name=WORDS,
    anchors=st.lists(ANCHORS, min_size=1, max_size=4).map(tuple),
    params=PARAM_VALUES,
    model=st.text(st.characters(codec="utf-8"), max_size=20),
    author=st.text(st.characters(codec="utf-8"), max_size=20),
    notes=st.text(st.characters(codec="utf-8"), max_size=50),
    tags=st.lists(WORDS, max_size=3).map(tuple),
    scenes=st.lists(st.dictionaries(WORDS, SHARE, max_size=3).map(lambda scene: tuple(scene.items())), max_size=4).map(
        tuple
    ),
)


def document(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "format": "synth_app preset",
        "version": CURRENT_VERSION,
        "name": "Test",
        "anchors": [{"name": "Flute", "x": 0.5, "y": 0.25, "weight": 1}],
    }
    return {**base, **changes}


@given(PATCHES)
def test_a_patch_survives_its_document(patch):
    assert patch_from_document(document_from_patch(patch)) == patch


def test_latents_keep_every_bit_of_single_precision():
    z = np.random.default_rng(1).standard_normal(256).astype(np.float32)
    patch = Patch("p", (PatchAnchor("a", 0.5, 0.5, 1.0, ((64, tuple(z.tolist())),)),))
    again = patch_from_document(document_from_patch(patch)).anchors[0].latents[0][1]
    np.testing.assert_array_equal(np.asarray(again, np.float32).view(np.uint32), z.view(np.uint32))


def test_what_a_preset_leaves_out_takes_its_default():
    patch = patch_from_document({**document(), "anchors": [{"name": "Flute"}]})
    assert patch.params == default_patch_params()
    assert patch.anchors == (PatchAnchor("Flute", 0.5, 0.5, 0.0),)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "another preset"}, "it is not a synth_app preset"),
        ({"anchors": []}, r"anchors: list should have at least 1 item"),
        ({"anchors": [{"name": "a"}] * (MAX_ANCHORS + 1)}, "anchors: list should have at most 32"),
        ({"anchors": "Flute"}, "anchors: input should be a valid list"),
        ({"anchors": [{"name": "Flute", "x": 1.5}]}, r"anchors\.0\.x: input should be less than or equal to 1"),
        ({"anchors": [{"name": "Flute", "weight": -0.1}]}, r"anchors\.0\.weight"),
        ({"anchors": [{"name": "Flute", "weight": math.nan}]}, r"anchors\.0\.weight: input should be a finite"),
        ({"anchors": [{"name": "Flute", "y": math.inf}]}, r"anchors\.0\.y"),
        ({"anchors": [{"name": "Flute", "weight": "1"}]}, r"anchors\.0\.weight: input should be a valid number"),
        ({"anchors": [{"name": ""}]}, r"anchors\.0\.name"),
        ({"anchors": [{"name": "F", "layers": [{"velocity": 0, "latent": [1.0]}]}]}, r"layers\.0\.velocity"),
        ({"anchors": [{"name": "F", "layers": [{"velocity": 9, "latent": []}]}]}, r"layers\.0\.latent"),
        ({"anchors": [{"name": "F", "layers": [{"velocity": 9, "latent": [math.nan]}]}]}, r"latent\.0: .*finite"),
        ({"anchors": [{"name": "F", "layers": [{"velocity": 9, "latent": [1e30]}]}]}, "within a million"),
        ({"anchors": [{"name": "F", "layers": [{"velocity": 9, "latent": [0.0] * 5000}]}]}, "at most 4096"),
        ({"params": {"volume_db": 99.0}}, "volume_db must lie between -60 and 12"),
        ({"params": {"volume_db": math.nan}}, "volume_db"),
        ({"params": {"loudness": 1.0}}, "no patch parameter named 'loudness'"),
        ({"params": {"master_db": 0.0}}, "no patch parameter named 'master_db'"),
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"surprise": 1}, "surprise: extra inputs are not permitted"),
        ({"version": 2}, "version 2 .* reads up to version 1; update synth_app"),
        ({"version": -1}, "version -1"),
        ({"version": "1"}, "version '1'"),
        ({"version": True}, "version True"),
        ({"version": 1.0}, r"version 1\.0"),
    ],
)
def test_each_fault_is_named_with_its_place(changes, reason):
    with pytest.raises(PresetError, match=reason) as error:
        patch_from_document(document(**changes))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("foreign", [{}, {"tool": {}}, {"version": 1}, {"format": "synth_app preset"}, {"anchors": 3}])
def test_other_documents_are_refused(foreign):
    with pytest.raises(PresetError):
        patch_from_document(foreign)


def test_a_patch_that_breaks_the_rules_is_not_written():
    for patch in (
        Patch("", (PatchAnchor("a", 0, 0, 1),)),
        Patch("p", ()),
        Patch("p", (PatchAnchor("a", 0, 0, 2.0),)),
        Patch("p", (PatchAnchor("a", math.nan, 0, 1.0),)),
        Patch("p", (PatchAnchor("a", 0, 0, 1),), params={"volume_db": 999.0}),
    ):
        with pytest.raises(PresetError):
            document_from_patch(patch)


# --- migrations -----------------------------------------------------------------------------------------------------

DRAFT = {
    "name": "Old friend",
    "author": "someone",
    "timbres": {"Flute": 0.75, "Organ": 0.25, "Cello": 0.0, "Piano": 0.0},
    "gain": 0.5,
    "attack_ms": 20.0,
}


def test_a_draft_from_before_the_format_was_numbered_is_brought_up_to_date():
    patch = patch_from_document(DRAFT)
    assert (patch.name, patch.author) == ("Old friend", "someone")
    assert [(a.name, a.weight) for a in patch.anchors] == [("Flute", 0.75), ("Organ", 0.25), ("Cello", 0), ("Piano", 0)]
    assert [(a.x, a.y) for a in patch.anchors] == [(0.5, 0.1), (0.9, 0.5), (0.5, 0.9), (0.1, 0.5)]
    assert patch.param("volume_db") == pytest.approx(-6.021) and patch.param("attack_ms") == 20.0
    assert patch.param("release_ms") == PARAMS["release_ms"].default


def test_migrating_leaves_the_given_document_and_current_ones_alone():
    before = copy.deepcopy(DRAFT)
    migrated = migrate(DRAFT)
    assert before == DRAFT
    assert migrated["version"] == CURRENT_VERSION and migrate(migrated) == migrated


@pytest.mark.parametrize(
    "damage",
    [
        {"timbres": 3},
        {"timbres": {}},
        {"gain": "loud"},
        {"gain": math.nan},
        {"timbres": {"Flute": 7}},
        {"attack_ms": -1},
    ],
)
def test_a_damaged_draft_is_refused(damage):
    with pytest.raises(PresetError):
        patch_from_document({**DRAFT, **damage})


def test_there_is_a_step_for_every_version():
    assert len(migrations._STEPS) == CURRENT_VERSION
