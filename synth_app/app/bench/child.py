"""What runs in a process of its own: ``python -m synth_app.app.bench.child NAME JSON``.

A child answers with one line of JSON, and again for each line it reads; it ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from synth_app.app.paths import ensure_numba_cache
from synth_app.core.errors import SynthAppError

Answers = Iterator[dict[str, Any]]

_WARM_TIMEOUT_S = 60.0
_TEMPLATE_SAMPLES = 4096
_CHANNEL = 0
_PANEL_OPENS_S = 2.0


def main() -> None:
    """Do what the command line says."""
    ensure_numba_cache()
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    children: dict[str, Callable[..., Answers]] = {
        "stream": stream, "instrument": instrument, "keys": keys, "slider": slider,
        "random_play": random_play,
    }  # fmt: skip
    try:
        for answer in children[name](**arguments):
            _say(answer)
    except SynthAppError as error:
        _say({"error": str(error)})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def stream(seconds: float, seed: int, compiled: bool) -> Answers:
    """Callback times on the audio thread of a real stream: 64 voices, struck anew as soon as they have ended."""
    import numpy as np

    from synth_app.adapters.audio_portaudio import PortAudioStream, choose_output
    from synth_app.app.bench.callback import address_of
    from synth_app.app.bench.mixing import CompiledMixer, NumpyMixer, make_chord
    from synth_app.app.bench.stopwatch import TIMED, Stopwatch
    from synth_app.engine.callback import CALLBACK
    from synth_app.engine.ports import AudioSettings

    chord = make_chord(np.random.default_rng(seed))
    mixer, plain = CompiledMixer(chord), NumpyMixer(chord)
    python = plain.as_callback(mixer.memory)
    target = CALLBACK.address if compiled else address_of(python)
    stopwatch = Stopwatch(target, mixer.memory.table.ctypes.data, 1 << 18)
    mixer.strike()
    output = PortAudioStream(choose_output(AudioSettings()), mixer.memory, TIMED.address, stopwatch.table.ctypes.data)
    try:
        stopwatch.restart()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.02)
            if not compiled and plain.ended:
                plain.strike()
            elif compiled and mixer.sounding == 0:
                mixer.strike()
        durations = stopwatch.durations_us()
    finally:
        output.close()
    yield {"durations_us": durations.tolist(), "underflows": int(mixer.memory.state[0]["underflows"])}


def instrument(
    model: str,
    ahead: bool,
    template: str = "",
    key: int = 60,
    velocity: int = 100,
    patience_s: float = 0.0,
    panel: bool = False,
) -> Answers:
    """The whole instrument, playing; answers once it is ready to be measured, and each time with what it saw since.

    Args:
        ahead: render ahead of the hands, as it always does; first ``key`` is made to be in the cache, and the beginning
            of its note is written to ``template``. Otherwise every key stays cold until it is struck.
        patience_s: how long to wait for all rendering ahead to be done.
        panel: open the panel meanwhile (drawn, but on no screen).
    """
    from synth_app.app.bench import watch

    with _watched_instrument(model, ahead) as (live, core, stage):
        warm = _warm_up(live, stage, key, velocity, template, patience_s) if ahead else True
        log = watch.StampLog(core.memory)
        t = live.telemetry()
        with _repeating(log.note, 0.01):
            ready = {"warm": warm, "block": t.block_frames, "rate_hz": t.rate_hz, "latency_ms": t.latency_ms,
                     "model": t.model, "provider": t.provider}  # fmt: skip
            if panel:
                _under_a_panel(live, chain([ready], _reports(core, stage, log)))
            else:
                yield ready
                yield from _reports(core, stage, log)


def _under_a_panel(live: Any, answers: Answers) -> None:
    """Show the panel, which needs the main thread, and give the answers from another until they end."""
    from synth_app.app.panel import show
    from synth_app.app.settings import Settings, SettingsFile

    done = threading.Event()

    def answer() -> None:
        time.sleep(_PANEL_OPENS_S)
        for item in answers:
            _say(item)
        done.set()

    threading.Thread(target=answer, daemon=True).start()
    show(live, Settings(panel={"first_run": False}), SettingsFile(), done)


def slider(model: str, jumps: int, sweep_s: float, seed: int) -> Answers:
    """The whole instrument under a held chord and a moving slider."""
    from synth_app.app.bench.slider import Slider

    with _watched_instrument(model, True) as (live, core, _stage):
        hand = Slider(live, core, seed)
        hand.jump()  # to warm up
        changes = [hand.jump() for _ in range(jumps)]
        starved = hand.sweep(sweep_s)
        yield {"changes_ms": changes, "half_ms": hand.half_ms, "starved": starved}


@contextlib.contextmanager
def _watched_instrument(model: str, ahead: bool) -> Iterator[tuple[Any, Any, Any]]:
    """The instrument, its engine, and the stage we watch in it."""
    from synth_app.app import instrument as module
    from synth_app.app.bench import watch
    from synth_app.app.compose import Core
    from synth_app.app.live import prepare_process

    watched: list[tuple[Core, watch.WatchedStage]] = []

    def build_watched_core(*arguments: Any, **options: Any) -> Core:
        """The instrument's face says how things are, not how each note went: look over its shoulder."""
        watched.append(watch.build_watched_core(*arguments, **{**options, "live": ahead}))
        return watched[-1][0]

    vars(module)["build_core"] = build_watched_core
    prepare_process()
    live = module.LiveInstrument(module.LiveOptions(model=model, headless=True, cache_mb=0))  # cold is cold
    try:
        live.wait_ready()
        yield live, *watched[-1]
    finally:
        live.close()


