"""Presets on disk: readable TOML files with the suffix ``.synthpreset``, in the program's folder and the player's own.

Nothing is ever half written or lost: a preset is written beside its place, flushed to the disk and put there in one
step, and what already is there stays unless the caller says ``overwrite``.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import secrets
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import tomli_w

from synth_app.core.command import COMMAND
from synth_app.core.errors import PresetError
from synth_app.timbre.patch import Patch
from synth_app.timbre.preset_schema import document_from_patch, patch_from_document

SUFFIX = ".synthpreset"
MAX_BYTES = 8_000_000
DEFAULT_PRESET = "Welcome"

_FORBIDDEN = frozenset('<>:"/\\|?*')
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))})


@dataclass(frozen=True, slots=True)
class PresetEntry:
    """A preset as a browser lists it.

    Attributes:
        name: what it calls itself, or its file's name when it cannot be read.
        path: where it is. folder: its place below the root folder, "" at the top.
        factory: it came with the program and is not written over.
        author, model, notes, tags: its own words.
        problem: why it cannot be loaded, or "".
    """

    name: str
    path: Path
    folder: str
    factory: bool
    author: str = ""
    model: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    problem: str = ""


class PresetStore:
    """The program's presets and the player's."""

    def __init__(self, factory_dir: Path | None = None, user_dir: Path | None = None) -> None:
        """Use the folders of this installation and this user, or others. None is created until something is saved."""
        self.factory_dir = factory_dir or _bundled_presets()
        self.user_dir = user_dir or platformdirs.user_data_path("synth_app", appauthor=False) / "presets"

    def list_presets(self) -> tuple[PresetEntry, ...]:
        """Every preset, the program's first, each group by folder and name; damaged ones with their problem."""
        return (*self._list(self.factory_dir, factory=True), *self._list(self.user_dir, factory=False))

    def load(self, path: Path) -> Patch:
        """Read a preset.

        Raises:
            PresetError: missing, unreadable, too large, foreign, damaged or of a version unknown here.
        """
        document = _read(path)
        try:
            return patch_from_document(document)
        except PresetError as error:
            raise PresetError(f"The preset {path.name} cannot be used: {error}.") from error

    def save(self, patch: Patch, path: Path | None = None, *, overwrite: bool = False) -> Path:
        """Write a preset (``None``: under its name in the player's folder) and return where it is.

        Raises:
            PresetError: it exists and ``overwrite`` is false, or it cannot be written. What was there is untouched.
        """
        target = path if path is not None else self.user_dir / f"{file_name(patch.name)}{SUFFIX}"
        try:
            text = tomli_w.dumps(document_from_patch(patch))
        except PresetError as error:
            raise PresetError(f"The preset {patch.name!r} cannot be saved: {error}.") from error
        data = text.encode("utf-8")
        if len(data) > MAX_BYTES:
            raise PresetError(f"The preset {patch.name!r} is too large to be saved; let it carry fewer latents.")
        _write(target, data, overwrite)
        return target

    @property
    def bin_dir(self) -> Path:
        """Where deleted presets lie, beside the player's folder; safe to empty."""
        return self.user_dir.with_name(f"{self.user_dir.name}-bin")

    def delete(self, path: Path) -> Path:
        """Move one of the player's presets to the bin and return where it lies now.

        Raises:
            PresetError: it is not one of the player's own, or it cannot be moved.
        """
        if not path.resolve().is_relative_to(self.user_dir.resolve()):
            raise PresetError(f"{path.name} came with the program and stays; only presets of your own can be deleted.")
        target = self.bin_dir / path.name
        count = 1
        while target.exists():
            count += 1
            target = self.bin_dir / f"{path.stem} {count}{path.suffix}"
        try:
            self.bin_dir.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        except OSError as error:
            raise PresetError(f"{path.name} cannot be moved to the bin: {_reason(error)}.") from error
        return target

    def find(self, name_or_path: str) -> Path:
        """The preset that the player means: a file, or a name in any case; the player's own come before the program's.

        Raises:
            PresetError: there is none; the sentence offers the nearest names.
        """
        path = Path(name_or_path).expanduser()
        if path.is_file():
            return path
        if path.suffix == SUFFIX or path.name != name_or_path:
            raise PresetError(f"There is no preset file at {path}.")
        by_name: dict[str, PresetEntry] = {}
        for entry in reversed(self.list_presets()):
            by_name.setdefault(entry.path.stem.casefold(), entry)
            by_name.setdefault(entry.name.casefold(), entry)
        wanted = name_or_path.casefold()
        if wanted in by_name:
            return by_name[wanted].path
        near = [by_name[key].name for key in difflib.get_close_matches(wanted, by_name, n=6, cutoff=0.5)]
        hint = (
            f"did you mean {', '.join(list(dict.fromkeys(near))[:3])}?"
            if near
            else f"list them with: {COMMAND} presets list."
        )
        raise PresetError(f"There is no preset named {name_or_path!r}; {hint}")

    def _list(self, root: Path, *, factory: bool) -> Iterator[PresetEntry]:
        with contextlib.suppress(OSError):
            for path in sorted(root.rglob(f"*{SUFFIX}"), key=lambda p: (str(p.parent).casefold(), p.stem.casefold())):
                if not path.name.startswith("."):
                    yield self._entry(path, root, factory)

    def _entry(self, path: Path, root: Path, factory: bool) -> PresetEntry:
        parent = path.parent.relative_to(root).as_posix()
        folder = "" if parent == "." else parent
        try:
            patch = self.load(path)
        except PresetError as error:
            return PresetEntry(path.stem, path, folder, factory, problem=str(error))
        return PresetEntry(patch.name, path, folder, factory, patch.author, patch.model, patch.notes, patch.tags)


