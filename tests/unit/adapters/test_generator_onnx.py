"""The trained generator behind its port: any range, any batch, a device that dies, files that lie."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import NoReturn

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from synth_app.adapters import generator_onnx, generator_onnx_cpu, generator_onnx_device
from synth_app.adapters.generator_onnx import OnnxGenerator, cuda_missing, open_generator, render_threads
from synth_app.adapters.generator_onnx_cpu import BlockedRunner, CpuEngine, block_size
from synth_app.adapters.model_manifest import Manifest, file_sha256, read_manifest, write_manifest
from synth_app.adapters.onnx_writer import read_arrays
from synth_app.core.errors import ModelError
from synth_app.render.ports import Change, SpectralFrames
from synth_app.spectral.streaming import StreamingDecoder
from tests.helpers.pretend_device import PretendSession, pretend
from tests.unit.adapters.model_arrays import (
    ONSET_ALONE,
    OPTIONS,
    SMALL,
    random_arrays,
    reference_note,
    write_model,
)

SCALES = np.asarray([OPTIONS.mag_scale, OPTIONS.if_scale])[:, None, None]
OFFSETS = np.asarray([OPTIONS.mag_offset, 0.0])[:, None, None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "small"
    write_model(directory, random_arrays(SMALL, np.random.default_rng(1)), OPTIONS)
    return directory


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    for path in model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def pretend_device(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, PretendSession)


def replace_graph(directory: Path, graph: bytes) -> None:
    (directory / "generator.onnx").write_bytes(graph)
    manifest = read_manifest(directory)
    table = manifest.graph.model_copy(update={"sha256": file_sha256(directory / "generator.onnx")})
    write_manifest(directory, manifest.model_copy(update={"graph": table}))


def notes(manifest: Manifest, count: int) -> tuple[np.ndarray, np.ndarray]:
    latents = np.random.default_rng(2).standard_normal((count, manifest.latent_size)).astype(np.float32)
    return latents, np.asarray([24, 60, 84, 61, 62][:count])


@pytest.mark.parametrize("blocked", [True, False], ids=["blocked", "portable"])
def test_renders_what_the_weights_say(model: Path, blocked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not blocked:
        monkeypatch.setattr(generator_onnx_cpu, "block_size", lambda: 0)
    generator = open_generator(model, "cpu", threads=1)
    assert ("portable" in generator.info.provider) is not blocked
    assert generator.info.provider.startswith("CPU, 1 thread")
    latents, pitches = notes(generator.manifest, 3)
    arrays = read_arrays((model / "generator.onnx").read_bytes())
    for start, stop in ((0, 16), (1, 4), (15, 16)):
        frames = generator.render(latents, pitches, start, stop)
        assert frames.log_mel.dtype == frames.inst_freq.dtype == np.float32
        for i, pitch in enumerate(pitches):
            expected = reference_note(arrays, latents[i], int(pitch))[:, start:stop]
            found = np.stack([frames.log_mel[i], frames.inst_freq[i]]) * SCALES + OFFSETS
            assert np.abs(found - expected).max() < 1e-4
    generator.close()


def test_tiles_join_without_a_seam(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = open_generator(model, "cpu", threads=1)
    latents, pitches = notes(generator.manifest, 1)
    at_once = generator.render(latents, pitches, 0, 16)
    monkeypatch.setattr(generator_onnx_cpu, "TILE_FRAMES", 3)
    tiled = generator.render(latents, pitches, 0, 16)
    assert np.abs(at_once.log_mel - tiled.log_mel).max() * OPTIONS.mag_scale < 1e-4
    assert np.abs(at_once.inst_freq - tiled.inst_freq).max() < 1e-4


def test_a_sketch_is_what_the_heads_alone_would_change(tmp_path: Path) -> None:
    """Of a generator whose net paints nothing it is the other latent's note itself."""
    arrays = random_arrays(SMALL, np.random.default_rng(7))
    arrays |= {name: np.zeros_like(arrays[name]) for name in ("rgb.weight", "rgb.bias")}
    write_model(tmp_path / "heads", arrays, OPTIONS)
    generator = open_generator(tmp_path / "heads", "cpu", threads=1)
    latents, _ = notes(generator.manifest, 2)
    places = np.array([15, 8, 9, 12])  # the onset has heads of its own
    for pitch in (60, 61):
        was, wished = (generator.render(latent[None], np.array([pitch]), 0, 16) for latent in latents)
        from_here = SpectralFrames(was.log_mel[:, places], was.inst_freq[:, places])
        sketched = generator.sketch(Change(from_here, places, latents[0], latents[1], pitch, chord=[60, 61]))
        assert sketched is not None
        for found, before, expected in (
            (sketched.log_mel, was.log_mel, wished.log_mel), (sketched.inst_freq, was.inst_freq, wished.inst_freq)
        ):  # fmt: skip
            assert np.abs(expected - before)[0, places].max() > 0.1
            assert np.abs(found[0] - expected[0, places]).max() < 1e-3
        unmoved = generator.sketch(Change(from_here, places, latents[0], latents[0], pitch))
        assert unmoved is not None and np.abs(unmoved.log_mel - from_here.log_mel).max() < 1e-4
    generator.close()


