"""From weights, stroke and key to one note's address."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from synth_app.core.errors import PresetError, SettingsError
from synth_app.core.keys import latent_key
from synth_app.core.params import PARAMS
from synth_app.timbre.anchors import Anchor, Layer
from synth_app.timbre.latent import blend
from synth_app.timbre.palette import MAX_ZONES, Palette
from synth_app.timbre.patch import Patch, PatchAnchor
from tests.unit.performer.stage import LATENT_SIZE, Model, make_anchors, make_palette, make_patch

ANCHORS = {anchor.name: anchor for anchor in make_anchors()}


def layered(name: str, velocities: tuple[int, ...]) -> Anchor:
    rng = np.random.default_rng(len(name))
    return Anchor(name, "Paper", tuple(Layer(v, rng.standard_normal(8).astype(np.float32)) for v in velocities))


def test_all_weight_on_an_anchor_is_its_latent():
    note = make_palette("Flute", "Organ").note((0.0, 1.0), 100, 60)
    np.testing.assert_allclose(note.latent, ANCHORS["Organ"].layers[0].latent, rtol=1e-6)
    assert note.note_key.latent_key == latent_key(note.latent)
    assert (note.note_key.pitch, note.note_key.model_id, note.semitones) == (60, "paper-1", 0.0)


@pytest.mark.parametrize(("pitch", "inside", "semitones"), [(20, 24, -4), (24, 24, 0), (84, 84, 0), (99, 84, 15)])
def test_a_pitch_outside_the_model_is_its_edge_note_transposed(pitch, inside, semitones):
    note = make_palette().note((1.0, 0.0), 64, pitch)
    assert (note.note_key.pitch, note.semitones) == (inside, semitones)


def test_weights_are_quantised_so_that_near_places_share_a_note():
    palette = make_palette()
    assert palette.note((0.5, 0.5), 64, 60).note_key == palette.note((0.505, 0.495), 64, 60).note_key
    assert palette.note((0.5, 0.5), 64, 60).note_key != palette.note((0.55, 0.45), 64, 60).note_key


def test_the_latent_is_the_blend_at_the_quantised_weights():
    note = make_palette("Flute", "Organ", "Piano").note((0.26, 0.49, 0.25), 30, 60)
    rows = [ANCHORS["Flute"].layers[0].latent, ANCHORS["Organ"].layers[0].latent, ANCHORS["Piano"].layers[0].latent]
    np.testing.assert_allclose(note.latent, blend(rows, [8 / 32, 16 / 32, 8 / 32]), rtol=1e-5)


def test_latents_are_remembered_and_cannot_be_written_to():
    palette = make_palette()
    first = palette.note((0.5, 0.5), 64, 60).latent
    assert palette.note((0.5, 0.5), 64, 72).latent is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1.0


def test_the_memory_is_bounded():
    palette = make_palette("Flute", "Organ", "Piano")
    for a in range(33):
        for b in range(33 - a):
            for velocity in (10, 120):
                palette.note((a, b, 32 - a - b), velocity, 60)
    assert len(palette._memo) <= 1024
    assert palette.note((1, 0, 0), 10, 60).note_key.latent_key == latent_key(palette.latent((1, 0, 0), 0)[0])


# --- velocity -------------------------------------------------------------------------------------------------------


def test_velocity_picks_the_layer():
    palette = make_palette("Piano")
    soft, hard = ANCHORS["Piano"].layers
    np.testing.assert_allclose(palette.note((1.0,), 79, 60).latent, soft.latent, rtol=1e-6)
    np.testing.assert_allclose(palette.note((1.0,), 81, 60).latent, hard.latent, rtol=1e-6)


def test_an_anchor_of_one_layer_has_one_zone():
    palette = make_palette("Flute")
    assert palette.zone_velocities == (64,) and {palette.zone(v) for v in range(1, 128)} == {0}


@example([[1, 3], [1, 2, 4]])  # zones as narrow as one velocity
@given(st.lists(st.lists(st.integers(1, 127), min_size=1, max_size=6, unique=True), min_size=1, max_size=4))
def test_there_are_few_zones_each_with_its_middle_inside(velocities):
    anchors = [layered("x" * (i + 1), tuple(sorted(layers))) for i, layers in enumerate(velocities)]
    palette = Palette(Patch("p", tuple(PatchAnchor(a.name, 0, 0, 1) for a in anchors)), anchors, Model())
    zones = [palette.zone(velocity) for velocity in range(1, 128)]
    assert zones == sorted(zones) and len(palette.zone_velocities) <= MAX_ZONES
    for zone in set(zones):
        assert palette.zone(palette.zone_velocities[zone]) == zone


# --- what a patch may carry -----------------------------------------------------------------------------------------


def test_a_patch_carries_latents_of_its_own():
    z = tuple(np.random.default_rng(2).standard_normal(LATENT_SIZE).astype(np.float32).tolist())
    patch = Patch("p", (PatchAnchor("captured", 0.5, 0.5, 1.0, ((64, z),)),))
    palette = Palette(patch, (), Model())
    np.testing.assert_allclose(palette.note((1.0,), 90, 60).latent, z, rtol=1e-6)


def test_own_latents_win_over_a_model_anchor_of_the_same_name():
    z = tuple(float(i) for i in range(LATENT_SIZE))
    palette = Palette(Patch("p", (PatchAnchor("Flute", 0.5, 0.5, 1.0, ((64, z),)),)), make_anchors(), Model())
    np.testing.assert_array_equal(palette.note((1.0,), 90, 60).latent, z)


@pytest.mark.parametrize("z", [(1.0,) * 7, (1.0,) * 9, (float("nan"),) * LATENT_SIZE, (float("inf"),) * LATENT_SIZE])
def test_latents_that_do_not_fit_the_model_are_refused(z):
    patch = Patch("Mine", (PatchAnchor("captured", 0.5, 0.5, 1.0, ((64, z),)),))
    with pytest.raises(PresetError, match=r"'captured' of the preset 'Mine' has \d+ latent values.*needs 8 finite"):
        Palette(patch, (), Model())


@pytest.mark.parametrize(("asked", "offered"), [("Celo", "Cello"), ("pIaNo", "Piano"), ("Orgn", "Organ")])
def test_an_unknown_anchor_is_answered_with_the_nearest(asked, offered):
    with pytest.raises(PresetError, match=rf"needs the anchor '{asked}'.*'paper'.*nearest are {offered}") as error:
        make_palette(asked)
    assert str(error.value).count(".") == 1


def test_a_model_without_anchors_says_so():
    with pytest.raises(PresetError, match="names none at all"):
        Palette(make_patch("Flute"), (), Model())


def test_a_patch_without_anchors_is_refused():
    with pytest.raises(PresetError, match="has no anchor"):
        Palette(Patch("Empty", ()), make_anchors(), Model())


def test_same_timbres_is_about_sound_only():
    palette = make_palette("Flute", "Organ")
    assert palette.same_timbres(make_palette("Flute", "Organ", release_ms=9.0))
    assert not palette.same_timbres(make_palette("Organ", "Flute"))
    assert not palette.same_timbres(make_palette("Flute"))
    assert not palette.same_timbres(make_palette("Flute", "Organ", model=Model(model_id="other")))


# --- anchors and patches --------------------------------------------------------------------------------------------


def test_the_nearest_layer_and_the_softer_on_a_tie():
    piano = ANCHORS["Piano"]
    assert [piano.layer_for(v).velocity for v in (1, 80, 81, 127)] == [50, 50, 110, 110]


def test_a_patch_is_changed_by_copy():
    patch = make_patch("Flute", "Organ")
    assert patch.with_weights((0.25, 0.75)).weights == (0.25, 0.75) and patch.weights == (1.0, 0.0)
    assert patch.with_param("glide_ms", 5.0).param("glide_ms") == 5.0 and patch.param("glide_ms") == 0.0
    with pytest.raises(ValueError):
        patch.with_weights((1.0,))
    with pytest.raises(SettingsError, match="glide_ms"):
        patch.with_param("glide_ms", -1.0)


def test_a_missing_parameter_takes_its_default():
    patch = dataclasses.replace(make_patch("Flute"), params={})
    assert patch.param("decay_ms") == PARAMS["decay_ms"].default
