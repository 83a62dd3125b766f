"""What is told of a run on its way."""

import io
import json
import time

import pytest

from jsdiv_numba.batch.run.progress import Lines, under_way


def lines_of(as_json, work, total=100, done=20):
    """Return the lines that are written while `work` is done, of which the first is late."""
    stream = io.StringIO()
    lines = Lines(stream, as_json=as_json, seconds=0.05)
    with under_way(lines, total, done, "pairs"):
        while not stream.getvalue().endswith("left\n") and "progress" not in stream.getvalue():
            time.sleep(0.01)
        work(lines)
        before = len(stream.getvalue())
        # The first of these may have been on its way.
        while stream.getvalue()[before:].count("\n") < 2:
            time.sleep(0.01)
    written = stream.getvalue()
    time.sleep(0.1)
    assert stream.getvalue() == written
    return written.splitlines()


def test_lines_come_by_the_clock_though_no_tile_is_finished():
    lines = lines_of(False, lambda lines: lines.advance(30))
    assert lines[0] == "20.0 % of 100 pairs, 0 a second, unknown time left"
    assert lines[-1].startswith("50.0 % of 100 pairs, ")
    assert lines[-1].endswith(" s left")


def test_lines_for_machines():
    events = [json.loads(line) for line in lines_of(True, lambda lines: lines.advance(30))]
    kinds = [event["event"] for event in events]
    assert kinds == ["start", *["progress"] * (len(events) - 2), "stop"]
    assert (events[0]["total"], events[0]["done"], events[0]["unit"]) == (100, 20, "pairs")
    assert events[1]["seconds_left"] is None
    assert (events[-2]["done"], events[-1]["done"]) == (50, 50)
    assert events[-2]["seconds_left"] > 0


def test_the_clock_stops_with_a_run_that_fails():
    lines = Lines(io.StringIO(), seconds=0.01)
    with pytest.raises(ZeroDivisionError), under_way(lines, 1, 0, "pairs"):
        raise ZeroDivisionError
    assert not lines.clock.is_alive()


def test_a_stream_that_is_gone_does_not_stop_the_work():
    class Gone(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    lines = Lines(Gone(), as_json=True, seconds=0.01)
    lines.start(10, 0, "pairs")
    lines.advance(10)
    lines.tell()
    lines.stop()
    assert lines.done == 10
