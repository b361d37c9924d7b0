"""Keyboard, meter, status and parameters, without widgets."""

from __future__ import annotations

import pytest

from synth_app.core.params import PARAMS
from synth_app.engine.ports import AudioSettings
from synth_app.engine.telemetry import Telemetry
from synth_app.ui.view_models.keyboard import (
    ComputerKeys,
    HeldNotes,
    is_black,
    key_at,
    key_layout,
    note_name,
    place_of,
    velocity_at,
)
from synth_app.ui.view_models.meter import FLOOR_DB, MeterModel
from synth_app.ui.view_models.params import ParamScale, grouped_params
from synth_app.ui.view_models.status import facts, input_activity, keyboards_and_ports, safer_block


def test_keys_cover_the_range_and_black_ones_lie_on_top() -> None:
    keys = key_layout(48, 72)
    assert sorted(key.pitch for key in keys) == list(range(48, 73))
    black = next(key for key in keys if key.pitch == 49)
    middle = black.left + black.width / 2
    assert key_at(keys, middle, 0.1).pitch == 49
    assert key_at(keys, black.left + 0.001, 0.9).pitch == 48
    assert key_at(keys, 0.999, 0.5).pitch == 72
    assert key_at(keys, 1.5, 0.5) is None


def test_a_range_may_begin_and_end_with_a_black_key() -> None:
    assert sorted(key.pitch for key in key_layout(49, 54)) == [49, 50, 51, 52, 53, 54]


def test_velocity_grows_towards_the_lower_edge() -> None:
    white = key_layout(60, 72)[0]
    assert velocity_at(white, 0.0) == 20
    assert velocity_at(white, 1.0) == 127
    assert velocity_at(white, 0.5) < velocity_at(white, 0.6)


def test_names() -> None:
    assert note_name(60) == "C4" and note_name(21) == "A0" and note_name(61) == "C♯4"
    assert is_black(61) and not is_black(60)


def test_computer_keys_end_the_note_they_started() -> None:
    keys = ComputerKeys()
    assert keys.press("a") == 60
    assert keys.press("a") is None, "it is down already"
    assert keys.shift_octave(1) == 5
    assert keys.press("D") == 76
    assert keys.release("a") == 60, "the octave changed in between"
    assert keys.press("q") is None
    assert keys.release_all() == [76]
    assert keys.release("d") is None


@pytest.mark.parametrize(
    ("platform", "scan_code", "virtual_key", "letter", "place"),
    [
        ("xcb", 38, 0x61, "a", "a"),
        ("xcb", 38, 0x71, "q", "a"),  # AZERTY has a Q there
        ("wayland", 52, 0x79, "y", "z"),  # QWERTZ
        ("windows", 39, 0xBA, "m", ";"),
        ("cocoa", 1, 0, "q", "a"),
        ("xcb", 24, 0x61, "a", ""),  # the A of AZERTY lies where nothing plays
        ("offscreen", 0, 0, "k", "k"),
        ("xcb", 0, 0, "k", "k"),
    ],
)
def test_keys_play_by_their_place(platform: str, scan_code: int, virtual_key: int, letter: str, place: str) -> None:
    assert place_of(platform, scan_code, virtual_key, letter) == place


def test_what_is_printed_on_a_key_is_learned() -> None:
    keys = ComputerKeys()
    assert keys.letters()[60] == "A" and keys.printed("z") == "Z"
    assert keys.learn("a", "q") and not keys.learn("a", "Q")
    assert not keys.learn("s", "\x13"), "a control character is printed on no key"
    assert keys.letters()[60] == "Q" and keys.letters()[62] == "S"


def test_octave_and_velocity_stay_in_range() -> None:
    keys = ComputerKeys()
    assert [keys.shift_octave(-1) for _ in range(6)][-1] == 0
    assert [keys.shift_octave(1) for _ in range(12)][-1] == 8
    assert keys.press(";") == 124
    assert keys.shift_velocity(1) == 112
    assert [keys.shift_velocity(1) for _ in range(5)][-1] == 127
    assert [keys.shift_velocity(-1) for _ in range(12)][-1] == 16


def test_a_note_lasts_as_long_as_its_last_finger() -> None:
    held = HeldNotes()
    assert held.press(60) and not held.press(60)
    assert not held.release(60) and held.release(60)
    assert not held.release(60), "nobody held it"
    held.press(62)
    held.press(59)
    assert held.release_all() == [59, 62] and held.pitches == frozenset()


def test_the_meter_rises_at_once_falls_slowly_and_holds_its_peak() -> None:
    meter = MeterModel()
    meter.update(1.0, 0.5)
    assert meter.level_db == pytest.approx(-6.02, abs=0.01)
    meter.update(1.5, 0.0)
    assert meter.level_db == pytest.approx(-6.02 - 13.0, abs=0.01)
    assert meter.peak_db == pytest.approx(-6.02, abs=0.01), "held"
    meter.update(3.0, 0.0)
    assert meter.peak_db < -6.02
    meter.update(99.0, 0.0)
    assert meter.level_db == FLOOR_DB


