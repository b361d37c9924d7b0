"""Writes TensorFlow V2 checkpoints and tf.js weights for tests, with its own bit-by-bit CRC.

Written from the formats' descriptions, not from the reader; the reader is also held against a genuine checkpoint.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.magenta_bundle import masked_crc32c

DTYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9}


def slow_masked_crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def write_bundle(folder: Path, tensors: Mapping[str, NDArray[Any]], step: int = 11_000_000, block_entries: int = 7,
                 kind: int = 0) -> Path:  # fmt: skip
    """Write ``model.ckpt-<step>`` and ``checkpoint`` into a folder; returns the index's path."""
    folder.mkdir(parents=True, exist_ok=True)
    prefix = f"model.ckpt-{step}"
    everything = dict(tensors) | {"global_step": np.asarray(step, np.int64)}
    entries: list[tuple[bytes, bytes]] = [(b"", _field(1, 1) + _field(3, _field(1, 1)))]
    data = bytearray()
    for name in sorted(everything):
        raw = everything[name].tobytes()
        shape = b"".join(_field(2, _field(1, size)) for size in everything[name].shape)
        entry = _field(1, DTYPES[str(everything[name].dtype)]) + _field(2, shape)
        entry += _field(4, len(data)) + _field(5, len(raw)) + _fixed32(6, masked_crc32c(raw))
        entries.append((name.encode(), entry))
        data += raw
    (folder / f"{prefix}.data-00000-of-00001").write_bytes(bytes(data))
    (folder / f"{prefix}.index").write_bytes(_table(entries, block_entries, kind))
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "/somewhere/else/{prefix}"\n')
    return folder / f"{prefix}.index"


def write_tfjs(folder: Path, tensors: Mapping[str, NDArray[np.float32]], quantise: str = "",
               shard_bytes: int = 1 << 22) -> Path:  # fmt: skip
    """Write ``weights_manifest.json`` and its shards; every second tensor quantised if asked. Returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    weights, data = [], bytearray()
    for i, (name, tensor) in enumerate(tensors.items()):
        entry: dict[str, Any] = {"name": name, "shape": list(tensor.shape), "dtype": "float32"}
        if quantise and i % 2:
            top = {"uint8": 255, "uint16": 65535}[quantise]
            low = float(tensor.min())
            scale = (float(tensor.max()) - low) / top or 1.0
            data += np.round((tensor - low) / scale).astype(quantise).tobytes()
            entry["quantization"] = {"dtype": quantise, "scale": scale, "min": low}
        else:
            data += tensor.astype("<f4").tobytes()
        weights.append(entry)
    pieces = [bytes(data[i : i + shard_bytes]) for i in range(0, len(data), shard_bytes)]
    paths = [f"group1-shard{k + 1}of{len(pieces)}" for k in range(len(pieces))]
    for path, piece in zip(paths, pieces, strict=True):
        (folder / path).write_bytes(piece)
    manifest = folder / "weights_manifest.json"
    manifest.write_text(json.dumps([{"paths": paths, "weights": weights}]))
    return manifest


def _table(entries: list[tuple[bytes, bytes]], block_entries: int, kind: int) -> bytes:
    table, handles = bytearray(), []
    for i in range(0, len(entries), block_entries):
        part = entries[i : i + block_entries]
        handles.append((part[-1][0] + b"~", _append(table, _block(part), kind)))
    meta = _append(table, _block([]), 0)
    index = _append(table, _block(handles), 0)
    footer = meta + index
    return bytes(table + footer + b"\0" * (40 - len(footer)) + struct.pack("<Q", 0xDB4775248B80FB57))


def _append(table: bytearray, block: bytes, kind: int) -> bytes:
    handle = _varint(len(table)) + _varint(len(block))
    body = block + bytes([kind])
    table += body + struct.pack("<I", slow_masked_crc32c(body))
    return handle


def _block(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Keys share what they have in common with the last one; every third begins anew."""
    out, restarts, last = bytearray(), [0], b""
    for i, (key, value) in enumerate(entries):
        shared = 0
        if i % 3:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        elif i:
            restarts.append(len(out))
        out += _varint(shared) + _varint(len(key) - shared) + _varint(len(value)) + key[shared:] + value
        last = key
    return bytes(out) + struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", len(restarts))


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    return _varint(number << 3) + _varint(value)


def _fixed32(number: int, value: int) -> bytes:
    return _varint(number << 3 | 5) + struct.pack("<I", value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
