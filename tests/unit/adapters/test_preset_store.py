"""Presets on disk: nothing lost, nothing half written, and one sentence for whatever goes wrong."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from synth_app.adapters.preset_store import MAX_BYTES, SUFFIX, PresetStore, file_name
from synth_app.core.errors import PresetError
from synth_app.timbre.patch import Patch, PatchAnchor
from synth_app.timbre.preset_schema import document_from_patch


@pytest.fixture
def store(tmp_path: Path) -> PresetStore:
    return PresetStore(tmp_path / "factory", tmp_path / "user")


def patch(name: str = "Warm", **changes: object) -> Patch:
    return Patch(name, (PatchAnchor("Flute", 0.5, 0.5, 1.0),), **changes)  # type: ignore[arg-type]


def put(path: Path, patch_: Patch) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tomli_w.dumps(document_from_patch(patch_)), encoding="utf-8")
    return path


def one_sentence(error: pytest.ExceptionInfo[PresetError]) -> str:
    message = str(error.value)
    assert "\n" not in message and message[-1] in ".?" and ".." not in message.replace("...", "")
    return message


# --- saving ---------------------------------------------------------------------------------------------------------


def test_a_saved_preset_loads_as_it_was(store):
    original = patch("Ünï ☀ name", author="me", tags=("soft",), notes='two\nlines "quoted"', model="default")
    path = store.save(original)
    assert path == store.user_dir / f"Ünï ☀ name{SUFFIX}"
    assert store.load(path) == original


def test_a_preset_is_readable_text(store):
    text = store.save(patch()).read_text(encoding="utf-8")
    assert 'name = "Warm"' in text and 'name = "Flute"' in text and "volume_db = 0.0" in text


def test_nothing_is_written_over_unless_asked(store):
    path = store.save(patch(notes="first"))
    with pytest.raises(PresetError, match="exists already") as error:
        store.save(patch(notes="second"))
    one_sentence(error)
    assert store.load(path).notes == "first"
    assert store.save(patch(notes="second"), overwrite=True) == path
    assert store.load(path).notes == "second"


def test_a_preset_can_be_saved_where_the_player_says(store, tmp_path):
    path = tmp_path / "new" / "folder" / "x.synthpreset"
    assert store.save(patch(), path) == path and store.load(path) == patch()


def test_saving_leaves_no_temporary_files(store):
    store.save(patch())
    store.save(patch(), overwrite=True)
    with pytest.raises(PresetError):
        store.save(patch())
    assert [p.name for p in store.user_dir.iterdir()] == [f"Warm{SUFFIX}"]


def test_a_file_system_without_hard_links_still_refuses_to_overwrite(store, monkeypatch):
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = store.save(patch(notes="first"))
    with pytest.raises(PresetError, match="exists already"):
        store.save(patch(notes="second"))
    assert store.load(path).notes == "first" and len(list(store.user_dir.iterdir())) == 1


def test_a_full_disk_loses_nothing(store):
    path = store.save(patch(notes="first"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(PresetError, match="the disk is full") as error:
            store.save(patch(notes="second"), overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    one_sentence(error)
    assert store.load(path).notes == "first"
    assert [p.name for p in store.user_dir.iterdir()] == [path.name]


def test_a_disk_that_fails_at_the_last_moment_loses_nothing(store, monkeypatch):
    path = store.save(patch(notes="first"))

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(PresetError, match="the disk is full"):
        store.save(patch(notes="second"), overwrite=True)
    assert store.load(path).notes == "first" and len(list(store.user_dir.iterdir())) == 1


def test_a_folder_without_permission_is_one_sentence(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    store = PresetStore(tmp_path / "factory", locked)
    locked.chmod(0o500)
    root = os.geteuid() == 0  # whom no folder is locked to
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(PresetError, match="no permission there") as error:
            store.save(patch())
    finally:
        if root:
            os.seteuid(0)
        locked.chmod(0o700)
    one_sentence(error)


def test_a_file_where_a_folder_should_be(store, tmp_path):
    (tmp_path / "user").write_text("in the way")
    with pytest.raises(PresetError, match="there is a file in its way") as error:
        store.save(patch())
    one_sentence(error)


def test_a_patch_that_breaks_the_rules_is_not_saved(store):
    with pytest.raises(PresetError, match="cannot be saved: anchors") as error:
        store.save(Patch("Empty", ()))
    one_sentence(error)
    assert not store.user_dir.exists()


def test_what_could_not_be_read_again_is_not_saved(store):
    z = tuple(float(i) / 7 for i in range(4096))
    layers = tuple((v, z) for v in range(1, 17))
    big = Patch("Big", tuple(PatchAnchor(f"a{i}", 0.5, 0.5, 1.0, layers) for i in range(16)))
    with pytest.raises(PresetError, match="too large to be saved"):
        store.save(big)


@given(st.text(max_size=120))
def test_every_name_makes_a_safe_file_name(name):
    safe = file_name(name)
    assert safe and safe == Path(safe).name and safe not in (".", "..") and not safe.startswith(".")
    assert len(safe) <= 81 and not set(safe) & set('<>:"/\\|?*\0\n')


@pytest.mark.parametrize("name", ["CON", "nul", "com1.txt", "LPT9"])
def test_names_that_windows_reserves_are_changed(name):
    assert file_name(name).endswith("_")


# --- loading --------------------------------------------------------------------------------------------------------

GOOD = tomli_w.dumps(document_from_patch(patch()))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is not a synth_app preset"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "it is not text"),
        (b"name = ", "it is not a preset file"),
        (b'{"json": true}', "it is not a preset file"),
        (b"[tool.ruff]\nline-length = 120\n", "it is not a synth_app preset"),
        (GOOD[:80].encode(), "cannot be used"),
        (GOOD.replace("weight = 1.0", "weight = nan").encode(), r"anchors\.0\.weight: .*finite"),
        (GOOD.replace("version = 1", "version = 99").encode(), "version 99 .* update synth_app"),
        (GOOD.replace("volume_db = 0.0", "volume_db = inf").encode(), "volume_db"),
        (b"a = " + b"[" * 20000, "it is not a preset file"),
        (b"x = 1e999999\n" + GOOD.encode(), "extra inputs"),
        (b"\x00" * 100, "it is not a preset file"),
    ],
    ids=range(12),
)
def test_each_fault_of_a_file_is_one_sentence(store, tmp_path, data, reason):
    path = tmp_path / "bad.synthpreset"
    path.write_bytes(data)
    with pytest.raises(PresetError, match=reason) as error:
        store.load(path)
    assert "bad.synthpreset" in one_sentence(error)


def test_a_file_too_large_to_be_a_preset_is_not_read(store, tmp_path):
    path = tmp_path / "huge.synthpreset"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(PresetError, match="too large"):
        store.load(path)


def test_missing_files_folders_and_pipes_are_one_sentence_each(store, tmp_path):
    pipe = tmp_path / "pipe.synthpreset"
    os.mkfifo(pipe)
    for path, reason in ((tmp_path / "none", "no preset file"), (tmp_path, "not a file"), (pipe, "not a file")):
        with pytest.raises(PresetError, match=reason) as error:
            store.load(path)
        one_sentence(error)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_preset_or_a_preset_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "x.synthpreset"
    path.write_bytes(data)
    with pytest.raises(PresetError):
        PresetStore(path.parent, path.parent).load(path)


# --- finding --------------------------------------------------------------------------------------------------------


def test_presets_are_listed_factory_first_by_folder_and_name(store):
    put(store.factory_dir / f"b{SUFFIX}", patch("Beta", tags=("x",)))
    put(store.factory_dir / "Pads" / f"a{SUFFIX}", patch("Alpha"))
    put(store.user_dir / f"mine{SUFFIX}", patch("Mine"))
    entries = store.list_presets()
    assert [(e.name, e.folder, e.factory) for e in entries] == [
        ("Beta", "", True), ("Alpha", "Pads", True), ("Mine", "", False),
    ]  # fmt: skip
    assert entries[0].tags == ("x",) and all(e.problem == "" for e in entries)


def test_a_damaged_preset_is_listed_with_its_problem(store):
    store.user_dir.mkdir()
    (store.user_dir / f"broken{SUFFIX}").write_text("?")
    (store.user_dir / "notes.txt").write_text("not a preset")
    (store.user_dir / f".hidden{SUFFIX}").write_text("?")
    (entry,) = store.list_presets()
    assert entry.name == "broken" and "not a preset file" in entry.problem


def test_no_folders_are_no_presets(store):
    assert store.list_presets() == ()


def test_a_preset_is_found_by_path_by_name_in_any_case_and_by_file_name(store):
    path = put(store.factory_dir / f"01 warm{SUFFIX}", patch("Warm Strings"))
    for wanted in (str(path), "Warm Strings", "warm strings", "01 WARM"):
        assert store.find(wanted) == path


def test_the_player_own_preset_wins_over_the_factory_one_of_the_same_name(store):
    put(store.factory_dir / f"Warm{SUFFIX}", patch())
    mine = put(store.user_dir / f"Warm{SUFFIX}", patch(notes="mine"))
    assert store.find("warm") == mine


def test_an_unknown_name_is_answered_with_the_nearest(store):
    put(store.factory_dir / f"Welcome{SUFFIX}", patch("Welcome"))
    with pytest.raises(PresetError, match=r"no preset named 'Wellcome'; did you mean Welcome\?") as error:
        store.find("Wellcome")
    one_sentence(error)
    with pytest.raises(PresetError, match="list them with: synth-app presets list"):
        store.find("zzzz")


@pytest.mark.parametrize("wanted", ["nowhere/x.synthpreset", "x.synthpreset", "/nowhere/at/all"])
def test_a_missing_path_is_not_looked_up_as_a_name(store, wanted):
    with pytest.raises(PresetError, match="no preset file at") as error:
        store.find(wanted)
    one_sentence(error)