def test_the_clip_lamp_stays_until_it_is_reset() -> None:
    meter = MeterModel()
    meter.update(1.0, 1.2)
    meter.update(9.0, 0.0)
    assert meter.clipped
    meter.reset()
    assert not meter.clipped


def test_a_meter_survives_not_a_number() -> None:
    meter = MeterModel()
    meter.update(1.0, float("nan"))
    assert meter.level_db == FLOOR_DB and not meter.clipped


def test_the_scale_of_the_meter_runs_from_nothing_to_all() -> None:
    assert MeterModel.share(FLOOR_DB) == 0.0 and MeterModel.share(0.0) == 1.0 and MeterModel.share(12.0) == 1.0


def test_status_counts_from_where_the_player_cleared() -> None:
    start = Telemetry(xruns=7, late=1)
    now = Telemetry(xruns=9, late=1, latency_ms=31.0, jitter_ms=0.5, rate_hz=48000, block_frames=256)
    shown = {fact.key: fact for fact in facts(now, start)}
    assert shown["xruns"].value == "2" and shown["xruns"].health == "warn"
    assert shown["late"].value == "0" and shown["late"].health == "good"
    assert shown["latency"].value == "31.0 ± 0.5 ms" and shown["latency"].health == "warn"
    assert "48 kHz in blocks of 256 frames" in shown["latency"].help


def test_status_speaks_to_musicians() -> None:
    """The program's own words ("xruns", "bridged", "warm") are for its tool tips; each tip is a sentence or two."""
    shown = facts(Telemetry(rate_hz=48000, audio_device="Card"), Telemetry())
    labels = [fact.label for fact in shown]
    assert labels == ["Latency", "Drop-outs", "Late", "Stand-ins", "To compute", "Keys ready", "Kept", "Voices",
                      "Mixer", "On"]  # fmt: skip
    assert all(fact.help.endswith(".") and len(fact.help.split()) > 6 for fact in shown)


def test_status_says_when_there_is_no_output() -> None:
    shown = {fact.key: fact for fact in facts(Telemetry(), Telemetry())}
    assert shown["latency"].value == "no output" and shown["latency"].health == "warn"


def test_safe_means_the_next_larger_block() -> None:
    assert safer_block(Telemetry(block_frames=128), AudioSettings()) == 256
    assert safer_block(Telemetry(block_frames=100), AudioSettings()) == 128
    assert safer_block(Telemetry(block_frames=1024), AudioSettings()) is None


def test_our_own_ports_are_no_keyboards() -> None:
    now = Telemetry(midi_inputs=("JACK: synth_app:midi_in", "ALSA: Keystep 37 24:0"))
    assert keyboards_and_ports(now) == (("ALSA: Keystep 37 24:0",), ("JACK: synth_app:midi_in",))


def test_midi_activity() -> None:
    assert input_activity(Telemetry(midi_events=5), Telemetry(midi_events=4))
    assert not input_activity(Telemetry(midi_events=5), Telemetry(midi_events=5))


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_every_parameter_sits_on_a_slider(name: str) -> None:
    spec = PARAMS[name]
    scale = ParamScale(spec)
    assert scale.value(0) == pytest.approx(spec.lowest)
    assert scale.value(scale.steps) == pytest.approx(spec.highest)
    assert scale.value(scale.position(spec.default)) == spec.default
    for position in range(scale.steps + 1):
        value = scale.value(position)
        assert spec.lowest <= value <= spec.highest
        assert abs(scale.position(value) - position) <= 1
    assert scale.text(spec.highest)


def test_parameters_read_like_a_panel() -> None:
    assert ParamScale(PARAMS["release_ms"]).text(1500.0) == "1.50 s"
    assert ParamScale(PARAMS["release_ms"]).text(300.0) == "300 ms"
    assert ParamScale(PARAMS["release_ms"]).text(0.0) == "the note's own"
    assert ParamScale(PARAMS["transpose_semitones"]).text(7.0) == "+7 st"
    assert ParamScale(PARAMS["volume_db"]).text(-6.0) == "-6.0 dB"


def test_every_patch_parameter_has_a_place_on_the_panel() -> None:
    placed = [spec.name for _, specs in grouped_params() for spec in specs]
    assert sorted(placed) == sorted(name for name, spec in PARAMS.items() if spec.in_patch)


@pytest.mark.parametrize("name", [name for name, spec in PARAMS.items() if spec.unit == "ms"])
def test_a_time_that_reads_zero_is_zero(name: str) -> None:
    """A release of a hundredth of a millisecond read "0 ms", the note's own release, and cut every note off."""
    scale = ParamScale(PARAMS[name])
    for position in range(scale.steps + 1):
        value = scale.value(position)
        assert value == PARAMS[name].lowest or value >= 1.0, position
