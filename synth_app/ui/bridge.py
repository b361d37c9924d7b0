"""The one place where the panel meets the instrument: snapshots in, events out.

The panel polls (30 times a second by default) and never waits. Work that may take a moment (opening a device, listing
them) goes to a helper thread and comes back as a signal. Were the panel ever moved to its own process, this file is
what would change.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from PyQt6 import sip
from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from synth_app.core.errors import SynthAppError
from synth_app.core.events import (
    ControlChange,
    NoteOff,
    NoteOn,
    Panic,
    PitchBend,
    SetMorph,
    SetParam,
)
from synth_app.engine.ports import Instrument
from synth_app.engine.telemetry import Telemetry
from synth_app.timbre.patch import Patch
from synth_app.ui.document import Sound

log = logging.getLogger(__name__)

SOURCE = "panel"
SUSTAIN_CC, MODULATION_CC = 64, 1
_ECHO_SECONDS = 0.4
_ECHO_MEMORY_SECONDS = 3.0
_SETTLE_MS = 150
_STOP_SECONDS = 5.0


class Bridge(QObject):
    """Posts what the player does and tells what the instrument says.

    Signals:
        snapshot(Telemetry, Telemetry): now and before, once per poll.
        morphed(tuple): the morph moved without the panel (MIDI, automation).
        patched(Patch): the working patch was replaced without the panel (a program change).
        trouble(str): a sentence for the banner.
    """

    snapshot = pyqtSignal(object, object)
    morphed = pyqtSignal(tuple)
    patched = pyqtSignal(object)
    trouble = pyqtSignal(str)
    _answered = pyqtSignal(object, object)

    def __init__(self, instrument: Instrument, frames_per_second: int = 30, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.instrument = instrument
        self.now = instrument.telemetry()
        self._own_until_s = 0.0
        self._own_morphs: deque[tuple[float, tuple[float, ...]]] = deque(maxlen=256)
        self._own_patches: deque[tuple[float, Patch]] = deque([(0.0, instrument.patch)], maxlen=32)
        # One thread: devices are opened one after the other. (A QThreadPool deadlocks when Python collects it: its
        # destructor waits, holding the GIL, for a thread that wants the GIL.)
        self._helper = ThreadPoolExecutor(1, "panel helper")
        self._last_job: Future[None] | None = None
        self._answered.connect(self._deliver)
        self._pending: Patch | None = None
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._publish)
        self._timer = QTimer(self, interval=round(1000 / frames_per_second))
        self._timer.timeout.connect(self.poll)

    def start(self) -> None:
        """Begin polling."""
        self._timer.start()

    def set_rate(self, frames_per_second: int) -> None:
        """Poll more or less often."""
        self._timer.setInterval(round(1000 / frames_per_second))

    def stop(self) -> None:
        """Stop polling, hand over what is pending and wait for helpers."""
        self._timer.stop()
        self._publish()
        if self._last_job is not None:
            wait([self._last_job], _STOP_SECONDS)

    def poll(self) -> None:
        """Take one snapshot."""
        before, self.now = self.now, self.instrument.telemetry()
        self._notice_others(before, self.now)
        self.snapshot.emit(self.now, before)

    # ------------------------------------------------------------------ events out
    def note_on(self, pitch: int, velocity: int) -> None:
        """Strike a key."""
        self.instrument.post(NoteOn(time.monotonic_ns(), 0, pitch, velocity, SOURCE))

    def note_off(self, pitch: int) -> None:
        """Let a key go."""
        self.instrument.post(NoteOff(time.monotonic_ns(), 0, pitch, 0, SOURCE))

    def sustain(self, down: bool) -> None:
        """Press or lift the sustain pedal."""
        self.instrument.post(ControlChange(time.monotonic_ns(), 0, SUSTAIN_CC, 127 if down else 0, SOURCE))

    def modulation(self, value: int) -> None:
        """Move the modulation wheel, 0..127."""
        self.instrument.post(ControlChange(time.monotonic_ns(), 0, MODULATION_CC, value, SOURCE))

    def bend(self, value: int) -> None:
        """Move the pitch wheel, -8192..8191."""
        self.instrument.post(PitchBend(time.monotonic_ns(), 0, value, SOURCE))

    def param(self, name: str, value: float) -> None:
        """Set a parameter."""
        self.instrument.post(SetParam(time.monotonic_ns(), name, value, SOURCE))

    def panic(self) -> None:
        """Silence everything."""
        self.instrument.post(Panic(time.monotonic_ns(), SOURCE))

    def follow(self, before: Sound, after: Sound) -> None:
        """Make the instrument sound like the document, in the smallest message that does it."""
        old, new = before.patch, after.patch
        if old == new:
            return
        self._own_until_s = time.monotonic() + _ECHO_SECONDS
        self._own_morphs.append((time.monotonic(), _rounded(new.weights)))
        if _timbres(old) != _timbres(new):
            self._pending = new
            self._publish()
            return
        if old.weights != new.weights:
            self.instrument.post(SetMorph(time.monotonic_ns(), new.weights, SOURCE))
        for name, value in new.params.items():
            if old.params.get(name) != value:
                self.param(name, value)
        if _labels(old) != _labels(new):
            self._pending = new  # places and words do not sound: they can wait for the end of the gesture
            self._settle.start()
        elif self._pending is not None:
            self._pending = new

    # ------------------------------------------------------------------ calls that may fail or take a moment
    def attempt(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call at once; a :class:`SynthAppError` becomes a banner and ``None``."""
        try:
            return call(*args, **kwargs)
        except SynthAppError as error:
            self.trouble.emit(str(error))
            return None

    def in_background(self, call: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Call on a helper thread, then ``done(result)`` here; a :class:`SynthAppError` becomes a banner."""
        self._last_job = self._helper.submit(self._work, call, done)

    def _work(self, call: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """On the helper thread."""
        try:
            result = call()
        except SynthAppError as error:
            self.trouble.emit(str(error))
        except Exception:
            log.exception("a helper of the panel failed")
        else:
            self._answered.emit(done, result)

    def _deliver(self, done: Callable[[Any], None], result: Any) -> None:
        receiver = getattr(done, "__self__", None)
        if not (isinstance(receiver, QObject) and sip.isdeleted(receiver)):  # a dialog may be closed by now
            done(result)

    # ------------------------------------------------------------------ the instrument's own changes
    def _notice_others(self, before: Telemetry, now: Telemetry) -> None:
        """Tell changes of the instrument's own from echoes of the panel's, which come late when much is going on."""
        if time.monotonic() < self._own_until_s:
            return
        if now.patch_revision != before.patch_revision:
            patch = self.instrument.patch
            if not any(_same_preset(patch, own) for own in _recent(self._own_patches)):
                self._own_patches.append((time.monotonic(), patch))
                self.patched.emit(patch)
                return
        moved = now.asked_weights != before.asked_weights and bool(now.asked_weights)
        if moved and _rounded(now.asked_weights) not in _recent(self._own_morphs):
            self.morphed.emit(tuple(now.asked_weights))

    def _publish(self) -> None:
        self._settle.stop()
        if self._pending is not None:
            patch, self._pending = self._pending, None
            self._own_until_s = time.monotonic() + _ECHO_SECONDS
            self._own_patches.append((time.monotonic(), patch))
            if self.instrument.patch != patch:  # a preset just loaded is the working patch already
                self.attempt(self.instrument.set_patch, patch)


def _recent(own: deque[tuple[float, Any]]) -> list[Any]:
    """What the panel itself sent lately, and in any case the last of it."""
    since = time.monotonic() - _ECHO_MEMORY_SECONDS
    last = len(own) - 1
    return [value for index, (sent_s, value) in enumerate(own) if sent_s >= since or index == last]


def _rounded(weights: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(weight, 3) for weight in weights)


def _same_preset(one: Patch, other: Patch) -> bool:
    """Whether two patches are one preset, wherever its morph and its controls are."""
    return one.name == other.name and _timbres(one) == _timbres(other)


def _timbres(patch: Patch) -> tuple[object, ...]:
    """What decides which timbres a patch morphs between."""
    return tuple((anchor.name, anchor.latents) for anchor in patch.anchors)


def _labels(patch: Patch) -> tuple[object, ...]:
    """What a patch says about itself without sounding different."""
    places = tuple((anchor.x, anchor.y) for anchor in patch.anchors)
    return patch.name, places, patch.author, patch.notes, patch.tags, patch.model, patch.scenes
