"""Magenta's checkpoints: read bit by bit, in every form, and refused in one sentence when they are not whole."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from synth_app.adapters.generator_onnx import OnnxGenerator
from synth_app.adapters.magenta_bundle import masked_crc32c
from synth_app.adapters.magenta_checkpoint import PaddingTest, import_checkpoint
from synth_app.adapters.magenta_files import open_files
from synth_app.adapters.magenta_tensors import read_weights, tensor_names, to_arrays
from synth_app.adapters.model_manifest import read_manifest
from synth_app.adapters.model_store import verify_model
from synth_app.core.errors import CheckpointError
from tests.unit.adapters.bundle_writer import slow_masked_crc32c, write_bundle, write_tfjs

DATA = Path(__file__).parents[2] / "data"
TINY = DATA / "magenta" / "tiny_checkpoint"
Tensors = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def tiny() -> Tensors:
    return read_weights(open_files(TINY)).tensors


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(TINY, tmp_path / "copy")
    return tmp_path / "copy" / "stage_00012"


def index_of(stage: Path) -> Path:
    return next(stage.glob("*.index"))


def data_of(stage: Path) -> Path:
    return next(stage.glob("*.data-*"))


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(folder.rglob("*")):
            out.write(path, path.relative_to(folder.parent).as_posix())
    return archive


def test_tensorflows_own_checkpoint_is_read_bit_by_bit(tiny: Tensors) -> None:
    with np.load(DATA / "magenta" / "tiny_checkpoint_values.npz") as values:
        assert len(tiny) == 30
        for name in tensor_names():
            expected = values[name.replace("/", "|")]
            assert tiny[name].dtype == expected.dtype
            assert np.array_equal(tiny[name].view(np.uint32), expected.view(np.uint32)), name
    assert read_weights(open_files(TINY)).step == 11_000_000


def test_checksums_are_castagnolis() -> None:
    rng = np.random.default_rng(0)
    for size in (0, 1, 7, 300):
        data = rng.bytes(size)
        assert masked_crc32c(data) == slow_masked_crc32c(data)
    assert slow_masked_crc32c(b"123456789") == (((0xE3069283 >> 15) | (0xE3069283 << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize("form", ["root", "stage", "index", "zip"])
def test_every_way_to_name_a_checkpoint_gives_the_same_model(form: str, tmp_path: Path) -> None:
    source = {"root": TINY, "stage": TINY / "stage_00012", "index": index_of(TINY / "stage_00012")}.get(form)
    source = source or zipped(TINY, tmp_path / "tiny.zip")
    report = import_checkpoint(source, tmp_path / "models" / "tiny", "tiny")
    assert sorted(path.name for path in report.directory.iterdir()) == ["README.md", "generator.onnx", "model.toml"]
    assert list((tmp_path / "models").iterdir()) == [report.directory]
    again = import_checkpoint(TINY, tmp_path / "again", "tiny")
    assert report.manifest.graph.sha256 == again.manifest.graph.sha256
    manifest = read_manifest(report.directory)
    assert manifest.phase_convention == "magenta"
    assert manifest.anchors[0].name == "Draw 01"
    assert verify_model(str(report.directory)).rms == pytest.approx(manifest.check.rms, rel=1e-3)


def test_random_weights_fail_the_padding_test_and_are_imported_with_a_warning(tmp_path: Path) -> None:
    report = import_checkpoint(TINY, tmp_path / "tiny", "tiny")
    assert not report.padding.passed
    assert "padding self-test" in report.warnings[0]
    card = (report.directory / "README.md").read_text()
    assert report.padding.sentence in card
    assert "Warning" in card
    assert read_manifest(report.directory).notes["warnings"] == list(report.warnings)


def test_what_passes_the_padding_test() -> None:
    assert PaddingTest(-0.803, 0.004).passed
    assert not PaddingTest(-0.914, 0.004).passed, "kernels scaled as in JavaScript"
    assert not PaddingTest(-0.8, 0.3).passed


def test_weights_that_are_silent_in_the_padding_pass_without_a_warning(tiny: Tensors, tmp_path: Path) -> None:
    silent = {name: np.zeros_like(tensor) for name, tensor in tiny.items()}
    bias = next(name for name in silent if "block_7/to_rgb/bias" in name)
    silent[bias] = np.asarray([np.arctanh(-0.8), 0.0], np.float32)
    write_bundle(tmp_path / "stage_00012", silent)
    report = import_checkpoint(tmp_path, tmp_path / "out", "silent")
    assert report.padding.passed
    assert report.warnings == ()


def test_an_unfinished_training_is_said(tiny: Tensors, tmp_path: Path) -> None:
    write_bundle(tmp_path / "stage_00008", tiny, step=5_000_000)
    report = import_checkpoint(tmp_path, tmp_path / "out", "young")
    assert any("5,000,000" in warning for warning in report.warnings)


def test_a_full_size_checkpoint_plays_what_magentas_graph_played(tmp_path: Path) -> None:
    """The recipe of the golden vectors, written as a checkpoint, imported, and rendered by the adapter."""
    with np.load(DATA / "model" / "generator_and_discriminator.npz") as golden:
        z, pitches, expected = golden["z"], golden["pitches"], golden["spec_sample_note0"]
        means, deviations = golden["spec_mean"], golden["spec_std"]
    rng = np.random.RandomState(1234)
    tensors = {}
    for name, shape in json.loads((DATA / "model" / "variables.json").read_text()):
        value = rng.randn(*shape).astype(np.float32) * np.float32(0.1 if "/bias" in name else 1.0)
        if name.startswith("Generator/"):
            tensors[name] = value
    write_bundle(tmp_path / "stage_00012", tensors)
    report = import_checkpoint(tmp_path, tmp_path / "full", "full")
    generator = OnnxGenerator(report.directory, "cpu", 1)
    whole = generator.render(z[:1], pitches[:1], 0, 128)
    n = report.manifest.normaliser
    assert np.abs(whole.log_mel[0] - expected[..., 0]).max() * n.mag_scale < 1e-4
    assert np.abs(whole.inst_freq[0] - expected[..., 1]).max() * n.if_scale < 1e-4
    part = generator.render(z[:1], pitches[:1], 3, 11)
    assert np.abs(part.log_mel[0] - expected[3:11, :, 0]).max() * n.mag_scale < 1e-4
    for i in (3, 7):
        frames = generator.render(z[i : i + 1], pitches[i : i + 1], 0, 128)
        for channel, values in enumerate((frames.log_mel, frames.inst_freq)):
            assert values.mean() == pytest.approx(means[i, channel], abs=2e-3)
            assert values.std() == pytest.approx(deviations[i, channel], rel=2e-3)


@pytest.mark.parametrize(("quantise", "error"), [("", 0.0), ("uint16", 1e-4), ("uint8", 2e-2)])
def test_tfjs_weights_are_read(tiny: Tensors, tmp_path: Path, quantise: str, error: float) -> None:
    manifest = write_tfjs(tmp_path / "js", tiny, quantise, shard_bytes=100_000)
    assert len(list(manifest.parent.iterdir())) > 3
    found = read_weights(open_files(tmp_path / "js")).tensors
    assert set(found) == set(tiny)
    for name, tensor in tiny.items():
        assert np.abs(found[name] - tensor).max() <= error * max(np.ptp(tensor), 1e-6)
    if not quantise:
        report = import_checkpoint(manifest, tmp_path / "out", "js")
        assert report.manifest.training == {}


def test_the_checkpoint_that_is_named_wins_and_stages_go_by_number(tiny: Tensors, tmp_path: Path) -> None:
    write_bundle(tmp_path / "stage_00011", tiny, step=99_000_000)
    write_bundle(tmp_path / "stage_00012", tiny, step=10_000_000)
    write_bundle(tmp_path / "stage_00012", tiny, step=9_999_999)
    assert read_weights(open_files(tmp_path)).step == 9_999_999
    (tmp_path / "stage_00012" / "checkpoint").unlink()
    assert read_weights(open_files(tmp_path)).step == 10_000_000


# What is not whole.


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def flip(path: Path, share: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * share)] ^= 0x40
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda s: cut(index_of(s), 0.5), "cut off"),
        (lambda s: cut(index_of(s), 0.0), "cut off"),
        (lambda s: flip(index_of(s), 0.3), "damaged"),
        (lambda s: flip(index_of(s), 0.99999), "V2 checkpoint"),
        (lambda s: cut(data_of(s), 0.01), "end before"),
        (lambda s: data_of(s).unlink(), "lacks the file"),
        (lambda s: index_of(s).unlink(), "no TensorFlow V2 checkpoint"),
    ],
)
def test_cut_off_and_damaged_files_are_one_sentence(copy: Path, damage: Callable[[Path], None], word: str) -> None:
    damage(copy)
    with pytest.raises(CheckpointError, match=word) as caught:
        import_checkpoint(copy.parent, copy.parent / "out", "broken")
    assert "\n" not in str(caught.value)
    assert not (copy.parent / "out").exists()
    assert [path.name for path in copy.parent.iterdir()] == ["stage_00012"], "nothing is left behind"


def test_a_flipped_bit_in_any_needed_tensor_is_found(tiny: Tensors, tmp_path: Path) -> None:
    write_bundle(tmp_path / "stage_00012", tiny)
    flip(data_of(tmp_path / "stage_00012"), 0.5)
    with pytest.raises(CheckpointError, match="damaged in Generator"):
        read_weights(open_files(tmp_path))


def test_every_cut_of_the_index_is_refused(tiny: Tensors, tmp_path: Path) -> None:
    index = write_bundle(tmp_path / "stage_00012", tiny)
    whole = index.read_bytes()
    for size in range(0, len(whole), max(1, len(whole) // 60)):
        index.write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            read_weights(open_files(tmp_path))


def test_noise_in_the_index_never_escapes_as_another_error(tiny: Tensors, tmp_path: Path) -> None:
    index = write_bundle(tmp_path / "stage_00012", tiny)
    whole, rng = index.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 3):
            data[place] = int(rng.integers(0, 256))
        index.write_bytes(bytes(data))
        try:
            read_weights(open_files(tmp_path))
        except CheckpointError as error:
            assert "\n" not in str(error)


def test_a_compressed_index_is_refused_by_name(tiny: Tensors, tmp_path: Path) -> None:
    write_bundle(tmp_path / "stage_00012", tiny, kind=1)
    with pytest.raises(CheckpointError, match="compressed"):
        read_weights(open_files(tmp_path))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("block_3/conv0/conv2d/kernel", lambda t: t[:, :, :-1]),
        ("block_3/conv1/conv2d/kernel", lambda t: t[..., :-1]),
        ("block_5/conv0/bias", lambda t: t[:-1]),
        ("block_1/conv0/conv2d/kernel", lambda t: t[:, :-1]),
        ("block_1/conv0/conv2d/kernel", lambda t: t[:, :, :61]),
        ("block_7/to_rgb/conv2d/kernel", lambda t: t[..., :1]),
        ("block_2/conv0/conv2d/kernel", lambda t: t[:2]),
        ("block_6/conv1/bias", lambda t: t * np.float32("nan")),
        ("block_4/conv1/conv2d/kernel", None),
    ],
)
def test_shapes_that_do_not_chain_are_refused(tiny: Tensors, name: str, change: Callable[[NDArray], NDArray]) -> None:
    full = next(key for key in tiny if name in key)
    tensors = dict(tiny)
    if change is None:
        del tensors[full]
    else:
        tensors[full] = change(tensors[full])
    with pytest.raises(CheckpointError) as caught:
        to_arrays(tensors)
    assert "\n" not in str(caught.value)


def test_other_widths_are_only_other_widths(tiny: Tensors) -> None:
    widths = [tiny[name].shape[-1] for name in tensor_names() if "conv0/conv2d" in name]
    arrays = to_arrays(tiny)
    assert [len(arrays[f"block{b}.conv1.bias"]) for b in range(1, 8)] == widths == [8, 8, 8, 8, 4, 2, 2]


def test_a_checkpoint_of_something_else_is_refused(tiny: Tensors, tmp_path: Path) -> None:
    write_bundle(tmp_path / "stage_00012", {"dense/kernel": np.zeros((3, 3), np.float32)})
    with pytest.raises(CheckpointError, match="not GANSynth's generator"):
        read_weights(open_files(tmp_path))
    doubles = {name: tensor.astype(np.float64) for name, tensor in tiny.items()}
    write_bundle(tmp_path / "stage_00012", doubles)
    with pytest.raises(CheckpointError, match="float64"):
        read_weights(open_files(tmp_path))


@pytest.mark.parametrize("name", ["../outside.index", "/etc/thing.index", "a/../../b", "C:/x", "a\\..\\b"])
def test_archives_that_climb_out_are_refused(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("stage_00012/checkpoint", "x")
        archive.writestr(zipfile.ZipInfo(name), "x")
    if "\\" in name:  # zipfile writes such names with slashes of its own accord on some systems
        data = (tmp_path / "a.zip").read_bytes().replace(b"a/../b", b"a\\..\\b")
        (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(CheckpointError, match="points outside"):
        open_files(tmp_path / "a.zip")


def test_links_are_not_followed(copy: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        info = zipfile.ZipInfo("stage_00012/link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(CheckpointError, match="link"):
        open_files(tmp_path / "link.zip")
    data = data_of(copy)
    data.rename(tmp_path / "elsewhere")
    data.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="lacks the file"):
        read_weights(open_files(copy))


def test_a_damaged_archive_is_one_sentence(tmp_path: Path) -> None:
    archive = zipped(TINY, tmp_path / "tiny.zip")
    data = bytearray(archive.read_bytes())
    for place in range(20_000, 20_400):
        data[place] ^= 0xFF
    archive.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="damaged") as caught:
        import_checkpoint(archive, tmp_path / "out", "tiny")
    assert "\n" not in str(caught.value)
    cut(archive, 0.5)
    with pytest.raises(CheckpointError, match="neither a folder nor a zip"):
        import_checkpoint(archive, tmp_path / "out", "tiny")


@pytest.mark.parametrize(
    ("manifest", "word"),
    [
        ("[{", "damaged"),
        ('{"a": 1}', "manifest"),
        ('[{"paths": ["../../etc/passwd"], "weights": []}]', "points outside"),
        ('[{"paths": ["missing"], "weights": []}]', "lacks the file"),
        ('[{"paths": [], "weights": [{"name": "x", "shape": [9], "dtype": "float32"}]}]', "end before"),
        ('[{"paths": [], "weights": [{"name": "x", "shape": [9], "dtype": "string"}]}]', "string"),
        ('[{"paths": [], "weights": [{"name": "x", "shape": [-9], "dtype": "float32"}]}]', "not read"),
        ("[]", "not GANSynth"),
    ],
)
def test_bad_manifests_of_tfjs_are_one_sentence(manifest: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "weights_manifest.json").write_text(manifest)
    with pytest.raises(CheckpointError, match=word) as caught:
        import_checkpoint(tmp_path, tmp_path / "out", "js")
    assert "\n" not in str(caught.value)


def test_what_is_there_stays_unless_told(tmp_path: Path) -> None:
    out = tmp_path / "models" / "mine"
    out.mkdir(parents=True)
    (out / "keep").write_text("me")
    with pytest.raises(CheckpointError, match="there already"):
        import_checkpoint(TINY, out, "mine")
    assert (out / "keep").read_text() == "me"
    import_checkpoint(TINY, out, "mine", overwrite=True)
    assert (out / "model.toml").is_file()
    assert not (out / "keep").exists()
    with pytest.raises(CheckpointError, match="name of a model"):
        import_checkpoint(TINY, tmp_path / "x", "")
    with pytest.raises(CheckpointError, match="does not exist"):
        import_checkpoint(tmp_path / "nowhere", tmp_path / "x", "x")
    with pytest.raises(CheckpointError, match="neither a folder"):
        import_checkpoint(out / "model.toml", tmp_path / "x", "x")
