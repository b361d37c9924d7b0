"""Rendered frames kept on disk from one start to the next, by content address.

One file for each few frames of one note. Nothing in a file is trusted: it is a header of fixed size and two plain
arrays, its length, its address and its checksum must be right, and every number finite; else it is as if it were not
there. So the folder may be cut down or deleted at any time, by anyone, also while the instrument plays.

Reading is for the render threads. Writing, and keeping the folder within its limit, is done by a thread of the store's
own that steps back behind everything else. What goes wrong there is said once, in one sentence, and the store is then
left alone: frames that cannot be kept are rendered anew next time, that is all.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import queue
import struct
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.niceness import lower_own_priority
from synth_app.render.ports import SpectralFrames

SUFFIX = ".frames"
WRITER_NICENESS = 19
WAITING_LIMIT = 512
"""Writes that may wait; a keyboard has 61. What comes on top is not kept: it would be memory for the sake of memory."""

_MAGIC = b"SYNTHFR1"
_HEADER = struct.Struct("<8s32s32sII")  # magic, address, checksum of all else, frames, bins
_LOW_WATER = 0.9
_MOST_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class FrameAddress:
    """What some frames are: whose (``model_id``), of which latent (its bytes) and pitch, and from where to where."""

    model_id: str
    latent: bytes
    pitch: int
    start: int
    stop: int

    @property
    def digest(self) -> bytes:
        """32 bytes that stand for all of it."""
        numbers = struct.pack("<qqqq", len(self.model_id.encode()), self.pitch, self.start, self.stop)
        return hashlib.blake2b(numbers + self.model_id.encode() + self.latent, digest_size=32).digest()


@dataclass(frozen=True, slots=True)
class StoreSize:
    """How much a store holds."""

    files: int
    total_bytes: int


class FrameStore:
    """Frames on disk, up to a limit; what was not read for longest goes first.

    Args:
        folder: made on demand; used by this program alone.
        limit_bytes: of all files together.
        on_trouble: told when frames cannot be kept or a file was damaged, each in one sentence and once (any thread).
    """

    def __init__(self, folder: Path, limit_bytes: int, on_trouble: Callable[[str], None] = lambda _: None) -> None:
        self.folder = folder
        self._limit = limit_bytes
        self._on_trouble = on_trouble
        self._closed = False
        self._told: set[str] = set()
        self._total: int | None = None  # counted by the writer, before its first file
        self._waiting: queue.Queue[tuple[FrameAddress, SpectralFrames] | None] = queue.Queue(WAITING_LIMIT)
        self._writer: threading.Thread | None = None
        self._starting = threading.Lock()

    def read(self, address: FrameAddress) -> SpectralFrames | None:
        """The frames of one note, float16 values in float32 ``[1, frames, bins]``, or ``None``."""
        path = self._path(address)
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ValueError("too large")
            data = path.read_bytes()
            frames = _unpacked(data, address)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, struct.error):
            self._tell("A note that was kept on disk is damaged; it is rendered again.")
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return frames

    def write(self, address: FrameAddress, frames: SpectralFrames) -> None:
        """Have frames kept, some time soon; never waits."""
        if self._closed:
            return
        with self._starting:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="keeper", daemon=True)
                self._writer.start()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait((address, frames))

    def close(self) -> None:
        """Write what waits, and end."""
        self._closed = True
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(queue.Full):  # then it is closed as it is: the thread ends with the program
                self._waiting.put_nowait(None)
                writer.join(timeout=5.0)

    def _path(self, address: FrameAddress) -> Path:
        name = address.digest.hex()
        return self.folder / name[:2] / f"{name[2:]}{SUFFIX}"

    def _tell(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._on_trouble(sentence)

    # -- the writer's thread -------------------------------------------------------------------------------------

    def _write_all(self) -> None:
        lower_own_priority(WRITER_NICENESS)
        while (item := self._waiting.get()) is not None:
            try:
                self._keep(*item)
            except OSError as error:
                self._tell(_trouble(self.folder, error))
                self._closed = True
                return

    def _keep(self, address: FrameAddress, frames: SpectralFrames) -> None:
        data = _packed(address, frames)
        path = self._path(address)
        if self._total is None:
            self._total = size_of(self.folder).total_bytes
        if self._total + len(data) > self._limit:
            self._total = make_room(self.folder, int(_LOW_WATER * self._limit) - len(data))
        if self._total + len(data) > self._limit or path.exists():
            return
        write_whole(path, data)
        self._total += len(data)


def size_of(folder: Path) -> StoreSize:
    """What a store's folder holds; nothing where there is no such folder."""
    sizes = [size for _, size, _ in _files(folder)]
    return StoreSize(len(sizes), sum(sizes))


def make_room(folder: Path, limit_bytes: int) -> int:
    """Delete the files that were not read for longest until ``limit_bytes`` are left; how many are left."""
    files = sorted(_files(folder))
    total = sum(size for _, size, _ in files)
    for _, size, path in files:
        if total <= limit_bytes:
            break
        with contextlib.suppress(OSError):  # another instrument may have been quicker
            path.unlink()
        total -= size
    return total


def write_whole(path: Path, data: bytes) -> None:
    """Have ``data`` at ``path``, wholly or not at all.

    Raises:
        OSError: from the system; nothing of the attempt is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """(last use, size, path) of every file, left-overs of a crash among them."""
    found = []
    for path in folder.glob("??/*"):
        if path.suffix in (SUFFIX, ".part"):
            with contextlib.suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
    return found


def _trouble(folder: Path, error: OSError) -> str:
    why = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk is full",
        errno.EROFS: "it is read-only",
        errno.EACCES: "it may not be written to",
    }.get(error.errno or 0, error.strerror or str(error))
    return f"Notes cannot be kept in {folder} ({why}), so presets start cold next time; playing goes on."


def _packed(address: FrameAddress, frames: SpectralFrames) -> bytes:
    """A file's bytes; the frames of one note, ``[1, frames, bins]``, are kept as float16, as a note keeps them."""
    _, count, bins = frames.log_mel.shape
    arrays = b"".join(np.ascontiguousarray(x, "<f2").tobytes() for x in (frames.log_mel, frames.inst_freq))
    return _HEADER.pack(_MAGIC, address.digest, _checksum(arrays, count, bins), count, bins) + arrays


def _unpacked(data: bytes, address: FrameAddress) -> SpectralFrames:
    """The frames in a file's bytes.

    Raises:
        ValueError, struct.error: the file is not what its name says.
    """
    magic, digest, checksum, count, bins = _HEADER.unpack_from(data)
    arrays = data[_HEADER.size :]
    if magic != _MAGIC or digest != address.digest or count != address.stop - address.start:
        raise ValueError("another file")
    if len(arrays) != 4 * count * bins or checksum != _checksum(arrays, count, bins):
        raise ValueError("damaged")
    both = np.frombuffer(arrays, "<f2").reshape(2, 1, count, bins).astype(np.float32)
    if not np.isfinite(both).all():
        raise ValueError("not finite")
    return SpectralFrames(_owned(both[0]), _owned(both[1]))


def _checksum(arrays: bytes, count: int, bins: int) -> bytes:
    return hashlib.blake2b(struct.pack("<II", count, bins) + arrays, digest_size=32).digest()


def _owned(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array)
