"""The inbox: everything that must arrive arrives in order; a hand that moves fast leaves only where it is."""

from __future__ import annotations

import threading
import time

import numpy as np

from synth_app.core.events import (
    ChannelPressure,
    ControlChange,
    NoteOff,
    NoteOn,
    PitchBend,
    PolyPressure,
    SetMorph,
    SetParam,
)
from synth_app.engine.inbox import Inbox


def test_notes_and_switches_queue_in_order():
    inbox = Inbox()
    events = [NoteOn(1, 0, 60, 100), ControlChange(2, 0, 64, 127), NoteOff(3, 0, 60), ControlChange(4, 0, 64, 0)]
    for event in events:
        inbox.post(event)
    assert inbox.take(0.0) == events
    assert inbox.take(0.0) == []


def test_of_a_continuous_control_only_the_newest_value_is_left():
    inbox = Inbox()
    for time_ns in range(100):
        inbox.post(SetMorph(time_ns, (time_ns / 100, 0.0)))
        inbox.post(SetParam(time_ns, "volume_db", -float(time_ns)))
        inbox.post(PitchBend(time_ns, 0, time_ns))
        inbox.post(PitchBend(time_ns, 1, -time_ns))
        inbox.post(ChannelPressure(time_ns, 0, time_ns))
        inbox.post(PolyPressure(time_ns, 0, 60, time_ns))
        inbox.post(PolyPressure(time_ns, 0, 61, time_ns))
    assert inbox.take(0.0) == [
        SetMorph(99, (0.99, 0.0)),
        SetParam(99, "volume_db", -99.0),
        PitchBend(99, 0, 99),
        PitchBend(99, 1, -99),
        ChannelPressure(99, 0, 99),
        PolyPressure(99, 0, 60, 99),
        PolyPressure(99, 0, 61, 99),
    ]


def test_parameters_of_other_names_do_not_replace_each_other():
    inbox = Inbox()
    inbox.post(SetParam(1, "volume_db", -1.0))
    inbox.post(SetParam(2, "attack_ms", 5.0))
    assert len(inbox.take(0.0)) == 2


def test_a_bend_stays_before_the_note_it_was_made_for_and_after_the_one_before():
    inbox = Inbox()
    for event in (
        PitchBend(1, 0, 10), PitchBend(2, 0, 20), NoteOn(3, 0, 60, 100),
        PitchBend(4, 0, 30), PitchBend(5, 0, 40), NoteOff(6, 0, 60), PitchBend(7, 0, 0),
    ):  # fmt: skip
        inbox.post(event)
    assert inbox.take(0.0) == [
        PitchBend(2, 0, 20), NoteOn(3, 0, 60, 100), PitchBend(5, 0, 40), NoteOff(6, 0, 60), PitchBend(7, 0, 0),
    ]  # fmt: skip


def test_taking_waits_for_the_first_event_and_no_longer():
    inbox = Inbox()
    taken: list[list] = []
    waiter = threading.Thread(target=lambda: taken.append(inbox.take(60.0)))
    waiter.start()
    inbox.post(NoteOn(1, 0, 60, 100))
    waiter.join(30.0)
    assert taken == [[NoteOn(1, 0, 60, 100)]]


def test_a_wake_ends_the_wait_even_if_it_came_first():
    inbox = Inbox()
    inbox.wake()
    start = time.monotonic()
    assert inbox.take(60.0) == []
    assert time.monotonic() - start < 30.0


def test_many_producers_lose_nothing_and_keep_their_own_order():
    inbox = Inbox()

    def produce(channel: int) -> None:
        for number in range(2000):
            inbox.post(ControlChange(number, channel, 64, 0))

    producers = [threading.Thread(target=produce, args=(channel,)) for channel in range(4)]
    for producer in producers:
        producer.start()
    taken: list[ControlChange] = []
    while len(taken) < 8000:
        taken += inbox.take(1.0)  # type: ignore[arg-type]
    for producer in producers:
        producer.join()
    for channel in range(4):
        assert [event.time_ns for event in taken if event.channel == channel] == list(np.arange(2000))