def _reports(core: Any, stage: Any, log: Any) -> Answers:
    """What happened up to each line of the standard input, since the one before it."""
    import numpy as np

    from synth_app.app.bench import watch

    def counters() -> dict[str, int]:
        state, control = core.memory.state[0], core.control
        starved = int(state["starved"]) + core.streams.held
        return {"late": control.ensemble.late, "rendered": len(control.cache), "starved": starved,
                "xruns": int(state["underflows"])}  # fmt: skip

    stage.struck.clear()
    before = counters()
    for _line in sys.stdin:
        struck, now = [s for s in stage.struck if s.started_frame >= 0], counters()
        yield {
            "stamps_ms": (np.array([s.stamp_ns for s in struck], np.int64) * 1e-6).tolist(),
            "delays_ms": watch.delays_ms(struck, log, core.memory.rate_hz).tolist(),
            "posted_ms": [(s.posted_ns - s.stamp_ns) * 1e-6 for s in struck],
            "errors_frames": watch.errors_frames(struck).tolist(),
            "on_time": [s.started_frame == s.due_frame for s in struck],
            **{name: now[name] - before[name] for name in now},
        }
        stage.struck.clear()
        before = now


def _warm_up(live: Any, stage: Any, key: int, velocity: int, template: str, patience_s: float) -> bool:
    """Strike the key until its own note is whole, and wait until nothing is left to render; whether it came to that.

    The first strokes may be answered by a stand-in. The release is made short, so that strokes do not overlap.
    """
    import numpy as np

    from synth_app.core.events import NoteOff, NoteOn, SetParam

    heard: list[Any] = []
    stage.on_start = heard.append
    live.post(SetParam(time.monotonic_ns(), "release_ms", 20.0))
    began = time.monotonic()
    idle = own = False
    while not idle and time.monotonic() < began + (patience_s if own else _WARM_TIMEOUT_S):
        live.post(NoteOn(time.monotonic_ns(), _CHANNEL, key, velocity))
        time.sleep(0.1)
        live.post(NoteOff(time.monotonic_ns(), _CHANNEL, key))
        time.sleep(0.4)
        own = bool(heard) and heard[-1].complete and heard[-1].key.pitch == key
        idle = own and not live.telemetry().queue and not live.telemetry().voices
    stage.on_start = lambda _note: None
    if not heard or heard[-1].key.pitch != key or heard[-1].available < _TEMPLATE_SAMPLES:
        raise SynthAppError("the measured key's note was not rendered in time; the machine is too busy")
    np.save(template, heard[-1].audio[:_TEMPLATE_SAMPLES])
    return idle