def file_name(name: str) -> str:
    """A file name that every system accepts, as near to a preset's name as can be."""
    safe = "".join("_" if c in _FORBIDDEN or ord(c) < 32 else c for c in name).strip(" .")[:80].rstrip(" .")
    if not safe:
        return "preset"
    return f"{safe}_" if safe.split(".")[0].casefold() in _RESERVED else safe


def _bundled_presets() -> Path:
    """The factory presets: of the checkout, or inside the installed wheel."""
    package = Path(__file__).resolve().parents[1]
    in_checkout = package.parent / "presets" / "factory"
    return in_checkout if in_checkout.is_dir() else package / "_data" / "presets" / "factory"


def _read(path: Path) -> dict[str, Any]:
    """The document in a file.

    Raises:
        PresetError: see :meth:`PresetStore.load`.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise PresetError(f"The preset {path} cannot be read: it is not a file.")
        if about.st_size > MAX_BYTES:
            raise PresetError(f"The preset {path.name} is too large ({about.st_size} bytes) to be one.")
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError as error:
        raise PresetError(f"There is no preset file at {path}.") from error
    except OSError as error:
        raise PresetError(f"The preset {path} cannot be read: {_reason(error)}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        detail = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is not text"
        raise PresetError(f"The preset {path.name} cannot be used: it is not a preset file ({detail}).") from error
    except (ValueError, RecursionError) as error:
        raise PresetError(f"The preset {path.name} cannot be used: it is not a preset file.") from error


def _write(target: Path, data: bytes, overwrite: bool) -> None:
    """Put ``data`` at ``target`` in one step.

    Raises:
        PresetError: see :meth:`PresetStore.save`.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "there is a file in its way" if isinstance(error, FileExistsError) else _reason(error)
        raise PresetError(f"The folder {target.parent} for presets cannot be made: {reason}.") from error
    temporary = target.with_name(f".{target.name[:80]}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _put_in_place(temporary, target, overwrite)
        _flush_folder(target.parent)
    except FileExistsError as error:
        raise PresetError(
            f"The preset {target} exists already; save under another name or allow overwriting."
        ) from error
    except (OSError, ValueError) as error:
        raise PresetError(f"The preset {target} cannot be saved: {_reason(error)}.") from error
    finally:
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)


def _put_in_place(temporary: Path, target: Path, overwrite: bool) -> None:
    """Rename ``temporary``; without ``overwrite`` raise FileExistsError rather than replace anything."""
    if overwrite:
        temporary.replace(target)
        return
    try:
        target.hardlink_to(temporary)  # the one step that both names a file and refuses to replace another
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: claim the name first
        target.open("xb").close()
        try:
            temporary.replace(target)
        except OSError:
            target.unlink()
            raise


def _flush_folder(folder: Path) -> None:
    """Have the new name reach the disk too, where the system lets folders be flushed."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _reason(error: Exception) -> str:
    """Why the system refused, in the player's words."""
    if not isinstance(error, OSError):
        return "its name is not one that this system accepts"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "the disk is full; free some space and try again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "you have no permission there; choose another folder"
    return (error.strerror or str(error)).rstrip(".").lower()
