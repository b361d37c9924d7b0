"""The generator on a CPU: the blocked stages where ONNX Runtime has them, else the portable graph.

The blocked layout is ONNX Runtime's own business, so nothing is taken on trust: its block size is seen in what a probe
gives back, and the stages must agree with the model file's graph on a few frames before they are used.

Notes are asked for in slices, so what slices share is kept: what a pitch alone decides is made for the whole keyboard
when a model is opened, what a latent alone decides at its first note, and the low resolutions of notes that are being
streamed. Those look ahead: at the low resolutions a slice is mostly edges, so the third slice of a note computes them
for all slices to come. (The first two are in a hurry: all notes of a chord want theirs before the first runs dry. An
onset lasts longer: behind it only the first is.)

A note's first frames come from its onset net, if the model has one: no other stage runs for them, and they are kept for
the slice in which the two are mixed.

A note that is rendered alone has all threads. Notes that are rendered at the same time have one each: what they do then
never waits for another thread, and two take less time than one after the other.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper

from synth_app.adapters.model_manifest import Manifest
from synth_app.adapters.onnx_writer import check_arrays, read_arrays, row_table, write_blocked_stages
from synth_app.adapters.onnx_writer_arrays import onset_weights
from synth_app.adapters.onnx_writer_graph import IR_VERSION, NCHWC, OPSET
from synth_app.adapters.onnx_writer_rows import plan_rows
from synth_app.core.errors import ModelError
from synth_app.render.ports import Change, SpectralFrames

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Values = dict[str, Any]

CPU = "CPUExecutionProvider"
TILE_FRAMES = 32
SLICES_BEFORE_AHEAD, SLICES_BEHIND_ONSET = 2, 1
KEPT_LATENTS, KEPT_TRUNKS, KEPT_ONSETS, KEPT_DRAWN = 64, 16, 64, 64
DRAWN_AT_ONCE = 8
SPIN_LIMIT_SINCE = (1, 31)  # the first release in which the time that threads spin was seen to be settable
CHECK_LIMIT = 1e-3  # of the blocked form against the portable one, normalised; they measure 1e-5 apart


class CpuEngine:
    """Renders notes one after another.

    Raises:
        ModelError: the graph is not this program's.
    """

    def __init__(self, graph: bytes, manifest: Manifest, threads: int) -> None:
        self.threads = threads
        self._stages: BlockedRunner | None = None
        portable = open_session(graph, [CPU], threads)
        check_interface(portable, manifest)
        n = block_size()
        if n:
            try:
                stages = BlockedRunner(graph, manifest, threads, n)
                if _agrees(stages, portable, manifest):
                    self._stages = stages
            except Exception:  # another release of ONNX Runtime may refuse what it only uses inside
                log.info("the blocked layout is not to be had; the portable graph plays", exc_info=True)
        self._portable = None if self._stages is not None else portable

    @property
    def lanes(self) -> int:
        """How many notes it renders at the same time: a thread each."""
        return self.threads if self._stages is not None else 1

    @property
    def onset_stop(self) -> int:
        """Frames before this one cost next to nothing (0: there are none)."""
        return self._stages.onset_stop if self._stages is not None else 0

    @property
    def words(self) -> str:
        """For the status line."""
        form = "" if self._stages is not None else ", portable"
        return f"CPU, {self.threads} thread{'s' * (self.threads > 1)}{form}"

    def run(self, latents: Floats, pitches: Ints, start: int, stop: int) -> tuple[Floats, Floats]:
        """Render frames ``start..stop`` of each note."""
        if self._portable is not None:
            frames = np.asarray([start, stop], np.int64)
            log_mel, inst_freq = self._portable.run(None, {"latents": latents, "pitches": pitches, "frames": frames})
            return log_mel, inst_freq
        assert self._stages is not None
        notes = [self._stages.run(latents[i : i + 1], pitches[i : i + 1], start, stop) for i in range(len(pitches))]
        return joined(notes, 0)

    def sound(self, latents: Floats, pitches: Ints, rate_factor: int) -> None:
        """A processor sounds sooner by slices."""

    def sketch(self, change: Change) -> SpectralFrames | None:
        """What the heads alone would change, if they are at hand by themselves."""
        return self._stages.sketch(change) if self._stages is not None else None

    def close(self) -> None:
        """Nothing to do: the sessions go with it."""


@dataclass(slots=True)
class _Trunk:
    """The low resolutions of a note: their output's rows ``have`` and the values that go with it.

    ``next_frame`` is where a stream would go on, ``slices`` how many it has had.
    """

    values: Values
    have: tuple[int, int]
    next_frame: int
    slices: int


class _Stage:
    """A session that takes what it needs from a dictionary."""

    def __init__(self, graph: bytes, threads: int) -> None:
        self._session = open_session(graph, [CPU], threads)
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        self._outputs = [entry.name for entry in self._session.get_outputs()]

    def run(self, values: Values) -> Values:
        outputs = self._session.run(self._outputs, {name: values[name] for name in self._inputs})
        return dict(zip(self._outputs, outputs, strict=True))


class BlockedRunner:
    """The blocked graphs, and what is kept between slices. Any thread may run it, each on a note of its own.

    Attributes:
        onset_stop: the first frame in which the net is heard.
    """

    def __init__(self, graph: bytes, manifest: Manifest, threads: int, n: int) -> None:
        arrays = read_arrays(graph)
        stages = write_blocked_stages(arrays, manifest.graph_options, n)
        onset = check_arrays(arrays, manifest.graph_options).onset
        self.onset_stop = onset.alone if onset is not None else 0
        self._hurried = SLICES_BEFORE_AHEAD if onset is None else SLICES_BEHIND_ONSET
        self._share = onset_weights(onset.frames) if onset is not None else np.zeros(0, np.float32)
        self._n, self._split, self._frames = n, stages.split, manifest.frames
        self._blocks = manifest.frames.bit_length() - 1
        self._latent, by_pitch = _Stage(stages.latent, 1), _Stage(stages.pitch, 1)
        self._alone = _Stage(stages.trunk, threads), _Stage(stages.top, threads)
        self._beside = (_Stage(stages.trunk, 1), _Stage(stages.top, 1)) if threads > 1 else self._alone
        self._onset = _Stage(stages.onset, 1) if stages.onset is not None else None
        self._draw = _Stage(stages.drawn, 1) if stages.drawn is not None else None
        self._sketch = _Stage(stages.sketch, 1) if stages.sketch is not None else None
        self._drawn: OrderedDict[tuple[bytes, int], Values] = OrderedDict()
        self._onsets: OrderedDict[tuple[bytes, int], tuple[Floats, Floats]] = OrderedDict()
        self._latents: OrderedDict[bytes, Values] = OrderedDict()
        keys = range(manifest.lowest_pitch, manifest.highest_pitch + 1)
        self._pitches = {key: by_pitch.run({"pitches": np.array([key])}) for key in keys}
        self._trunks: OrderedDict[tuple[bytes, int], _Trunk] = OrderedDict()
        self._lock, self._running = threading.Lock(), 0

    def run(self, latent: Floats, pitch: Ints, start: int, stop: int) -> tuple[Floats, Floats]:
        """Render frames of one note: latent ``[1, L]``, pitch ``[1]``."""
        shared = len(self._share)
        if start >= shared:
            return self._net(latent, pitch, start, stop)
        onset = self._onset_of(latent, pitch)
        first, last, until = max(start, self.onset_stop), min(stop, shared), min(stop, self.onset_stop)
        parts = [(onset[0][:, start:until], onset[1][:, start:until])] if start < until else []
        if first < stop:
            net = self._net(latent, pitch, first, stop)
            share = self._share[first:last, None]
            for painted, by_onset in zip(net, onset, strict=True):
                mixed = painted[:, : last - first]
                mixed += share * (by_onset[:, first:last] - mixed)
            parts.append(net)
        return joined(parts, 1)

    def sketch(self, change: Change) -> SpectralFrames | None:
        """The frames as they would be at the other latent if only the heads changed."""
        if self._sketch is None:
            return None
        was = change.frames
        given: Values = {"places": change.places, "was_log_mel": was.log_mel, "was_inst_freq": was.inst_freq}
        for note, latent in (("from", change.from_latent), ("to", change.to_latent)):
            drawn = self._drawn_by(np.ascontiguousarray(latent[None], np.float32), change.pitch, change.chord)
            given |= {f"{note}_{name}": value for name, value in drawn.items()}
        moved = self._sketch.run(given)
        return SpectralFrames(moved["log_mel"], moved["inst_freq"])

    def _drawn_by(self, latent: Floats, pitch: int, chord: Sequence[int]) -> Values:
        """What the heads draw a note with; a chord's weights are read once for all of it."""
        assert self._draw is not None
        key = latent.tobytes()
        with self._lock:
            mine = self._drawn.pop((key, pitch), None)
            missing = [pitch, *(p for p in chord if p != pitch and (key, p) not in self._drawn)][:DRAWN_AT_ONCE]
        if mine is None:
            by_pitch = [self._pitches[p] for p in missing]
            given = {name: np.concatenate([values[name] for values in by_pitch]) for name in ("pitch_side", "basis")}
            drawn = self._draw.run(self._by_latent(latent) | given)
            rows = [{name: value[row : row + 1] for name, value in drawn.items()} for row in range(len(missing))]
            mine = rows[0]
            with self._lock:
                for p, values in zip(missing[1:], rows[1:], strict=True):
                    _keep(self._drawn, (key, p), values, KEPT_DRAWN)
        with self._lock:
            _keep(self._drawn, (key, pitch), mine, KEPT_DRAWN)
        return mine

    def _onset_of(self, latent: Floats, pitch: Ints) -> tuple[Floats, Floats]:
        """All frames of a note's onset."""
        assert self._onset is not None
        key = (latent.tobytes(), int(pitch[0]))
        with self._lock:
            onset = self._onsets.pop(key, None)
        if onset is None:
            values = self._onset.run(self._pitches[key[1]] | {"latents": latent})
            onset = values["log_mel"], values["inst_freq"]
        with self._lock:
            _keep(self._onsets, key, onset, KEPT_ONSETS)
        return onset

    def _net(self, latent: Floats, pitch: Ints, start: int, stop: int) -> tuple[Floats, Floats]:
        """Frames as the net paints them."""
        with self._lock:
            self._running += 1
            trunk_stage, top_stage = self._alone if self._running == 1 else self._beside
        try:
            trunk = self._trunk_for(trunk_stage, latent, pitch, start, stop)
            tiles = []
            for first in range(start, stop, TILE_FRAMES):
                last = min(stop, first + TILE_FRAMES)
                plan = plan_rows(first, last, self._split + 1, self._blocks)
                frames = np.asarray([first, last], np.int64)
                tile = top_stage.run(trunk.values | {"frames": frames, "rows": row_table(plan, trunk.have, self._n)})
                tiles.append((tile["log_mel"], tile["inst_freq"]))
        finally:
            with self._lock:
                self._running -= 1
        return joined(tiles, 1)

    def _trunk_for(self, stage: _Stage, latent: Floats, pitch: Ints, start: int, stop: int) -> _Trunk:
        """The trunk of these frames: kept from an earlier slice if that covers them."""
        key = (latent.tobytes(), int(pitch[0]))
        with self._lock:
            kept = self._trunks.pop(key, None)
        top = plan_rows(start, stop, self._split + 1, self._blocks)[0]
        slices = kept.slices if kept is not None and kept.next_frame == start else 0
        if kept is None or not kept.have[0] <= top.in0 <= top.in1 <= kept.have[1]:
            last = stop if slices < self._hurried else self._frames
            kept = self._make_trunk(stage, latent, pitch, start, last)
        kept.next_frame, kept.slices = stop, slices + 1
        with self._lock:
            _keep(self._trunks, key, kept, KEPT_TRUNKS)
        return kept

    def _by_latent(self, latent: Floats) -> Values:
        """What a latent alone decides."""
        key = latent.tobytes()
        with self._lock:
            values = self._latents.pop(key, None)
        values = values or self._latent.run({"latents": latent})
        with self._lock:
            _keep(self._latents, key, values, KEPT_LATENTS)
        return values

    def _make_trunk(self, stage: _Stage, latent: Floats, pitch: Ints, start: int, stop: int) -> _Trunk:
        plan = plan_rows(start, stop, 2, self._blocks)[: self._split - 1]
        values = self._by_latent(latent) | self._pitches[int(pitch[0])]
        values |= stage.run(values | {"rows": row_table(plan, (0, 2), self._n)})
        return _Trunk(values, (plan[-1].out0, plan[-1].out1), stop, 0)


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any, limit: int) -> None:
    kept[key] = value
    if len(kept) > limit:
        kept.popitem(last=False)


