"""Memory for blocks, which is kept from one call to the next."""

from threading import Thread

import numpy as np

from jsdiv_numba import js_divergence
from jsdiv_numba._core import rooms
from jsdiv_numba._core.rooms import Room, Rooms
from jsdiv_numba._kernels.load import built


def taken(room, size):
    (result,) = room.taken(built("entropy_term", ("float64",)), [np.arange(size)])
    return result


def test_the_next_call_has_the_memory_of_the_last():
    with Room() as room:
        first = taken(room, 1000)
    with Room() as room:
        second = taken(room, 500)
        assert np.shares_memory(first, second)
        np.testing.assert_array_equal(second, np.arange(500.0))


def test_of_two_at_work_each_has_its_own():
    with Room() as one, Room() as other:
        first, second = taken(one, 100), taken(other, 100)
        assert not np.shares_memory(first, second)


def test_little_memory_is_kept(monkeypatch):
    monkeypatch.setattr(rooms, "_idle", [])
    with Room() as room:
        taken(room, rooms.IDLE_BYTES // 8 + 1)
    assert not rooms._idle
    with Rooms() as free:
        for _ in range(rooms.MOST_IDLE + 3):
            room = Room()
            taken(room, 10)
            free._free.append(room)
    assert len(rooms._idle) == rooms.MOST_IDLE


def test_threads_do_not_write_to_each_other_s_memory():
    rng = np.random.default_rng(0)
    pairs = [tuple(rng.integers(1, 9, (2, 300, 200))) for _ in range(4)]
    expected = [js_divergence(*(x.astype(float) for x in pair), workers=1) for pair in pairs]
    wrong = []

    def compare(pair, right):
        for _ in range(20):
            if not np.array_equal(js_divergence(*pair, workers=1), right):
                wrong.append(pair)

    threads = [Thread(target=compare, args=both) for both in zip(pairs, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
