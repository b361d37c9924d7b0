"""The mixer, sample by sample: starts, envelopes, smoothing, endings, and what it does when it runs out."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.engine.protocol import FINISHED, FREE, LATE, SEGMENT_FREED, SLOTS, STARTED
from tests.unit.engine.desk import DELAY, RATE_HZ, Buffer, Desk, ones, sine, steepest

BLOCKS = ((1,), (7,), (64,), (128,), (1000,), (5000,), (3, 900, 17, 1024, 1025))


# -- starts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [0, 1, 127, 128, 129, 1000])
def test_a_note_starts_at_its_frame_and_is_its_samples(frame: int):
    note = sine(440.0, 0.1)
    desk = Desk()
    desk.start(note, frame=frame)
    wave = desk.heard(frame + len(note.samples))
    assert np.all(wave[:frame] == 0.0)
    heard = wave[frame : frame + len(note.samples) - 2]
    np.testing.assert_array_equal(heard[:, 0], note.samples[:-2])
    np.testing.assert_array_equal(heard[:, 1], note.samples[:-2])
    assert desk.news_of(STARTED) == [(STARTED, 0, 1, frame, float(frame))]


def test_a_whole_note_ends_by_itself_and_frees_its_slot():
    desk = Desk()
    desk.start(sine(440.0, 0.1), slot=3, voice_id=77)
    desk.play(5000)
    assert desk.sounding == []
    [(_, slot, voice_id, frame, position)] = desk.news_of(FINISHED)
    assert (slot, voice_id, frame, position) == (3, 77, 4798, 4798.0)


def test_left_and_right_have_gains_of_their_own():
    desk = Desk()
    desk.start(ones(), gain_left=0.5, gain_right=2.0)
    wave = desk.heard(100)
    assert np.all(wave[:, 0] == 0.125)
    assert np.all(wave[:, 1] == 0.5)


def test_voices_add_up():
    desk = Desk()
    for slot in range(SLOTS):
        desk.start(ones(level=2.0**-10), slot=slot)
    assert np.all(desk.heard(200) == SLOTS * 2.0**-10)


def test_a_note_can_start_in_its_middle():
    note = sine(300.0)
    desk = Desk()
    desk.start(note, position=1234.0)
    np.testing.assert_array_equal(desk.heard(500)[:, 0], note.samples[1234:1734])


# -- block sizes -----------------------------------------------------------------------------------------------------


def _busy_take(blocks: tuple[int, ...]) -> np.ndarray:
    """Everything at once: starts, bends, vibrato, gains, the master, releases, kills, a segment, a limiter at work."""
    desk = Desk()
    rng = np.random.default_rng(5)
    for slot in range(12):
        desk.start(
            sine(110.0 * 2 ** (slot / 7), 1.0, 0.3), slot=slot, frame=int(rng.integers(0, 4000)),
            rate=float(rng.uniform(0.5, 2.0)), vibrato=0.03, attack_s=0.01 * slot, decay_s=0.05, sustain=0.5,
            fade_in_s=0.01 * (slot % 2),
        )  # fmt: skip
    desk.segment(sine(500.0, 1.0), origin=2000, switch=9000, slot=2)
    for slot in range(12):
        desk.tune(slot, int(rng.integers(4000, 9000)), float(rng.uniform(0.5, 2.0)), vibrato=0.05)
        desk.gain(slot, int(rng.integers(4000, 9000)), *(float(g) for g in rng.uniform(0.0, 1.0, 2)))
    desk.master(1000, 0.5, vibrato_hz=7.0)
    desk.master(6001, 1.0, vibrato_hz=3.0)
    for slot in range(6):
        desk.release(slot, 9000 + 301 * slot, release_s=0.05)
    for slot in range(6, 9):
        desk.kill(slot, 10_000 + 7 * slot)
    return desk.play(16_000, blocks)


@pytest.mark.parametrize("blocks", BLOCKS[1:])
def test_the_size_of_the_blocks_changes_not_one_bit(blocks: tuple[int, ...]):
    reference = _busy_take(BLOCKS[0])
    assert steepest(reference) > 0.0
    np.testing.assert_array_equal(_busy_take(blocks), reference)


def test_the_master_gain_moves_at_its_frame():
    desk = Desk()
    desk.start(ones())
    desk.master(1000, gain=0.5)
    wave = desk.heard(8000, (512,))[:, 0]
    assert np.all(wave[:1000] == 0.25)
    assert np.all(np.diff(wave[999:1100]) < 0.0)
    assert wave[-1] == 0.125


def test_a_master_gain_set_before_the_first_frame_simply_holds():
    desk = Desk()
    desk.master(0, gain=0.5)
    desk.start(ones())
    assert np.all(desk.heard(1000) == 0.125)


# -- smoothing -------------------------------------------------------------------------------------------------------


def test_gains_glide_and_arrive_exactly():
    desk = Desk()
    desk.start(ones(level=0.5))
    desk.gain(frame=500, left=0.0, right=0.5)
    wave = desk.heard(8000)
    assert steepest(wave) < 0.5 / (0.004 * RATE_HZ) * 1.01  # a one-pole's first step: its gap over its time constant
    assert wave[-1, 0] == 0.0
    assert wave[-1, 1] == 0.25
    assert desk.memory.slots[0]["gain_left"] == 0.0


def test_a_bend_glides_without_a_click_and_arrives_exactly():
    still, bent = Desk(), Desk()
    for desk in (still, bent):
        desk.start(sine(440.0))
    bent.tune(frame=5000, rate=2.0)
    wave = bent.heard(12_000)
    assert steepest(wave) < 2.02 * steepest(still.heard(12_000))
    assert bent.memory.slots[0]["rate"] == 2.0
    crossings = np.flatnonzero(np.diff(np.signbit(wave[8000:, 0])))
    assert np.diff(crossings).mean() == pytest.approx(RATE_HZ / 880.0 / 2.0, rel=1e-3)


# -- envelopes -------------------------------------------------------------------------------------------------------


def test_the_attack_is_a_straight_line():
    desk = Desk()
    desk.start(ones(level=1.0 / 4), attack_s=0.01)
    wave = desk.heard(700)[:, 0]
    np.testing.assert_allclose(wave[:480], 0.25 * np.arange(1, 481) / 480, rtol=1e-6)
    assert np.all(wave[480:] == 0.25)


def test_the_decay_falls_by_60_db_of_its_way_in_its_time_and_rests_on_the_sustain():
    desk = Desk()
    desk.start(ones(level=0.5), decay_s=0.1, sustain=0.25)
    wave = desk.heard(40_000)[:, 0] / 0.5
    assert wave[4800 - 1] == pytest.approx(0.25 + 0.75e-3, abs=1e-5)
    assert wave[-1] == 0.25
    assert np.all(np.diff(wave) <= 0.0)


def test_a_release_falls_by_60_db_in_its_time_and_ends_80_db_down():
    desk = Desk()
    desk.start(ones(2 * RATE_HZ, level=0.5))
    desk.release(frame=1000, release_s=0.3)
    wave = desk.heard(40_000)[:, 0]
    assert np.all(wave[:1000] == 0.5)
    assert wave[1000 + round(0.3 * RATE_HZ)] == pytest.approx(0.5e-3, rel=2e-3)
    [(_, _, _, end, _)] = desk.news_of(FINISHED)
    assert end - 1000 == pytest.approx(0.3 * RATE_HZ * 4 / 3, abs=2)
    assert 0.5e-4 <= wave[end - 1] < 0.5e-4 * 1.01
    assert np.all(wave[end:] == 0.0)


def test_a_release_in_the_middle_of_the_attack_goes_on_from_there():
    desk = Desk()
    desk.start(ones(level=0.5), attack_s=0.1)
    desk.release(frame=2400, release_s=0.1)
    wave = desk.heard(9000)[:, 0]
    assert wave.max() == pytest.approx(0.25, rel=1e-3)
    assert wave.argmax() == 2399
    assert steepest(wave) < 0.5 / 4800 * 8


def test_a_kill_fades_to_nothing_in_5_ms():
    desk = Desk()
    desk.start(sine(440.0, 1.0, 0.5))
    desk.kill(frame=1000)
    wave = desk.heard(3000)
    np.testing.assert_array_equal(wave[:1000, 0], sine(440.0, 1.0, 0.5).samples[:1000])
    [(_, _, _, end, _)] = desk.news_of(FINISHED)
    assert end - 1000 == pytest.approx(0.005 * RATE_HZ, abs=1)
    assert np.all(wave[end:] == 0.0)
    assert steepest(wave[990:]) < steepest(wave[:990]) + 0.5 / 240


def test_a_kill_ends_a_release_sooner():
    desk = Desk()
    desk.start(ones(level=0.5))
    desk.release(frame=100, release_s=10.0)
    desk.kill(frame=200)
    desk.release(frame=210, release_s=10.0)  # too late: it is dying
    wave = desk.heard(1000)
    assert np.all(wave[441:] == 0.0)


@pytest.mark.parametrize("frame", [990, 1003, 1015, 1029, 1044])
def test_stealing_never_clicks(frame: int):
    """One voice is killed anywhere in its cycle while another takes over: no step beyond those of the tones."""
    old, new = sine(440.0, 1.0, 0.4), sine(587.0, 1.0, 0.4)
    desk = Desk()
    desk.start(old)
    desk.kill(frame=frame)
    desk.start(new, slot=1, frame=frame)
    assert steepest(desk.heard(4000)) < steepest(old.samples) + steepest(new.samples) + 0.4 / 240


# -- running out -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "vibrato"), [(1.0, 0.0), (2.0, 0.0), (0.37, 0.0), (1.0, 0.12), (1.5, 0.06)])
def test_a_starving_voice_fades_and_goes_on_where_it_stopped(rate: float, vibrato: float):
    desk = Desk()
    note = ones(2 * RATE_HZ, level=0.5)
    note.grow(4000)
    desk.start(note, rate=rate, vibrato=vibrato)
    out = round(4000 / rate) + 200
    starved = desk.play(out)
    assert np.all(starved[-50:] == 0.0)
    assert desk.state["starved"] == 1
    position = float(desk.memory.slots[0]["position"])
    assert 3990 < position < 4000
    note.grow(2 * RATE_HZ, final=True)
    resumed = desk.play(400)
    assert np.all(resumed[-50:] == 0.5)
    whole = np.concatenate([starved, resumed])
    assert steepest(whole[200:]) <= 0.5 / 64 * 1.001, "it never falls off the edge"
    assert float(desk.memory.slots[0]["position"]) > position
    assert desk.state["starved"] == 1, "counted once"


def test_a_starving_voice_goes_on_with_the_very_next_sample():
    desk = Desk()
    note = Buffer(np.linspace(0.1, 0.5, 20_000))
    note.grow(5000)
    desk.start(note)
    desk.play(6000)
    position = int(desk.memory.slots[0]["position"])
    assert position == 4998
    note.grow(20_000, final=True)
    wave = desk.play(1000)[DELAY:, 0]
    np.testing.assert_array_equal(wave[64:], note.samples[position + 64 : position + len(wave)])


def test_bent_up_on_the_way_to_the_edge_it_still_fades_in_time():
    desk = Desk()
    note = ones(2 * RATE_HZ, level=0.5)
    note.grow(4000)
    desk.start(note)
    desk.tune(frame=3700, rate=2.0)
    assert steepest(desk.play(6000)[200:]) <= 0.5 / 64 * 1.001


@pytest.mark.parametrize("frame", [1700, 1800, 1850, 1900, 1950, 1990])
def test_a_voice_killed_at_the_edge_of_what_is_rendered_does_not_click(frame: int):
    desk = Desk()
    note = ones(RATE_HZ, level=0.5)
    note.grow(2000)
    desk.start(note)
    desk.kill(frame=frame)
    wave = desk.heard(4000)
    assert steepest(wave) <= 0.5 / 64 * 1.001
    assert desk.sounding == []


def test_a_starving_voice_can_be_released_and_killed():
    desk = Desk()
    for slot in range(2):
        note = ones(RATE_HZ)
        note.grow(2000)
        desk.start(note, slot=slot)
    desk.release(0, frame=3000, release_s=0.01)
    desk.kill(1, frame=3000)
    desk.play(5000)
    assert desk.sounding == []
    assert {message[1] for message in desk.news_of(FINISHED)} == {0, 1}


def test_the_last_slice_comes_while_a_voice_starves():
    desk = Desk()
    note = ones(4500)
    note.grow(4000)
    desk.start(note)
    desk.play(5000)
    note.grow(4500, final=True)
    assert desk.play(300)[:, 0].max() == pytest.approx(0.25, rel=0.01)
    desk.play(1000)
    assert desk.sounding == []


# -- segments --------------------------------------------------------------------------------------------------------


def test_a_segment_takes_over_at_its_sample_exactly():
    ramp = np.arange(20_000) * 2.0**-16
    first, second = Buffer(ramp), Buffer(ramp[3000:] + 0.25)
    desk = Desk()
    desk.start(first)
    desk.segment(second, origin=3000, switch=5001)
    wave = desk.heard(8000)[:, 0]
    np.testing.assert_array_equal(wave[:5001], first.samples[:5001])
    np.testing.assert_array_equal(wave[5001:8000], second.samples[2001:5000])
    [freed] = desk.news_of(SEGMENT_FREED)
    assert freed == (SEGMENT_FREED, 0, 1, 5001, float(first.samples.ctypes.data))


def test_a_segment_replaced_before_its_time_is_handed_back():
    first, second, third = ones(), ones(level=0.3), ones(level=0.35)
    desk = Desk()
    desk.start(first)
    desk.segment(second, origin=0, switch=4000)
    desk.segment(third, origin=0, switch=4500, frame=1000)
    wave = desk.heard(6000)[:, 0]
    assert wave[4400] == 0.25
    assert wave[4600] == np.float32(0.35)
    addresses = [message[4] for message in desk.news_of(SEGMENT_FREED)]
    assert addresses == [float(b.samples.ctypes.data) for b in (second, first)]


def test_a_segment_for_a_voice_that_is_gone_is_handed_back():
    desk = Desk()
    late = ones()
    desk.segment(late, origin=0, switch=10)
    desk.play(100)
    assert desk.news_of(SEGMENT_FREED)[0][4] == float(late.samples.ctypes.data)


def test_a_voice_that_ends_hands_back_the_segment_it_never_reached():
    desk = Desk()
    desk.start(ones(2000))
    never = ones()
    desk.segment(never, origin=0, switch=40_000)
    desk.play(4000)
    assert [m[4] for m in desk.news_of(SEGMENT_FREED)] == [float(never.samples.ctypes.data)]
    assert len(desk.news_of(FINISHED)) == 1


# -- commands --------------------------------------------------------------------------------------------------------


def test_a_late_command_is_carried_out_at_once_and_counted():
    desk = Desk()
    desk.play(1000)
    desk.start(ones(), frame=500)
    wave = desk.play(256)[:, 0]
    assert np.count_nonzero(wave) == 256 - DELAY
    assert desk.state["late"] == 1
    assert desk.news_of(LATE) == [(LATE, 0, 1, 1000, 500.0)]


def test_at_once_is_not_late():
    desk = Desk()
    desk.play(1000)
    desk.start(ones(), frame=0)
    desk.play(256)
    assert desk.state["late"] == 0
    assert desk.news_of(STARTED) == [(STARTED, 0, 1, 1000, 0.0)]


def test_commands_are_carried_out_in_order_of_their_frames():
    desk = Desk()
    desk.kill(frame=3000)
    desk.release(frame=2000)
    desk.start(ones(), frame=1000)
    wave = desk.heard(4000)[:, 0]
    assert np.flatnonzero(wave)[0] == 1000
    assert wave[1999] == 0.25 > wave[2100] > 0.0 == wave[3300]


def test_commands_for_a_voice_that_is_gone_do_not_touch_its_heir():
    desk = Desk()
    desk.start(ones(), voice_id=8)
    for command in (desk.release, desk.kill, desk.tune, desk.gain):
        command(frame=10)  # for voice 1, which had this slot before
    assert np.all(desk.heard(1000) == 0.25)


def test_a_full_ring_back_never_loses_the_news_that_a_voice_has_ended():
    """A flood of late commands while nobody listens: endings still get through, for their memory hangs on them."""
    desk = Desk()
    desk.play(1000)
    for slot in range(SLOTS):
        desk.start(ones(3000), slot=slot)
    desk.play(128)
    for _ in range(3):
        for number in range(2000):
            desk.gain(slot=number % SLOTS, frame=500)
        desk.play(128)
    desk.play(5000)
    assert desk.state["late"] > 4096, "more than the ring holds"
    assert desk.state["lost_messages"] > 0
    assert {message[1] for message in desk.news_of(FINISHED)} == set(range(SLOTS))


def test_a_slot_that_is_taken_refuses_a_second_start():
    desk = Desk()
    desk.start(ones(level=0.25))
    desk.start(ones(level=0.5), voice_id=9, frame=10)
    assert np.all(desk.heard(500) == 0.25)
    assert desk.state["refused"] == 1


# -- bad samples and silence -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_a_bad_sample_is_silent_and_counted_and_takes_no_other_voice_with_it(bad: float):
    broken = np.full(RATE_HZ, 0.1, np.float32)
    broken[500:600] = bad
    desk = Desk()
    desk.start(Buffer(broken))
    desk.start(ones(level=0.25), slot=1)
    wave = desk.heard(1000)[:, 0]
    assert np.all(np.isfinite(wave))
    assert np.all(wave[500:600] == 0.25)
    assert np.all(wave[600:] == np.float32(0.1) + 0.25)
    assert desk.state["not_finite"] >= 100


def test_nothing_is_left_when_everything_has_died_away():
    """No subnormal number stays in the state to slow the processor down, and the output is exactly nothing."""
    desk = Desk()
    tail = np.float32(0.5) * np.exp(-np.arange(2 * RATE_HZ) / 900.0)  # down to 1e-47: subnormal as float32
    for slot in range(8):
        desk.start(Buffer(tail), slot=slot, decay_s=0.001, sustain=0.0, vibrato=0.01, attack_s=0.001)
        desk.gain(slot, frame=1000, left=0.0, right=1.0)
        desk.tune(slot, frame=1000, rate=1.01, vibrato=0.0)
    desk.master(2000, gain=0.0)
    out = desk.play(RATE_HZ)
    _assert_no_subnormals(desk, out)
    desk.master(0, gain=1.0)
    for slot in range(8):
        desk.release(slot, release_s=0.01)
    out = desk.play(RATE_HZ)
    _assert_no_subnormals(desk, out)
    assert desk.sounding == []
    assert np.all(out[-1000:] == 0.0)


def test_a_note_that_fades_into_subnormals_comes_out_as_nothing():
    desk = Desk()
    desk.start(Buffer(np.full(RATE_HZ, 1e-41)))
    assert np.all(desk.heard(2000) == 0.0)


def _assert_no_subnormals(desk: Desk, out: np.ndarray) -> None:
    memory = desk.memory
    fields = [memory.slots[name] for name in memory.slots.dtype.names or ()]
    fields += [memory.state[name] for name in memory.state.dtype.names or ()]
    for values in (*fields, memory.delay_left, memory.delay_right, memory.tap, out):
        if values.dtype.kind == "f":
            size = np.abs(values[values != 0.0])
            assert not np.any(size < np.finfo(values.dtype).tiny)


def test_an_idle_mixer_is_silent():
    desk = Desk()
    assert np.all(desk.play(1000) == 0.0)
    assert np.all(desk.memory.slots["state"] == FREE)