def joined(parts: list[tuple[Floats, Floats]], axis: int) -> tuple[Floats, Floats]:
    """Parts of a rendering side by side; one part is returned as it is."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([part[0] for part in parts], axis), np.concatenate([part[1] for part in parts], axis)


def open_session(graph: bytes, providers: list[Any], threads: int) -> ort.InferenceSession:
    """A session whose threads hardly spin.

    By default they wait for each other awake. That is a tenth faster on an idle machine, and several times slower
    where anything else wants the cores, as in an instrument (ADR 4).

    Where every core has its thread, each keeps to one: a kernel that saves power, or a virtual machine, may else wake
    the second behind the first, and move it over only when half the note is done.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if tuple(int(part) for part in ort.__version__.split(".")[:2]) >= SPIN_LIMIT_SINCE:
        options.add_session_config_entry("session.intra_op.spin_duration_us", "20")
    else:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if 1 < threads == len(cores):  # counted from 1; the calling thread, the first, is free to go where it likes
        places = ";".join(str(core + 1) for core in cores[1:])
        options.add_session_config_entry("session.intra_op_thread_affinities", places)
    return ort.InferenceSession(graph, options, providers=providers)


def check_interface(session: ort.InferenceSession, manifest: Manifest) -> None:
    """See that a graph takes and gives what ``onnx_writer`` says, in the manifest's sizes; else ``ModelError``."""
    inputs = {entry.name: entry.shape for entry in session.get_inputs()}
    outputs = {entry.name: entry.shape for entry in session.get_outputs()}
    if set(inputs) != {"latents", "pitches", "frames"} or set(outputs) != {"log_mel", "inst_freq"}:
        raise ModelError(f"The graph of {manifest.name!r} is not this program's; export or import the model again.")
    if inputs["latents"][1] != manifest.latent_size or outputs["log_mel"][2] != manifest.bins:
        raise ModelError(f"The graph of {manifest.name!r} has other sizes than its model.toml says.")


