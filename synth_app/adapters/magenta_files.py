"""Where a checkpoint's files come from: a folder or a zip archive, read in place and never unpacked.

Names are compared as text; nothing that a checkpoint says ever becomes a path to write to, and a name that climbs out
(absolute, ``..``, a drive, a link) is refused.
"""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import Protocol

from synth_app.core.errors import CheckpointError

MAX_FILE_BYTES = 2 << 30


class Files(Protocol):
    """A tree of files with ``/``-separated names."""

    def names(self) -> list[str]: ...
    def size(self, name: str) -> int: ...
    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes: ...


def open_files(path: Path) -> Files:
    """A folder, or a zip archive.

    Raises:
        CheckpointError: it is neither, damaged, or holds names that climb out.
    """
    if path.is_dir():
        return FolderFiles(path)
    if path.is_file() and zipfile.is_zipfile(path):
        return ZipFiles(path)
    if path.exists():
        raise CheckpointError(f"{path} is neither a folder nor a zip archive; give the checkpoint's folder or archive.")
    raise CheckpointError(f"{path} does not exist; give the checkpoint's folder or archive.")


def check_name(name: str) -> str:
    """The name itself, or ``CheckpointError`` when it does not stay inside.

    Forward slashes only; neither absolute, nor with a drive, nor with ``..`` in it.
    """
    parts = PurePosixPath(name).parts
    if not name or name.startswith("/") or "\\" in name or ":" in name or ".." in parts or "\0" in name:
        raise CheckpointError(f"The checkpoint holds the name {name!r}, which points outside it, so it is refused.")
    return name


class FolderFiles:
    """Files below a folder; links are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        found = []
        for path in self._root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                found.append(path.relative_to(self._root).as_posix())
        return sorted(found)

    def size(self, name: str) -> int:
        return self._path(name).stat().st_size

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        try:
            with self._path(name).open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except OSError as error:
            raise CheckpointError(
                f"{name} cannot be read ({error.strerror}); check the checkpoint's folder."
            ) from error

    def _path(self, name: str) -> Path:
        path = self._root / check_name(name)
        if path.is_symlink() or not path.is_file():
            raise CheckpointError(f"The checkpoint lacks the file {name}; copy or download it again.")
        return path


class ZipFiles:
    """Files inside an archive; the last one read is kept, as tensors are read in order from one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: tuple[str, bytes] = ("", b"")
        try:
            with zipfile.ZipFile(path) as archive:
                self._sizes = {check_name(i.filename): i.file_size for i in archive.infolist() if self._plain(i)}
        except (zipfile.BadZipFile, OSError, UnicodeDecodeError, NotImplementedError) as error:
            raise CheckpointError(f"{path} is a damaged zip archive ({error}); download it again.") from error

    def names(self) -> list[str]:
        return sorted(self._sizes)

    def size(self, name: str) -> int:
        return self._sizes.get(name, 0)

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        if self._kept[0] != name:
            self._kept = (name, self._read_whole(name))
        return self._kept[1][offset : len(self._kept[1]) if size < 0 else offset + size]

    def _read_whole(self, name: str) -> bytes:
        if name not in self._sizes:
            raise CheckpointError(f"The archive lacks the file {name}; download it again.")
        if self._sizes[name] > MAX_FILE_BYTES:
            raise CheckpointError(f"The archive's {name} is larger than any checkpoint of GANSynth, so it is refused.")
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(name) as file:
                data = file.read(self._sizes[name] + 1)
        except Exception as error:  # zipfile lets zlib's and its own errors through
            raise CheckpointError(f"The archive's {name} is damaged ({error}); download it again.") from error
        if len(data) != self._sizes[name]:
            raise CheckpointError(f"The archive's {name} has another size than it says, so it is refused.")
        return data

    @staticmethod
    def _plain(info: zipfile.ZipInfo) -> bool:
        if stat.S_ISLNK(info.external_attr >> 16):
            raise CheckpointError(f"The archive holds a link, {info.filename!r}, so it is refused.")
        if info.is_dir():
            check_name(info.filename)
        return not info.is_dir()
