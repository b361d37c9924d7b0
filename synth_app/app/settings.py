"""The player's settings: one TOML file that can be read and mended by hand.

A settings file never stops the program. What is damaged in it falls back to its default, one sentence says so, and the
damaged file is kept beside the new one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from synth_app.app.paths import settings_path
from synth_app.core.errors import SettingsError
from synth_app.core.params import PARAMS, default_settings_params

SCHEMA = 1
_LARGEST_BYTES = 1 << 20


class _Table(BaseModel):
    # Keys of a newer version survive being rewritten by this one.
    model_config = ConfigDict(extra="allow", validate_assignment=True)


class AudioChoice(_Table):
    """Output device: see :class:`synth_app.engine.ports.AudioSettings`."""

    device: str = ""
    rate_hz: int = Field(default=0, ge=0, le=384_000)
    block_frames: int = Field(default=0, ge=0, le=16_384)


class MidiChoice(_Table):
    """MIDI inputs. With ``all_inputs`` every keyboard plays, also one plugged in later; else those in ``inputs``.

    ``channels`` (1 to 16) are listened to; an empty list means all of them.
    """

    all_inputs: bool = True
    inputs: list[str] = Field(default_factory=list)
    channels: list[Annotated[int, Field(ge=1, le=16)]] = Field(default_factory=list)


class Settings(_Table):
    """Everything that is remembered from one start to the next.

    Attributes:
        last_preset: path of the preset last played; "" greets with the default one.
        model: name or path of the model; "" is the default one.
        provider: what generates: "auto", "cpu", "cuda" and the others of ``--provider``.
        cache_mb: how much of presets' notes to keep on disk, for a preset to be ready at once the next time; 0 = none.
        params: the instrument's parameters of :mod:`synth_app.core.params` (those that presets do not keep).
        panel: whatever the panel wants to find again (geometry, favourites, theme ...), as TOML values.
    """

    schema_version: int = SCHEMA
    last_preset: str = ""
    model: str = ""
    provider: Literal["auto", "cpu", "cuda", "cuda-graph", "tensorrt", "openvino", "openvino-f32"] = "auto"
    cache_mb: int = Field(default=300, ge=0, le=100_000)
    audio: AudioChoice = Field(default_factory=AudioChoice)
    midi: MidiChoice = Field(default_factory=MidiChoice)
    params: dict[str, float] = Field(default_factory=default_settings_params)
    panel: dict[str, Any] = Field(default_factory=dict)

    @field_validator("params")
    @classmethod
    def _known_and_in_range(cls, params: dict[str, float]) -> dict[str, float]:
        """Out-of-range values are drawn to the nearest end: a remembered volume is no reason to complain."""
        known = default_settings_params()
        for name, value in params.items():
            if name in known and value == value:  # a NaN equals nothing
                known[name] = min(max(value, PARAMS[name].lowest), PARAMS[name].highest)
        return known


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read, and sentences for the player when something in the file was not as it should be."""

    settings: Settings
    notices: tuple[str, ...] = ()


class SettingsFile:
    """Settings on disk, by default at :func:`~synth_app.app.paths.settings_path`."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or settings_path()

    def load(self) -> Loaded:
        """Read the settings. Never raises for what the file holds: see the module's docstring."""
        try:
            if self.path.stat().st_size > _LARGEST_BYTES:
                return self._damaged("is too large to be a settings file")
            table = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Loaded(Settings())
        except OSError as error:
            return Loaded(
                Settings(), (f"The settings in {self.path} cannot be read ({error.strerror}); using defaults.",)
            )
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            return self._damaged("is damaged")
        if not isinstance(table.get("schema_version", SCHEMA), int) or table.get("schema_version", SCHEMA) > SCHEMA:
            return Loaded(Settings(), (f"{self.path} was written by a newer version; using defaults.",))
        settings, wrong = _validated(table)
        if not wrong:
            return Loaded(settings)
        return Loaded(settings, (f"In {self.path}, {_listed(wrong)} made no sense and went back to default.",))

    def save(self, settings: Settings) -> None:
        """Write the settings so that a crash at any moment leaves either the old file or the new one.

        Raises:
            SettingsError: the file cannot be written; the old one stays.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Into what a link points at: dotfiles are often links into another folder.
            write_atomically(self.path.resolve(), tomli_w.dumps(_plain(settings.model_dump())).encode())
        except OSError as error:
            raise SettingsError(
                f"The settings could not be written to {self.path} ({error.strerror}); they hold until you quit."
            ) from error

    def _damaged(self, how: str) -> Loaded:
        kept = self.path.with_suffix(".damaged.toml")
        try:
            shutil.copyfile(self.path, kept)
            where = f"; the old file is kept as {kept.name}"
        except OSError:
            where = ""
        return Loaded(Settings(), (f"{self.path} {how}, so the settings are back to default{where}.",))


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by a file holding ``data``, wholly or not at all.

    Raises:
        OSError: from the system; nothing of the attempt is left behind.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _validated(table: dict[str, Any]) -> tuple[Settings, list[str]]:
    """The settings in ``table``, and the dotted names of what had to be left out."""
    wrong: list[str] = []
    while True:
        try:
            return Settings.model_validate(table), wrong
        except ValidationError as error:
            places = {
                tuple(part for part in problem["loc"] if isinstance(part, str)): None for problem in error.errors()
            }
            for keys in places:
                if _remove(table, list(keys)):
                    wrong.append(".".join(keys))
                else:  # cannot be told apart: begin anew rather than go round in a circle
                    return Settings(), ["the file"]


def _remove(table: dict[str, Any], keys: list[str]) -> bool:
    """Delete the innermost existing key of a path; whether anything was there."""
    for key in keys[:-1]:
        if not isinstance(table.get(key), dict):
            keys = keys[: keys.index(key) + 1]
            break
        table = cast("dict[str, Any]", table[key])
    return bool(keys) and table.pop(keys[-1], None) is not None


def _plain(value: Any) -> Any:
    """``value`` as TOML can say it: without ``None``, which TOML does not have."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value if item is not None]
    return value


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
