"""Where every thread leaves its events for the control thread.

Notes and switches queue in order. A continuous control (a morph, a slider, a bend) keeps only its newest value: a hand
that moves faster than the engine looks costs nothing, and the last position always arrives.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable

from synth_app.core.events import ChannelPressure, Event, PitchBend, PolyPressure, SetMorph, SetParam


def _coalescing_key(event: Event) -> Hashable | None:
    """What a continuous control replaces; ``None`` for events that must all arrive."""
    match event:
        case SetMorph():
            return "morph"
        case SetParam(name=name):
            return ("param", name)
        case PitchBend(channel=channel):
            return ("bend", channel)
        case ChannelPressure(channel=channel):
            return ("pressure", channel)
        case PolyPressure(channel=channel, pitch=pitch):
            return ("poly", channel, pitch)
        case _:
            return None


class Inbox:
    """A queue for many producers and one consumer."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._newest: dict[Hashable, Event] = {}
        self._ready = threading.Condition()
        self._woken = False

    def post(self, event: Event) -> None:
        """Leave an event. Never waits for the consumer."""
        key = _coalescing_key(event)
        with self._ready:
            if key is None:
                # What was moved before this event must not arrive after it: a bend belongs to the notes it bent.
                self._events.extend(self._newest.values())
                self._newest.clear()
                self._events.append(event)
            else:
                self._newest[key] = event
            self._woken = True
            self._ready.notify()

    def wake(self) -> None:
        """End the consumer's wait: there is news that is not an event."""
        with self._ready:
            self._woken = True
            self._ready.notify()

    def take(self, timeout_s: float) -> list[Event]:
        """All events so far, in order, waiting at most ``timeout_s`` for the first (consumer)."""
        with self._ready:
            if not self._woken and timeout_s > 0.0:
                self._ready.wait(timeout_s)
            self._woken = False
            events = list(self._events)
            events.extend(self._newest.values())
            self._events.clear()
            self._newest.clear()
            return events