@contextlib.contextmanager
def _repeating(work: Callable[[], None], every_s: float) -> Iterator[None]:
    """Do some work again and again on a thread while the block runs."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(every_s):
            work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def keys(messages: list[tuple[float, list[int]]], recording: str) -> Answers:
    """Send MIDI at exact frames of JACK's clock and record what the instrument answers; says each message's frame."""
    import numpy as np

    from synth_app.adapters.jack_meter import JackMeter

    sys.setswitchinterval(0.0002)
    with JackMeter(messages[-1][0] + 1.0) as meter:
        meter.connect("midi_in", "out_0")
        frames = meter.play([(at_s, bytes(data)) for at_s, data in messages])
        np.save(recording, meter.recording)
        yield {"frames": frames, "rate_hz": meter.rate_hz, "cycles_lost": meter.cycles_lost}


def random_play(seconds: float, seed: int, model: str) -> Answers:
    """The whole instrument under random hands, pedals and morphs: its memory once a second."""
    from synth_app.app.instrument import LiveInstrument, LiveOptions
    from synth_app.app.live import prepare_process
    from synth_app.core.events import ControlChange, NoteOff, NoteOn, SetMorph

    prepare_process()
    live = LiveInstrument(LiveOptions(model=model, headless=True))
    draw = random.Random(seed)
    memory: list[tuple[float, float]] = []
    try:
        live.wait_ready()
        anchors = len(live.patch.anchors)
        began = time.monotonic()
        held: dict[int, float] = {}
        notes, sampled = 0, -1.0
        while (now := time.monotonic() - began) < seconds:
            for pitch in [p for p, until in held.items() if until < now]:
                del held[pitch]
                live.post(NoteOff(time.monotonic_ns(), _CHANNEL, pitch))
            pitch = draw.randint(30, 80)
            if pitch not in held and len(held) < 10:
                held[pitch] = now + draw.expovariate(1.0 / 0.5)
                live.post(NoteOn(time.monotonic_ns(), _CHANNEL, pitch, draw.randint(20, 127)))
                notes += 1
            if draw.random() < 0.05:
                live.post(SetMorph(time.monotonic_ns(), tuple(draw.random() for _ in range(anchors))))
            if draw.random() < 0.03:
                live.post(ControlChange(time.monotonic_ns(), _CHANNEL, 64, draw.choice((0, 127))))
            if now - sampled >= 1.0:
                sampled = now
                memory.append((now, resident_mb()))
            time.sleep(draw.uniform(0.05, 0.15))
        t = live.telemetry()
        memory.append((seconds, resident_mb()))
        yield {"memory_mb": memory, "shared_mb": shared_mb(), "notes": notes, "model": t.model,
               "cache_mb": t.cache_bytes / 1e6, "late": t.late, "bridged": t.bridged, "starved": t.starved,
               "xruns": t.xruns}  # fmt: skip
    finally:
        live.close()


def resident_mb() -> float:
    """Memory that this process holds now (its peak where the system only tells that).

    Without what it shares with others: that is JACK's, which holds it once for all its clients (:func:`shared_mb`).
    """
    held = _held_mb()
    if held:
        return held["RssAnon"] + held["RssFile"]
    try:
        import resource
    except ImportError:
        raise SynthAppError("this system does not say how much memory a program holds") from None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def shared_mb() -> float:
    """Memory that this process shares with others (0 where the system does not tell)."""
    return _held_mb().get("RssShmem", 0.0)


def _held_mb() -> dict[str, float]:
    """The kinds of memory that Linux tells of; nothing elsewhere."""
    status = Path("/proc/self/status")
    if not status.exists():
        return {}
    lines = [line.split() for line in status.read_text(encoding="ascii").splitlines() if line.startswith("Rss")]
    return {words[0].rstrip(":"): int(words[1]) * 1024 / 1e6 for words in lines}


if __name__ == "__main__":
    main()
