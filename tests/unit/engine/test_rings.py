"""Rings between two threads: nothing lost, nothing twice, nothing out of order, nothing half seen."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numba import njit

from synth_app.core.shared import load_acquire, read_shared, store_release, write_shared
from synth_app.engine.rings import HEAD, INDEX_WORDS, TAIL, Ring

PAIR = np.dtype([("number", "i8"), ("square", "i8")])
MANY = 1_000_000


@pytest.fixture
def ring() -> Ring:
    return Ring(PAIR, 8)


def test_records_come_out_in_the_order_they_went_in(ring: Ring):
    for i in range(5):
        assert ring.put((i, i * i))
    ring.commit()
    assert ring.take_all() == [(i, i * i) for i in range(5)]
    assert ring.take_all() == []


def test_nothing_is_seen_before_the_batch_is_committed(ring: Ring):
    ring.put((1, 1))
    ring.put((2, 4))
    assert ring.take_all() == []
    ring.commit()
    assert ring.take_all() == [(1, 1), (2, 4)]


def test_it_wraps_for_ever(ring: Ring):
    expected = 0
    for batch in range(1000):
        for i in range(batch % 8 + 1):
            assert ring.put((batch * 10 + i, 0))
        ring.commit()
        taken = ring.take_all()
        assert [number for number, _ in taken] == [batch * 10 + i for i in range(batch % 8 + 1)]
        expected += len(taken)
    assert read_shared(ring.indices, TAIL) == read_shared(ring.indices, HEAD) == expected


def test_a_full_ring_refuses_and_keeps_what_it_has(ring: Ring):
    assert ring.free() == 8
    for i in range(8):
        assert ring.put((i, 0))
    assert ring.free() == 0
    assert not ring.put((99, 0))
    ring.commit()
    assert [number for number, _ in ring.take_all()] == list(range(8))
    assert ring.free() == 8
    assert ring.put((8, 0))
    ring.commit()
    assert ring.take_all() == [(8, 0)]


def test_uncommitted_records_count_as_taken_room(ring: Ring):
    for i in range(8):
        ring.put((i, 0))
    assert not ring.put((8, 0)), "or it would write over what the consumer may be reading"


@pytest.mark.parametrize("capacity", [3, 6, 100])
def test_a_capacity_that_is_no_power_of_two_is_refused(capacity: int):
    with pytest.raises(ValueError, match="power of two"):
        Ring(PAIR, capacity)


def test_the_two_indices_are_on_cache_lines_of_their_own():
    assert abs(HEAD - TAIL) * 8 >= 128
    assert max(HEAD, TAIL) < INDEX_WORDS


@njit(nogil=True)
def _consume(records, indices, count):
    """Take ``count`` records as the mixer does; how many were out of order or half written."""
    head = indices[HEAD]
    wrong = 0
    expected = 0
    while expected < count:
        tail = load_acquire(indices, TAIL)
        while head < tail:
            record = records[head & (len(records) - 1)]
            if record.number != expected or record.square != expected * expected:
                wrong += 1
            expected += 1
            head += 1
        store_release(indices, HEAD, head)
    return wrong


@njit(nogil=True)
def _produce(records, indices, count):
    """Put ``count`` records as the mixer does."""
    tail = indices[TAIL]
    sent = 0
    while sent < count:
        if tail - load_acquire(indices, HEAD) < len(records):
            record = records[tail & (len(records) - 1)]
            record.number = sent
            record.square = sent * sent
            tail += 1
            store_release(indices, TAIL, tail)
            sent += 1


def test_a_million_records_between_two_compiled_threads():
    ring = Ring(PAIR, 1024)
    _produce(ring.records, ring.indices, 0)
    producer = threading.Thread(target=_produce, args=(ring.records, ring.indices, MANY))
    producer.start()
    wrong = _consume(ring.records, ring.indices, MANY)
    producer.join()
    assert wrong == 0


def test_a_million_records_from_python_to_a_compiled_thread():
    ring = Ring(PAIR, 4096)
    wrong: list[int] = []
    _consume(ring.records, ring.indices, 0)
    consumer = threading.Thread(target=lambda: wrong.append(_consume(ring.records, ring.indices, MANY)))
    consumer.start()
    sent = 0
    while sent < MANY:
        while sent < MANY and ring.put((sent, sent * sent)):
            sent += 1
        ring.commit()
    consumer.join()
    assert wrong == [0]


def test_a_million_records_from_a_compiled_thread_to_python():
    ring = Ring(PAIR, 4096)
    _produce(ring.records, ring.indices, 0)
    producer = threading.Thread(target=_produce, args=(ring.records, ring.indices, MANY))
    producer.start()
    expected = 0
    while expected < MANY:
        for number, square in ring.take_all():
            assert (number, square) == (expected, expected * expected)
            expected += 1
    producer.join()
    assert ring.take_all() == []


def test_shared_integers_hold_any_64_bits():
    cells = np.zeros(3, np.int64)
    for value in (0, -1, 2**62, -(2**63), 2**63 - 1):
        write_shared(cells, 1, value)
        assert read_shared(cells, 1) == value
    assert cells[0] == cells[2] == 0


def test_what_was_written_before_a_publication_is_there_after_it():
    """One thread fills an array and publishes a number; whoever sees the number sees the array."""
    data, published = np.zeros(64, np.int64), np.zeros(1, np.int64)

    @njit(nogil=True)
    def write(data, published, rounds):
        for turn in range(1, rounds + 1):
            while load_acquire(published, 0) != 0:
                pass
            for i in range(len(data)):
                data[i] = turn
            store_release(published, 0, turn)

    @njit(nogil=True)
    def read(data, published, rounds):
        wrong = 0
        for turn in range(1, rounds + 1):
            while load_acquire(published, 0) != turn:
                pass
            for i in range(len(data)):
                wrong += data[i] != turn
            store_release(published, 0, 0)
        return wrong

    write(data, published, 0)
    read(data, published, 0)
    # Each waits for the other, and two threads on one processor would wait a time slice every turn.
    rounds = 300
    writer = threading.Thread(target=write, args=(data, published, rounds))
    writer.start()
    assert read(data, published, rounds) == 0
    writer.join()
