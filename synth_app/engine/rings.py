"""Single-producer single-consumer rings of records in shared memory, without locks.

``indices[HEAD]`` counts records ever taken and belongs to the consumer, ``indices[TAIL]`` counts records ever put and
belongs to the producer. Each is published with a release store and read with an acquire load, so the records behind
them are visible in order. The two live on cache lines of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synth_app.core.shared import read_shared, write_shared

HEAD, TAIL = 0, 16
INDEX_WORDS = 32


class Ring:
    """A ring of records with one producer and one consumer; the Python side of either end.

    Attributes:
        records: structured array ``[capacity]``; capacity is a power of two.
        indices: int64 ``[INDEX_WORDS]``.
    """

    def __init__(self, dtype: np.dtype[Any], capacity: int) -> None:
        if capacity & (capacity - 1):
            raise ValueError("a ring's capacity is a power of two")
        self.records = np.zeros(capacity, dtype)
        self.indices = np.zeros(INDEX_WORDS, np.int64)
        self._tail = 0  # put but not yet published
        self._head = 0

    def free(self) -> int:
        """Records that may be put now (producer)."""
        return len(self.records) - (self._tail - read_shared(self.indices, HEAD))

    def put(self, record: tuple[Any, ...]) -> bool:
        """Write one record without publishing it; False when the ring is full (producer)."""
        if self.free() < 1:
            return False
        self.records[self._tail & (len(self.records) - 1)] = record
        self._tail += 1
        return True

    def commit(self) -> None:
        """Publish every record put so far, all at once (producer)."""
        write_shared(self.indices, TAIL, self._tail)

    def take_all(self) -> list[Any]:
        """Copies of every published record as tuples, in order (consumer)."""
        tail = read_shared(self.indices, TAIL)
        mask = len(self.records) - 1
        taken = [self.records[i & mask].item() for i in range(self._head, tail)]
        if taken:
            self._head = tail
            write_shared(self.indices, HEAD, tail)
        return taken
