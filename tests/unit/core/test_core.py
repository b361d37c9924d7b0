"""Values that every floor shares: units, parameters, keys, events, errors."""

from __future__ import annotations

import copy
import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_app.core import errors, events
from synth_app.core.errors import SettingsError, SynthAppError
from synth_app.core.keys import NoteKey, latent_key
from synth_app.core.params import PARAMS, check_param, default_patch_params, default_settings_params
from synth_app.core.units import (
    SILENCE_DB,
    db_to_gain,
    gain_to_db,
    hz_to_pitch,
    ms_to_samples,
    pitch_to_hz,
    semitones_to_ratio,
)


@pytest.mark.parametrize(("pitch", "hz"), [(69, 440.0), (60, 261.6255653), (24, 32.7031957), (84, 1046.5022612)])
def test_pitch_to_hz(pitch, hz):
    assert pitch_to_hz(pitch) == pytest.approx(hz)


@given(st.floats(0, 127), st.floats(400, 480))
def test_pitch_and_hz_are_inverses(pitch, a4_hz):
    assert hz_to_pitch(pitch_to_hz(pitch, a4_hz), a4_hz) == pytest.approx(pitch, abs=1e-9)


@given(st.floats(-119, 40))
def test_db_and_gain_are_inverses(db):
    assert gain_to_db(db_to_gain(db)) == pytest.approx(db, abs=1e-9)


def test_silence_has_a_level():
    assert gain_to_db(0.0) == SILENCE_DB and db_to_gain(0.0) == 1.0


def test_an_octave_doubles_and_times_are_rounded():
    assert semitones_to_ratio(12) == 2.0 and semitones_to_ratio(0) == 1.0
    assert ms_to_samples(5.0, 48000) == 240 and ms_to_samples(1.0, 44100) == 44


def test_parameters_are_named_once_with_a_default_in_range():
    for name, spec in PARAMS.items():
        assert name == spec.name and spec.lowest <= spec.default <= spec.highest
        assert spec.help.endswith(".") and "\n" not in spec.help and spec.label
    assert default_patch_params().keys() | default_settings_params().keys() == PARAMS.keys()
    assert not default_patch_params().keys() & default_settings_params().keys()


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_a_parameter_accepts_its_range_and_nothing_else(name):
    spec = PARAMS[name]
    assert check_param(name, spec.lowest) == spec.lowest and check_param(name, spec.highest) == spec.highest
    for value in (spec.lowest - 0.1, spec.highest + 0.1, math.nan, math.inf):
        with pytest.raises(SettingsError, match=name) as error:
            check_param(name, value)
        assert str(error.value).endswith(".") and "  " not in str(error.value)


def test_a_time_under_a_millisecond_is_none():
    """0.01 ms reads "0 ms", which is the note's own release, and would cut it dead."""
    assert [check_param("release_ms", value) for value in (0.0, 0.01, 0.99, 1.0, 1.5)] == [0.0, 0.0, 0.0, 1.0, 1.5]
    assert check_param("vibrato_hz", 0.5) == 0.5


def test_an_unknown_parameter_lists_the_known_ones():
    with pytest.raises(SettingsError, match="master_db"):
        check_param("loudness", 1.0)


def test_equal_latents_have_equal_keys_in_any_layout_and_others_do_not():
    z = np.random.default_rng(0).standard_normal(256).astype(np.float32)
    strided = np.repeat(z, 2)[::2]
    assert latent_key(z) == latent_key(strided) == latent_key(z.astype(">f4"))
    assert len(latent_key(z)) == 16
    nudged = z.copy()
    nudged[17] = np.nextafter(nudged[17], np.float32(9))
    assert latent_key(nudged) != latent_key(z)
    assert NoteKey("m", latent_key(z), 60) == NoteKey("m", latent_key(strided), 60)
    assert len({NoteKey("m", b"k", 60), NoteKey("m", b"k", 60), NoteKey("m", b"k", 61)}) == 2


def event_classes() -> list[type]:
    return [kind for kind in vars(events).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]


@pytest.mark.parametrize("kind", event_classes(), ids=lambda kind: kind.__name__)
def test_events_are_frozen_carry_their_time_and_can_be_copied(kind):
    fields = dataclasses.fields(kind)
    assert fields[0].name == "time_ns"
    event = kind(*range(len(fields)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.time_ns = 1
    assert not hasattr(event, "__dict__")
    assert copy.deepcopy(event) == event


def test_every_error_a_player_can_meet_is_one_family():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) > 5 and all(issubclass(kind, SynthAppError) for kind in kinds)
