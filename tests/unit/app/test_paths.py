"""Files that come with the program are found, and there is always somewhere to write."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from synth_app.app import paths
from synth_app.core.errors import FileFormatError


def test_what_comes_with_the_program_is_there() -> None:
    for relative in (paths.DEMO_TUNE, "presets/factory", "models"):
        assert paths.bundled(relative).exists(), relative


def test_recordings_go_to_the_music_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "music_dir", lambda: tmp_path / "Music")
    assert paths.recordings_dir() == tmp_path / "Music" / "synth_app"
    assert paths.recordings_dir().is_dir()


def test_recordings_go_elsewhere_when_there_is_no_music_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(paths, "music_dir", lambda: blocked)
    monkeypatch.setattr(paths.tempfile, "gettempdir", lambda: str(tmp_path / "temp"))
    assert paths.recordings_dir() == tmp_path / "temp" / "synth_app"
    monkeypatch.setattr(paths.tempfile, "gettempdir", lambda: str(blocked))
    with pytest.raises(FileFormatError, match="No folder for recordings"):
        paths.recordings_dir()


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No place for compiled code has been chosen yet."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # so that it is put back at the end whatever the test does
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setattr(paths.tempfile, "gettempdir", lambda: str(tmp_path))
    return monkeypatch


def chosen() -> Path:
    """What was chosen, and forget it."""
    return Path(os.environ.pop("NUMBA_CACHE_DIR"))


def test_compiled_code_goes_to_the_users_cache(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    paths.ensure_numba_cache()
    assert chosen().is_relative_to(tmp_path / "cache" / "synth_app")


def test_compiled_code_of_other_sources_is_thrown_away(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    stale = tmp_path / "cache" / "synth_app" / "numba" / "0123456789abcdef"
    stale.mkdir(parents=True)
    paths.ensure_numba_cache()
    assert chosen().name != stale.name
    assert not stale.exists()


def test_compiled_code_goes_to_a_private_folder_at_last(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fresh.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    paths.ensure_numba_cache()
    private = chosen().parent
    assert private.is_relative_to(tmp_path)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    paths.ensure_numba_cache()
    assert chosen().parent == private, "the next start finds it again"
    private.chmod(0o777)
    paths.ensure_numba_cache()
    assert chosen().parent != private, "anyone could have put code there"