def test_who_has_no_heads_at_hand_does_not_sketch(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_onnx_cpu, "block_size", lambda: 0)
    generator = open_generator(model, "cpu", threads=1)
    latents, pitches = notes(generator.manifest, 1)
    frames = generator.render(latents, pitches, 8, 9)
    assert generator.sketch(Change(frames, np.array([8]), latents[0], latents[0], int(pitches[0]))) is None


@pytest.mark.parametrize("sizes", [(3, 4, 9), (1, 1, 2, 12), (16,), (2, 7, 7)])
def test_streams_equal_the_whole_note(model: Path, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices that follow each other share their low resolutions; others, and other notes between, do not disturb."""
    monkeypatch.setattr(generator_onnx_cpu, "KEPT_TRUNKS", 2)
    generator = open_generator(model, "cpu", threads=1)
    latents, pitches = notes(generator.manifest, 3)
    arrays = read_arrays((model / "generator.onnx").read_bytes())
    whole = [reference_note(arrays, latent, int(pitch)) for latent, pitch in zip(latents, pitches, strict=True)]
    start = 0
    for k, size in enumerate(sizes):
        for note in range(1 + k % 3):
            frames = generator.render(latents[note : note + 1], pitches[note : note + 1], start, start + size)
            found = np.stack([frames.log_mel[0], frames.inst_freq[0]]) * SCALES + OFFSETS
            assert np.abs(found - whole[note][:, start : start + size]).max() < 1e-4
        start += size
    assert start == 16


def test_two_notes_at_a_time_are_to_the_bit_what_each_is_alone(model: Path) -> None:
    """A take must not depend on what else was rendered at the moment."""
    alone, beside = open_generator(model, "cpu", threads=2), open_generator(model, "cpu", threads=2)
    assert alone.info.lanes == 2
    latents, pitches = notes(alone.manifest, 2)
    slices = ((0, 3), (3, 7), (7, 12), (12, 16))

    def note(generator: OnnxGenerator, i: int) -> list[np.ndarray]:
        parts = [generator.render(latents[i : i + 1], pitches[i : i + 1], *frames) for frames in slices]
        return [np.concatenate([getattr(part, kind)[0] for part in parts]) for kind in ("log_mel", "inst_freq")]

    expected = [note(alone, i) for i in range(2)]
    together = threading.Barrier(2)
    found: dict[int, list[list[np.ndarray]]] = {0: [], 1: []}

    def lane(i: int) -> None:
        for _ in range(20):
            together.wait()
            found[i].append(note(beside, i))

    lanes = [threading.Thread(target=lane, args=(i,)) for i in range(2)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    for i in range(2):
        assert len(found[i]) == 20
        assert all(np.array_equal(a, b) for take in found[i] for a, b in zip(take, expected[i], strict=True))


def test_info_says_what_the_manifest_says(model: Path) -> None:
    generator = OnnxGenerator(model, "cpu", threads=1)
    manifest = read_manifest(model)
    facts = dataclasses.asdict(generator.info)
    assert facts.pop("model_id") == manifest.graph.sha256
    assert "thread" in facts.pop("provider")
    assert facts.pop("lanes") == 1
    assert facts.pop("onset_stop") == generator.info.first_stop == ONSET_ALONE
    for name, value in facts.items():
        assert value == getattr(manifest, name), name


def test_the_first_frames_need_nothing_of_the_net(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = OnnxGenerator(model, "cpu", threads=1)
    latents, pitches = np.zeros((1, 20), np.float32), np.array([60])
    whole = generator.render(latents, pitches, 0, 16)

    def net(*_: object) -> NoReturn:
        raise AssertionError("the net was asked")

    monkeypatch.setattr(BlockedRunner, "_net", net)
    first = generator.render(latents, pitches, 1, ONSET_ALONE)
    assert np.array_equal(first.log_mel, whole.log_mel[:, 1:ONSET_ALONE])
    assert np.array_equal(first.inst_freq, whole.inst_freq[:, 1:ONSET_ALONE])
    with pytest.raises(ModelError, match="the net was asked"):
        generator.render(latents, pitches, 1, ONSET_ALONE + 1)


def test_without_an_onset_the_first_slice_is_128_ms(tmp_path: Path) -> None:
    manifest = write_model(tmp_path, random_arrays(SMALL, np.random.default_rng(1), heads=False), OPTIONS)
    info = OnnxGenerator(tmp_path, "cpu", threads=1).info
    assert (info.onset_stop, info.first_stop) == (0, manifest.pad_frames + 7)


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (64, 4)])
def test_a_core_is_left_to_audio_where_there_are_more_than_two(cores: int, threads: int) -> None:
    assert render_threads(cores) == threads


def test_bad_requests_are_bugs_not_sentences(model: Path) -> None:
    generator = OnnxGenerator(model, "cpu", threads=1)
    latents, pitches = notes(generator.manifest, 1)
    for start, stop in ((3, 3), (-1, 2), (0, 17)):
        with pytest.raises(ValueError, match="frames"):
            generator.render(latents, pitches, start, stop)
    with pytest.raises(ValueError, match="pitches"):
        generator.render(latents, np.asarray([85]), 0, 1)
    with pytest.raises(ValueError, match="latents"):
        generator.render(latents[:, 1:], pitches, 0, 1)
    generator.close()
    with pytest.raises(ModelError, match="closed"):
        generator.render(latents, pitches, 0, 1)


class _LostDevice:
    """A device's session that renders a few times and is then lost."""

    words = "CUDA: device 0"
    lanes = 1
    onset_stop = 0

    def __init__(self, graph: bytes, manifest: Manifest, provider: str) -> None:
        self.left = 2
        self.cpu = CpuEngine(graph, manifest, 1)

    def run(self, latents, pitches, start, stop):  # type: ignore[no-untyped-def]
        if self.left == 0:
            raise RuntimeError("CUDA failure 2: out of memory\nand many more lines")
        self.left -= 1
        return self.cpu.run(latents, pitches, start, stop)

    def close(self) -> None:
        self.cpu = None


def test_a_device_lost_in_the_middle_of_a_note_is_replaced_by_the_cpu(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator_onnx, "cuda_missing", lambda: "")
    monkeypatch.setattr(generator_onnx, "DeviceEngine", _LostDevice)
    told: list[str] = []
    generator = OnnxGenerator(model, "auto", threads=1, on_fallback=told.append)
    assert generator.info.provider == "CUDA: device 0"
    latents, pitches = notes(generator.manifest, 1)
    whole = OnnxGenerator(model, "cpu", threads=1).render(latents, pitches, 0, 16)
    for start in range(0, 16, 4):
        frames = generator.render(latents, pitches, start, start + 4)
        assert np.abs(frames.log_mel - whole.log_mel[:, start : start + 4]).max() < 1e-2
    assert told == [generator.fallback_reason]
    assert "out of memory" in told[0]
    assert "many more" not in told[0]
    assert generator.info.provider.startswith("CPU")


@pytest.mark.parametrize("provider", ["cuda", "cuda-graph", "tensorrt"])
def test_a_device_gives_what_the_cpu_gives(
    model: Path, monkeypatch: pytest.MonkeyPatch, pretend_device: None, provider: str
) -> None:
    monkeypatch.setattr(generator_onnx_device, "BATCHES", (1, 2, 4))
    device, cpu = OnnxGenerator(model, provider), OnnxGenerator(model, "cpu", threads=1)
    assert device.info.provider == "CUDA: device 0"
    latents, pitches = notes(device.manifest, 5)
    for count in (1, 3, 5):
        ours = device.render(latents[:count], pitches[:count], 3, 9)
        theirs = cpu.render(latents[:count], pitches[:count], 3, 9)
        assert ours.log_mel.shape == (count, 6, 128)
        assert np.abs(ours.log_mel - theirs.log_mel).max() * OPTIONS.mag_scale < 1e-4
        assert np.abs(ours.inst_freq - theirs.inst_freq).max() < 1e-4
    assert cpu.sound(latents, pitches, 3) is None
    assert device.fallback_reason == ""
    device.close()


def test_whole_notes_come_from_a_device_with_their_sound(
    model: Path, monkeypatch: pytest.MonkeyPatch, pretend_device: None
) -> None:
    monkeypatch.setattr(generator_onnx_device, "BATCHES", (1, 2, 4))
    device, cpu = OnnxGenerator(model, "auto"), OnnxGenerator(model, "cpu", threads=1)
    m = device.manifest
    latents, pitches = notes(m, 5)
    frames = cpu.render(latents, pitches, 0, m.frames)
    for _ in range(2):  # the second time in the same memory
        sound = device.sound(latents, pitches, 3)
        assert sound is not None
        assert np.abs(sound.log_mel.astype(float) - frames.log_mel).max() < 2e-2
        for i in range(5):
            decoder = StreamingDecoder(m.spectral, m.phase_convention, 3, m.pad_frames)
            picture = (x[i, m.pad_frames :].astype(np.float32) for x in (sound.log_mel, sound.inst_freq))
            hops = m.spectral.pad_hops - m.pad_frames
            truth = np.concatenate([decoder.push(*picture), decoder.tail()])[hops * decoder.hop_samples :]
            assert np.abs(sound.samples[i] - truth).max() < 1e-4 * max(1.0, float(np.abs(truth).max()))
        latents, pitches = latents[::-1].copy(), pitches[::-1].copy()
        frames = cpu.render(latents, pitches, 0, m.frames)
    device.close()


def test_an_idle_device_is_kept_awake(model: Path, monkeypatch: pytest.MonkeyPatch, pretend_device: None) -> None:
    monkeypatch.setattr(generator_onnx_device, "KEEP_ALIVE_S", 0.001)
    asked = threading.Event()
    device = OnnxGenerator(model, "cuda")
    slices = device._engine._slices  # type: ignore[union-attr]
    run = slices.run_with_iobinding
    slices.run_with_iobinding = lambda *arguments: (run(*arguments), asked.set())
    assert asked.wait(60.0)
    device.close()


def test_a_session_that_is_not_on_the_device_is_no_device(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = lambda graph, providers, threads: generator_onnx_cpu.open_session(graph, ["CPUExecutionProvider"], 1)  # noqa: E731
    monkeypatch.setattr(generator_onnx, "cuda_missing", lambda: "")
    monkeypatch.setattr(generator_onnx_device, "open_session", on_cpu)
    monkeypatch.setattr(generator_onnx_device.ort, "preload_dlls", lambda: None)
    generator = OnnxGenerator(model, "auto", threads=1)
    assert generator.info.provider.startswith("CPU")
    assert "gave the CPU instead" in generator.fallback_reason


def test_a_device_that_does_not_start_is_said_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no cuDNN here")

    monkeypatch.setattr(generator_onnx, "cuda_missing", lambda: "")
    monkeypatch.setattr(generator_onnx, "DeviceEngine", broken)
    generator = OnnxGenerator(model, "auto", threads=1)
    assert "no cuDNN here" in generator.fallback_reason
    with pytest.raises(ModelError, match="no cuDNN here"):
        OnnxGenerator(model, "cuda")


def test_a_machine_without_cuda_is_silent(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    generator = OnnxGenerator(model, "auto", threads=1)
    if generator.info.provider.startswith("CPU"):
        assert generator.fallback_reason == cuda_missing()
        assert capfd.readouterr() == ("", "")
    with pytest.raises(ModelError, match="abacus"):
        OnnxGenerator(model, "abacus")


def test_a_blocked_form_that_disagrees_is_not_used(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = block_size()
    monkeypatch.setattr(generator_onnx_cpu, "block_size", lambda: 24 - right)
    generator = OnnxGenerator(model, "cpu", threads=1)
    assert "portable" in generator.info.provider


def test_a_graph_with_outside_weights_or_foreign_operators_is_refused(copy: Path) -> None:
    model = onnx.load(copy / "generator.onnx")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    replace_graph(copy, model.SerializeToString())
    with pytest.raises(ModelError, match="outside itself"):
        OnnxGenerator(copy, "cpu")
    model = onnx.load_from_string(model.SerializeToString())
    model.opset_import.append(helper.make_opsetid("com.example.evil", 1))
    replace_graph(copy, model.SerializeToString())
    with pytest.raises(ModelError, match=r"com\.example\.evil"):
        OnnxGenerator(copy, "cpu")


def test_a_graph_that_is_none_or_another_is_one_sentence(copy: Path) -> None:
    whole = (copy / "generator.onnx").read_bytes()
    for graph in (b"", b"hello" * 100, whole[: len(whole) // 2]):
        replace_graph(copy, graph)
        with pytest.raises(ModelError) as caught:
            OnnxGenerator(copy, "cpu", threads=1)
        assert "\n" not in str(caught.value)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", [x], [y])
    opsets = [helper.make_opsetid("", 18)]
    replace_graph(copy, helper.make_model(other, opset_imports=opsets, ir_version=9).SerializeToString())
    with pytest.raises(ModelError, match="not this program's"):
        OnnxGenerator(copy, "cpu", threads=1)
    (copy / "generator.onnx").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        OnnxGenerator(copy, "cpu")
