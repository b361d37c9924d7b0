"""The three forms of the generator against each other, against numpy, and against Magenta's own graph."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth_app.adapters.generator_onnx_cpu import block_size
from synth_app.adapters.onnx_writer import (
    GraphOptions,
    check_arrays,
    read_arrays,
    row_table,
    write_blocked_stages,
    write_graph,
    write_reference_graph,
)
from synth_app.adapters.onnx_writer_layout import fold_kernel
from synth_app.adapters.onnx_writer_rows import plan_rows
from synth_app.core.errors import ModelError
from tests.unit.adapters.model_arrays import (
    ONSET_ALONE,
    ONSET_FRAMES,
    OPTIONS,
    SMALL,
    random_arrays,
    reference_note,
)

SCALES = np.asarray([OPTIONS.mag_scale, OPTIONS.if_scale])[:, None, None]
OFFSETS = np.asarray([OPTIONS.mag_offset, 0.0])[:, None, None]


def session(graph: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def normalised(outputs: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """[batch, 2, rows, bins]"""
    return np.stack(outputs, axis=1).astype(np.float64) * SCALES + OFFSETS


class Portable:
    def __init__(self, graph: bytes) -> None:
        self._session = session(graph)

    def render(self, latents: NDArray[np.float32], pitches: list[int], start: int, stop: int) -> NDArray[np.float64]:
        feeds = {"latents": latents, "pitches": np.asarray(pitches), "frames": np.asarray([start, stop])}
        return normalised(self._session.run(None, feeds))


class Blocked:
    def __init__(self, arrays: dict[str, NDArray[np.float32]], split: int) -> None:
        self.n, self.split = block_size(), split
        self.blocks = check_arrays(arrays, OPTIONS).blocks
        stages = write_blocked_stages(arrays, OPTIONS, self.n, split)
        graphs = (stages.latent, stages.pitch, stages.trunk, stages.top)
        self.latent, self.pitch, self.trunk, self.top = (session(graph) for graph in graphs)
        self.onset = None if stages.onset is None else session(stages.onset)

    def render(self, latent: NDArray[np.float32], pitch: int, start: int, stop: int) -> NDArray[np.float64]:
        plan = plan_rows(start, stop, 2, self.blocks)
        low, high = plan[: self.split - 1], plan[self.split - 1 :]
        values = {"latents": latent[None], "pitches": np.asarray([pitch]), "frames": np.asarray([start, stop])}
        tables = (None, None, row_table(low, (0, 2), self.n), row_table(high, (low[-1].out0, low[-1].out1), self.n))
        for stage, rows in zip((self.latent, self.pitch, self.trunk, self.top), tables, strict=True):
            values["rows"] = rows
            values |= self._run(stage, values)
        net = normalised([values["log_mel"], values["inst_freq"]])[0]
        if self.onset is None:
            return net
        onset = self._run(self.onset, values)
        first = normalised([onset["log_mel"], onset["inst_freq"]])[0]
        share = np.array([1.0] * ONSET_ALONE + [0.75, 0.5, 0.25] + [0.0] * (2**self.blocks - ONSET_FRAMES))
        rest = np.zeros((2, 2**self.blocks - ONSET_FRAMES, first.shape[2]))
        whole = np.concatenate([first, rest], axis=1)[:, start:stop]
        return share[start:stop, None] * whole + (1.0 - share[start:stop, None]) * net

    @staticmethod
    def _run(stage: ort.InferenceSession, values: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        names = [entry.name for entry in stage.get_outputs()]
        feeds = {entry.name: values[entry.name] for entry in stage.get_inputs()}
        return dict(zip(names, stage.run(names, feeds), strict=True))


@pytest.fixture(scope="module", params=[True, False], ids=["heads", "plain"])
def arrays(request: pytest.FixtureRequest) -> dict[str, NDArray[np.float32]]:
    return random_arrays(SMALL, np.random.default_rng(3), heads=request.param)


@pytest.fixture(scope="module")
def portable(arrays: dict[str, NDArray[np.float32]]) -> Portable:
    return Portable(write_graph(arrays, OPTIONS, "fp32"))


@pytest.fixture(scope="module")
def blocked(arrays: dict[str, NDArray[np.float32]]) -> Blocked:
    if not block_size():
        pytest.fail("this machine has no blocked layout, so nothing here is tested")
    return Blocked(arrays, split=2)


@pytest.fixture(scope="module")
def whole(arrays: dict[str, NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    latent = np.random.default_rng(4).standard_normal(20).astype(np.float32)
    return latent, reference_note(arrays, latent, 60)


def test_every_form_says_what_the_formulas_say(arrays, portable, blocked, whole) -> None:  # type: ignore[no-untyped-def]
    latent, expected = whole
    reference = session(write_reference_graph(arrays, OPTIONS))
    plain = normalised(reference.run(None, {"latents": latent[None], "pitches": np.asarray([60])}))[0]
    assert expected.std() > 0.1
    assert np.abs(plain - expected).max() < 1e-4
    assert np.abs(portable.render(latent[None], [60], 0, 16)[0] - expected).max() < 1e-4
    assert np.abs(blocked.render(latent, 60, 0, 16) - expected).max() < 1e-4


def test_every_slice_equals_the_whole_note(portable: Portable, blocked: Blocked, whole) -> None:  # type: ignore[no-untyped-def]
    latent, expected = whole
    for start in range(16):
        for stop in range(start + 1, 17):
            part = expected[:, start:stop]
            assert np.abs(portable.render(latent[None], [60], start, stop)[0] - part).max() < 1e-4, (start, stop)
            assert np.abs(blocked.render(latent, 60, start, stop) - part).max() < 1e-4, (start, stop)


def test_a_batch_is_its_notes(arrays, portable: Portable) -> None:  # type: ignore[no-untyped-def]
    latents = np.random.default_rng(5).standard_normal((3, 20)).astype(np.float32)
    together = portable.render(latents, [24, 61, 84], 3, 9)
    for i, pitch in enumerate((24, 61, 84)):
        assert np.abs(together[i] - reference_note(arrays, latents[i], pitch)[:, 3:9]).max() < 1e-4


def test_half_precision_weights_read_back_as_they_were_rounded(arrays) -> None:  # type: ignore[no-untyped-def]
    graph = write_graph(arrays, OPTIONS)
    back = read_arrays(graph)
    assert set(back) == set(arrays)
    for name, array in arrays.items():
        assert np.array_equal(back[name], array.astype(np.float16).astype(np.float32)), name
    latent = np.random.default_rng(4).standard_normal(20).astype(np.float32)
    rounded = reference_note(back, latent, 40)
    assert np.abs(Portable(graph).render(latent[None], [40], 0, 16)[0] - rounded).max() < 1e-4


def test_the_same_arrays_give_the_same_bytes(arrays) -> None:  # type: ignore[no-untyped-def]
    assert write_graph(arrays, OPTIONS) == write_graph(arrays, OPTIONS)


def test_the_model_file_is_standard_onnx(arrays) -> None:  # type: ignore[no-untyped-def]
    model = onnx.load_from_string(write_graph(arrays, OPTIONS))
    onnx.checker.check_model(model)
    assert {opset.domain for opset in model.opset_import} == {""}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_plans_cover_what_convolutions_see(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, 127))
    stop = data.draw(st.integers(start + 1, 128))
    plan = plan_rows(start, stop, 2, 7)
    assert (plan[-1].out0, plan[-1].out1) == (start, stop)
    assert (plan[0].in0, plan[0].in1) == (0, 2)
    for rows in plan:
        wanted = {r for r in range(rows.out0 - 1, rows.out1 + 1) if 0 <= r < rows.height}
        assert set(range(rows.mid0, rows.mid1)) == wanted
        below = {r // 2 for m in wanted for r in (m - 1, m, m + 1) if 0 <= r < rows.height}
        given_rows = set(range(rows.in0, rows.in1))
        assert given_rows == below if rows.block > 2 else given_rows >= below
    for low, high in itertools.pairwise(plan):
        assert (low.out0, low.out1) == (high.in0, high.in1)


def test_folding_keeps_the_sums() -> None:
    rng = np.random.default_rng(0)
    kernel, x = rng.standard_normal((2, 3, 3, 3)).astype(np.float32), rng.standard_normal((3, 4, 5))
    doubled = np.pad(x.repeat(2, axis=1).repeat(2, axis=2), ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(doubled, (3, 3), axis=(1, 2))
    expected = np.einsum("ctfij,ocij->otf", windows, kernel)
    small = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1))), (2, 2), axis=(1, 2))
    phases = np.einsum("ctfij,ocij->otf", small, fold_kernel(kernel)).reshape(2, 2, 2, 5, 6)
    woven = phases.transpose(2, 3, 0, 4, 1).reshape(2, 10, 12)[:, 1:-1, 1:-1]
    assert np.allclose(woven, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "change", "word"),
    [
        ("block3.conv0.weight", lambda a: a[:, :-1], "block3.conv0.weight"),
        ("rgb.weight", lambda a: a[:1], "rgb.weight"),
        ("head.env.bias", lambda a: a[1:], "head.env.bias"),
        ("film.block2.conv1.shift.weight", None, "film.block2.conv1.shift.weight"),
        ("block1.conv0.weight", None, "block1.conv0.weight"),
        ("side.m2.weight", None, "side.m2.weight"),
    ],
)
def test_shapes_that_do_not_chain_are_named(name, change, word) -> None:  # type: ignore[no-untyped-def]
    arrays = random_arrays(SMALL, np.random.default_rng(3))
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
    with pytest.raises(ModelError, match=word):
        write_graph(arrays, OPTIONS)


def test_foreign_bytes_are_no_model() -> None:
    with pytest.raises(ModelError, match="not an ONNX graph"):
        read_arrays(b"no such thing" * 50)
    with pytest.raises(ModelError, match="no generator"):
        check_arrays({}, GraphOptions())