def block_size() -> int:
    """Channels side by side in ONNX Runtime's blocked layout on this machine (8 or 16), or 0 when it has none."""
    channels = 64
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 1, 2]) for name in "xy")
    node = helper.make_node("ReorderInput", ["x"], ["y"], domain=NCHWC)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(NCHWC, 1)]
    graph = helper.make_graph([node], "probe", [x], [y])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    ramp = np.arange(2 * channels, dtype=np.float32).reshape(1, channels, 1, 2)
    try:
        order = open_session(model.SerializeToString(), [CPU], 1).run(None, {"x": ramp})[0].ravel()
    except Exception:  # this build does not know the layout
        return 0
    n = int(np.argmax(order == 1.0))  # channel 0 of the second position follows the n channels of the first
    expected = ramp.reshape(-1, n, 2).transpose(0, 2, 1).ravel() if n and channels % n == 0 else None
    return n if expected is not None and np.array_equal(order, expected) else 0


def _agrees(stages: BlockedRunner, portable: ort.InferenceSession, manifest: Manifest) -> bool:
    """Whether a few frames come out alike: at the note's start, where an onset hands over, and in the middle."""
    latent, pitch = manifest.check_latent[None], np.asarray([manifest.check.pitch], np.int64)
    middle = manifest.frames // 2
    for start, stop in ((0, 3), (stages.onset_stop, stages.onset_stop + 2), (middle, middle + 2)):
        ours = stages.run(latent, pitch, start, stop)
        frames = np.asarray([start, stop], np.int64)
        theirs = portable.run(None, {"latents": latent, "pitches": pitch, "frames": frames})
        scales = (manifest.normaliser.mag_scale, manifest.normaliser.if_scale)
        apart = max(float(np.abs(a - b).max()) * s for a, b, s in zip(ours, theirs, scales, strict=True))
        if not apart < CHECK_LIMIT:
            log.info("the blocked layout is off by %g; the portable graph plays", apart)
            return False
    return True
