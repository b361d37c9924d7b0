"""The whole program on a real JACK server: start-up, cached and cold keys, chords, memory, callbacks on its thread."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth_app.app.bench.callback import BLOCKS, row_of
from synth_app.app.bench.jackd import Child, ask_child, dummy_server
from synth_app.app.bench.notes import whole_note_ms
from synth_app.app.bench.rows import MEDIAN, ONLY, P95, WORST, Reach, Row, measured, single, skip
from synth_app.app.bench.setting import CannotMeasureError, Setting, Subject
from synth_app.app.bench.slider import PATIENCE_S

START = "Start-up of the whole program, headless, on JACK"
CACHED = "A cached key (whole program, JACK, 48 kHz, 128 frames)"
HELD = "A slider moved under 8 held notes (whole program, JACK, 48 kHz, 128 frames)"
COLD = "Cold keys (whole program, JACK, 48 kHz, 128 frames, nothing rendered ahead)"
MEMORY = "Memory under random play (whole program, default settings)"
POSTED = "RtMidi's stamp to START posted"
PERIOD = 128
_KEY, _VELOCITY = 60, 100
_MORPH_CONTROLLER = 16
_READY_TIMEOUT_S = 120.0
_TEMPLATE_SAMPLES = 960

Message = tuple[float, list[int]]


def stream_callbacks(setting: Setting) -> Sequence[Row]:
    """Callback times on the audio thread of a JACK stream, compiled and in numpy."""
    rows = []
    for frames in BLOCKS[1:2] if setting.quick else BLOCKS:
        setting.say(f"callbacks on JACK's thread, {frames} frames")
        with dummy_server(setting.folder, frames) as env:
            for compiled, name in ((True, "compiled"), (False, "the same in numpy")):
                what = {"seconds": setting.times(6, 2), "seed": setting.seed, "compiled": compiled}
                answer = ask_child("stream", what, env, setting.folder)
                durations = np.array(answer["durations_us"])
                rows.append(row_of(f"{frames} frames on a JACK stream, {name}", durations, frames, judged=compiled))
    return rows


def start_up(setting: Setting) -> Sequence[Row]:
    """From starting the process to its ``ready`` line, with Python's bytecode kept as on a player's machine."""
    with dummy_server(setting.folder, PERIOD) as clients:
        env = {name: value for name, value in clients.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = str(setting.folder / "bytecode")
        setting.say("start-up, not counted")
        _start(setting, env)
        warm = []
        for i in range(setting.times(4, 1)):
            setting.say(f"start-up, {i + 1}")
            warm.append(_start(setting, env))
        rows = [measured(START, "to the ready line, warm", warm, "s", Reach(WORST, 3.0))]
        first = "to the ready line, the very first time (compiles the mixer)"
        if setting.quick:
            return [*rows, skip(START, first, "left out of a quick run")]
        setting.say("start-up, with nothing compiled yet")
        cold = _start(setting, {**env, "NUMBA_CACHE_DIR": str(setting.folder / "numba")})
    return [*rows, single(START, first, cold, "s")]


def _start(setting: Setting, env: Mapping[str, str]) -> float:
    command = [sys.executable, "-m", "synth_app", "play", "--headless"]
    command += ["--model", setting.model] if setting.model else []
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(env), text=True)
    assert process.stdout is not None
    try:
        while not (line := process.stdout.readline()).startswith("ready"):
            if not line:
                raise CannotMeasureError("the program ended before it was ready")
            if time.monotonic() - began > _READY_TIMEOUT_S:
                raise CannotMeasureError(f"the program was not ready within {_READY_TIMEOUT_S:.0f} s")
        return time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def cached_key(setting: Setting) -> Sequence[Row]:
    """One key whose note is in the cache, struck at random moments by another JACK client, panel closed and open."""
    return [row for panel in (False, True) for row in _cached_key(setting, panel)]


def _cached_key(setting: Setting, panel: bool) -> list[Row]:
    setting.say(f"a cached key, the panel {'open' if panel else 'closed'}")
    heard = setting.folder / "heard.npy"
    template = setting.folder / "template.npy"
    rng = np.random.default_rng(setting.seed)
    messages: list[Message] = []
    at_s = 0.2
    for _ in range(setting.times(300, 12)):
        messages += [(at_s, [0x90, _KEY, _VELOCITY]), (at_s + 0.06, [0x80, _KEY, 0])]
        at_s += float(rng.uniform(0.13, 0.17))
    what = {"model": setting.model, "ahead": True, "template": str(template), "key": _KEY, "velocity": _VELOCITY,
            "patience_s": setting.times(45, 8), "panel": panel}  # fmt: skip
    with (
        dummy_server(setting.folder, PERIOD) as env,
        Child("instrument", what, env, setting.folder) as instrument,
    ):
        ready = instrument.answer()
        played = ask_child("keys", {"messages": messages, "recording": str(heard)}, env, setting.folder)
        report = instrument.answer("report")
    end_to_end = _end_to_end_ms(np.load(heard), np.load(template), played["frames"][::2], played["rate_hz"])
    if not report["delays_ms"]:
        raise CannotMeasureError("no key reached the mixer")
    which = "panel open" if panel else "panel closed"
    return [*_mix_rows(which, ready, played, report), *_end_rows(which, played, end_to_end)]


def _mix_rows(which: str, ready: dict[str, Any], played: dict[str, Any], report: dict[str, Any]) -> list[Row]:
    """From RtMidi's stamp to the sample's place in the mix."""
    rate_hz, designed_ms = ready["rate_hz"], ready["latency_ms"]
    delays, on_time = np.array(report["delays_ms"]), np.array(report["on_time"], bool)
    limit_ms = round(2e3 * PERIOD / rate_hz + designed_ms - 2e3 * ready["block"] / rate_hz + 0.05, 2)
    state = f"{ready['model']} ({ready['provider']})" + ("" if ready["warm"] else "; still rendering ahead meanwhile")
    designed = f"designed: 2 blocks and the limiter's look-ahead, {designed_ms:.2f} ms; {state}"
    clock = "against the median of the audio clock's own stamps around each key: the clock's errors count"
    lost = f"{played['cycles_lost']} of JACK's cycles were lost meanwhile, {report['xruns']} xruns in the program"
    stamped = f"{which}: RtMidi's stamp to its sample's place in the mix"
    jitter = _deviation(delays[on_time])
    return [
        measured(CACHED, stamped, delays, "ms", Reach(MEDIAN, limit_ms), designed),
        single(CACHED, f"{which}: jitter (standard deviation) of notes on time", jitter, "ms", Reach(ONLY, 0.1), clock),
        measured(CACHED, f"{which}: frame against due frame", np.abs(report["errors_frames"]), "frames"),
        single(CACHED, f"{which}: late notes", 100.0 * float(np.mean(~on_time)), "%", Reach(ONLY, 1.0), lost),
    ]


def _end_rows(which: str, played: dict[str, Any], end_to_end_ms: NDArray[np.float64]) -> list[Row]:
    """From the key's frame to its sound's frame, as another JACK client counts them."""
    struck, spread_ms = len(played["frames"]) // 2, 1e3 * PERIOD / played["rate_hz"]
    note = (
        f"another client's count; {len(end_to_end_ms)} of {struck} keys found to the sample in its recording; JACK "
        f"hands the keys of a cycle over as it begins, which alone spreads this by {spread_ms:.1f} ms"
    )
    return [
        measured(CACHED, f"{which}: end to end over JACK, key to sound", end_to_end_ms, "ms", note=note),
        single(CACHED, f"{which}: end to end over JACK, standard deviation", _deviation(end_to_end_ms), "ms"),
    ]


def _end_to_end_ms(
    heard: NDArray[np.float32], template: NDArray[np.float32], struck: Sequence[int], rate_hz: int
) -> NDArray[np.float64]:
    """Where the note's own first samples begin in the recording, after each stroke, by matched filter."""
    first = template[:_TEMPLATE_SAMPLES].astype(np.float64)
    first /= max(float(np.linalg.norm(first)), 1e-12)
    delays = []
    for frame in struck:
        window = heard[frame : frame + rate_hz // 20 + len(first)].astype(np.float64)
        likeness = np.correlate(window, first, "valid")
        energy = np.convolve(window**2, np.ones(len(first)), "valid")
        likeness /= np.sqrt(np.maximum(energy, 1e-9))
        at = int(np.argmax(likeness))
        if likeness[at] > 0.95:
            delays.append(1e3 * at / rate_hz)
    return np.array(delays)


def _deviation(values: NDArray[np.float64]) -> float:
    if not len(values):
        raise CannotMeasureError("no key was on time or heard")
    return float(np.std(values))


def cold_keys(setting: Setting) -> Sequence[Row]:
    """Keys of which nothing is rendered, one at a time and eight at once."""
    rows: list[Row] = []
    with dummy_server(setting.folder, PERIOD) as env:
        for subject in setting.subjects:
            setting.say(f"cold keys: {subject.name}")
            what = {"model": str(subject.directory), "ahead": False}
            with Child("instrument", what, env, setting.folder) as instrument:
                instrument.answer()
                rows += _cold_single(setting, subject, _Hands(setting, instrument, env))
                rows += _cold_chords(setting, subject, _Hands(setting, instrument, env))
            whole_ms = whole_note_ms(setting, subject)
            name = f"{subject.name}: stamp to START posted over a whole note to sound ({whole_ms:.0f} ms)"
            posted = next(row.median for row in rows if row.name == f"{subject.name}: {POSTED}")
            if posted is not None:
                rows.append(single(COLD, name, posted / whole_ms, "ratio"))
    return rows


@dataclass(frozen=True, slots=True)
class _Hands:
    """Someone who plays an instrument that runs beside us."""

    setting: Setting
    instrument: Child
    env: Mapping[str, str]

    def play(self, messages: Sequence[Message]) -> dict[str, Any]:
        """Play, and give the instrument's report on it."""
        what = {"messages": messages, "recording": str(self.setting.folder / "cold.npy")}
        ask_child("keys", what, self.env, self.setting.folder)
        report = self.instrument.answer("report")
        if not report["delays_ms"]:
            raise CannotMeasureError("no key reached the mixer")
        strokes = sum(data[0] == 0x90 for _, data in messages)
        if report["rendered"] < 0.95 * strokes:
            raise CannotMeasureError(f"only {report['rendered']} of {strokes} keys were cold")
        return report


def _cold_single(setting: Setting, subject: Subject, hands: _Hands) -> list[Row]:
    report = hands.play(_cold_messages(setting.times(50, 4), 1, 0.7, first_controller=8))
    reach = Reach(P95, 12.0 if subject.wide else 5.0) if subject.judged else None
    posted = np.array(report["posted_ms"])
    note = f"{report['starved']} voices starved"
    return [
        measured(COLD, f"{subject.name}: {POSTED}", posted, "ms", reach, note),
        measured(COLD, f"{subject.name}: stamp to its sample's place in the mix", report["delays_ms"], "ms"),
    ]


def _cold_chords(setting: Setting, subject: Subject, hands: _Hands) -> list[Row]:
    report = hands.play(_cold_messages(setting.times(12, 1), 8, 3.0, first_controller=70))
    delays = np.array(report["delays_ms"])
    begins = np.flatnonzero(np.diff(report["stamps_ms"], prepend=-1e9) > 1000.0)
    last = [chord.max() for chord in np.split(delays, begins[1:]) if len(chord) == 8]
    reach = Reach(P95, 60.0 if subject.wide else 25.0) if subject.judged else None
    name = f"{subject.name}: chord of 8, the last one's place in the mix"
    return [
        measured(COLD, name, last, "ms", reach),
        single(COLD, f"{subject.name}: starved voices in those chords", report["starved"], "voices",
               Reach(ONLY, 0.0) if subject.judged else None),
    ]  # fmt: skip


def _cold_messages(strokes: int, keys: int, every_s: float, first_controller: int) -> list[Message]:
    """Strokes on keys that were never struck in their timbre: the morph moves first, and again after each keyboard."""
    order = [24 + (i * 23) % 61 for i in range(61)]
    messages: list[Message] = []
    used, controller, at_s = len(order), first_controller, 0.3
    for _ in range(strokes):
        if used + keys > len(order):
            messages.append((at_s, [0xB0, _MORPH_CONTROLLER, controller]))
            used, controller, at_s = 0, controller + 9, at_s + 0.1
        chord = order[used : used + keys]
        used += keys
        messages += [(at_s, [0x90, key, _VELOCITY]) for key in chord]
        messages += [(at_s + 0.5 * every_s, [0x80, key, 0]) for key in chord]
        at_s += every_s
    return messages


def held_notes(setting: Setting) -> Sequence[Row]:
    """When sounding notes have followed a moved slider, and whether they run dry while it keeps moving."""
    rows: list[Row] = []
    with dummy_server(setting.folder, PERIOD) as env:
        for subject in setting.subjects:
            setting.say(f"a slider under held notes: {subject.name}")
            sweep_s = setting.times(20 if subject.wide else 60, 1)
            what = {"model": str(subject.directory), "jumps": setting.times(15, 1), "sweep_s": sweep_s}
            answer = ask_child("slider", {**what, "seed": setting.seed}, env, setting.folder)
            changes = [jump for jump in answer["changes_ms"] if jump]
            if not changes:
                raise CannotMeasureError("no voice sounded when the slider moved")
            last = np.array([max(painted for _, painted in jump) for jump in changes])
            slow = sum(painted >= 1e3 * PATIENCE_S for jump in changes for _, painted in jump)
            patience = f"; {slow} voices had not followed after {PATIENCE_S:.0f} s and count as that" if slow else ""
            reach_first, half = (Reach(P95, limit) if subject.judged else None for limit in (60.0, 130.0))
            dry = Reach(ONLY, 0.0) if subject.judged and not subject.wide else None
            rows += [
                measured(HELD, f"{subject.name}: first sample of each voice that differs",
                         np.concatenate([[first for first, _ in jump] for jump in changes]), "ms", reach_first),
                measured(HELD, f"{subject.name}: half the change, the last voice", last + answer["half_ms"], "ms", half,
                         "by the decoder's overlap: one and a half hops after the net's first sample" + patience),
                single(HELD, f"{subject.name}: times a voice ran dry in {sweep_s} s of moving slider",
                       answer["starved"], "times", dry),
            ]  # fmt: skip
    return rows


def memory(setting: Setting) -> Sequence[Row]:
    """Memory held once a second while random hands play, and the slope of its second half."""
    setting.say(f"memory under {setting.memory_s:.0f} s of random play")
    with dummy_server(setting.folder, 4 * PERIOD) as env:
        what = {"seconds": setting.memory_s, "seed": setting.seed, "model": setting.model}
        answer = ask_child("random_play", what, env, setting.folder)
    seconds, held = np.array(answer["memory_mb"]).T
    half = seconds >= 0.5 * seconds[-1]
    slope = float(np.polyfit(seconds[half], held[half], 1)[0]) * 60.0
    note = (
        f"{answer['notes']} notes in {seconds[-1]:.0f} s, {answer['cache_mb']:.0f} MB of them notes in the cache; "
        f"{answer['model']}; it began at {held[0]:.0f} MB; {answer['shared_mb']:.0f} MB more are JACK's, shared by all "
        "its clients"
    )
    short = "" if seconds[-1] >= 600 else "; too short a time to say where it levels out (see --memory-minutes)"
    return [
        measured(MEMORY, "resident", held, "MB", Reach(WORST, 1200.0), note),
        single(
            MEMORY, "slope over the second half", slope, "MB a minute", note=f"the cache fills up to its budget{short}"
        ),
    ]
