"""Reads TensorFlow's V2 checkpoints ("tensor bundles") without TensorFlow.

``<prefix>.index`` is a LevelDB-style table: prefix-compressed entries in blocks, an index block over them, and a
footer with a magic number. Key "" holds the header (number of shards), every other key is a tensor's name and holds its
type, shape, shard, offset, size and checksum. ``<prefix>.data-NNNNN-of-NNNNN`` are the values, raw, little-endian.
Every block and every tensor carries a masked CRC-32C, and every one is checked.

The formats: TensorFlow's ``tensor_bundle.proto`` and LevelDB's ``table_format.md``; none of their code is here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from synth_app.core.errors import CheckpointError

_FOOTER_BYTES, _TRAILER_BYTES = 48, 5
_MAGIC = 0xDB4775248B80FB57
_DTYPES: dict[int, Any] = {1: np.dtype("<f4"), 2: np.dtype("<f8"), 3: np.dtype("<i4"), 9: np.dtype("<i8")}
_MASK_DELTA = 0xA282EAD8

ReadRange = Callable[[int, int, int, int], bytes]
"""(shard, shards, offset, size) -> bytes; raises ``CheckpointError`` when the shard is missing or too short."""


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """Where a tensor lies."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int


class Bundle:
    """A checkpoint: names and shapes from the index, values on demand.

    Args:
        index: the bytes of the ``.index`` file.
        read_range: gives bytes of a shard.

    Raises:
        CheckpointError: the index is damaged, cut off, compressed, or no checkpoint.
    """

    def __init__(self, index: bytes, read_range: ReadRange) -> None:
        self._read_range = read_range
        self.shards = 0
        self.entries: dict[str, BundleEntry] = {}
        try:
            for key, value in _table_entries(index):
                if key == b"":
                    self._read_header(value)
                else:
                    self.entries[key.decode("utf-8")] = _entry(value)
        except CheckpointError:
            raise
        except (IndexError, ValueError, struct.error) as error:
            raise CheckpointError("The checkpoint's index is damaged; copy or download it again.") from error
        if not self.shards:
            raise CheckpointError("The checkpoint's index has no header, so it is damaged; copy or download it again.")

    def tensor(self, name: str) -> NDArray[Any]:
        """Read one tensor and check its checksum.

        Raises:
            CheckpointError: it is not there, of a type not known here, cut off, or damaged.
        """
        if name not in self.entries:
            raise CheckpointError(f"The checkpoint has no tensor {name}, so it is not GANSynth's generator.")
        entry = self.entries[name]
        dtype = _DTYPES.get(entry.dtype)
        if dtype is None:
            raise CheckpointError(f"The tensor {name} is of TensorFlow's type {entry.dtype}, which is not read here.")
        if math.prod(entry.shape) * dtype.itemsize != entry.size or entry.shard >= self.shards:
            raise CheckpointError(f"The checkpoint's index contradicts itself about {name}; copy or download it again.")
        data = self._read_range(entry.shard, self.shards, entry.offset, entry.size)
        if len(data) != entry.size:
            raise CheckpointError(f"The checkpoint's data end before {name} does; copy or download it again.")
        if masked_crc32c(data) != entry.crc:
            raise CheckpointError(f"The checkpoint's data are damaged in {name}; copy or download it again.")
        return np.frombuffer(data, dtype).reshape(entry.shape)

    def _read_header(self, value: bytes) -> None:
        fields = dict(_message(value))
        if fields.get(2, 0) != 0:
            raise CheckpointError("The checkpoint is big-endian, which is not read here.")
        self.shards = int(fields.get(1, 0))


def masked_crc32c(data: bytes) -> int:
    """CRC-32C, rotated and offset as LevelDB and TensorFlow store it."""
    crc = int(_crc32c(np.frombuffer(data, np.uint8), crc_table()))
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def crc_table() -> NDArray[np.uint32]:
    """The 256 steps of CRC-32C (Castagnoli, reflected polynomial 0x82F63B78)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ np.where(table & 1, np.uint32(0x82F63B78), np.uint32(0))
    return table


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def _crc32c(data: NDArray[np.uint8], table: NDArray[np.uint32]) -> np.uint32:
    crc = np.uint32(0xFFFFFFFF)
    for byte in data:
        crc = table[np.uint8(crc) ^ byte] ^ (crc >> np.uint32(8))
    return crc ^ np.uint32(0xFFFFFFFF)


def _table_entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(table) < _FOOTER_BYTES or struct.unpack("<Q", table[-8:])[0] != _MAGIC:
        raise CheckpointError(
            "The checkpoint's index is cut off or is no TensorFlow V2 checkpoint; copy or download it again."
        )
    footer = table[-_FOOTER_BYTES:]
    place = 0
    handle = [0, 0, 0, 0]  # metaindex offset and size, index offset and size
    for i in range(4):
        handle[i], place = _varint(footer, place)
    for _, value in _block_entries(_block(table, handle[2], handle[3])):
        offset, place = _varint(value, 0)
        size, _ = _varint(value, place)
        yield from _block_entries(_block(table, offset, size))


def _block(table: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + _TRAILER_BYTES > len(table):
        raise ValueError("a block beyond the end")
    kind = table[end]
    (crc,) = struct.unpack("<I", table[end + 1 : end + 5])
    if masked_crc32c(table[offset : end + 1]) != crc:
        raise CheckpointError("The checkpoint's index is damaged (a checksum is wrong); copy or download it again.")
    if kind != 0:
        raise CheckpointError(
            "The checkpoint's index is compressed, which is not read here; save it again without compression."
        )
    return table[offset:end]


def _block_entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise ValueError("more restarts than bytes")
    place, key = 0, b""
    while place < end:
        shared, place = _varint(block, place)
        added, place = _varint(block, place)
        size, place = _varint(block, place)
        if shared > len(key) or place + added + size > end:
            raise ValueError("an entry beyond its block")
        key = key[:shared] + block[place : place + added]
        place += added
        yield key, block[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number without end")


def _message(data: bytes) -> Iterator[tuple[int, Any]]:
    """Fields of a protocol buffer: ints for varints and fixed32, bytes for the rest."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == 0:
            value, place = _varint(data, place)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, place = _varint(data, place)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError("an unknown kind of field")
        if place + size > len(data):
            raise ValueError("a field beyond its message")
        raw = data[place : place + size]
        yield tag >> 3, raw if kind == 2 else int.from_bytes(raw, "little")
        place += size


def _entry(value: bytes) -> BundleEntry:
    numbers = {1: 0, 3: 0, 4: 0, 5: 0, 6: 0}
    shape: tuple[int, ...] = ()
    for field, content in _message(value):
        if field == 2:
            shape = tuple(_dimension(part) for number, part in _message(content) if number == 2)
        elif field == 7:
            raise CheckpointError("The checkpoint keeps tensors in slices, which is not read here; save them whole.")
        elif field in numbers:
            numbers[field] = int(content)
    return BundleEntry(numbers[1], shape, numbers[3], numbers[4], numbers[5], numbers[6])


def _dimension(message: bytes) -> int:
    size = int(dict(_message(message)).get(1, 0))
    if not 0 <= size < 1 << 31:
        raise ValueError("an impossible dimension")
    return size
