"""Work beside the cell, and how far it is."""

from __future__ import annotations

import contextvars
import itertools
import threading
import time

import pytest

from songbird_widgets.basics import duration_text, one_line, one_line_path, size_text, time_text
from songbird_widgets.session.executor import SerialExecutor, Throttle, tick_until_done
from songbird_widgets.session.upload import ProgressTracker

variable = contextvars.ContextVar("variable")


def test_jobs_follow_one_another_in_the_context_of_who_asked():
    lane, seen = SerialExecutor("test"), []
    futures = []
    for n in range(5):
        variable.set(n)
        futures.append(lane.submit(lambda: seen.append((variable.get(), threading.current_thread().name))))
    for future in futures:
        future.result(60)
    assert seen == [(n, "test") for n in range(5)]


def test_a_failing_job_keeps_none_from_going_on():
    lane = SerialExecutor("test")
    bad, good = lane.submit(lambda: 1 / 0), lane.submit(lambda: "good")
    with pytest.raises(ZeroDivisionError):
        bad.result(60)
    assert good.result(60) == "good"


def test_its_thread_ends_when_there_is_nothing_to_do():
    lane = SerialExecutor("test-ends")
    lane.submit(lambda: None).result(60)
    for thread in threading.enumerate():
        if thread.name == "test-ends":
            thread.join(60)
            assert not thread.is_alive()
    assert lane.submit(lambda: 7).result(60) == 7


def test_waiting_jobs_can_be_dropped():
    lane, gate, begun = SerialExecutor("test"), threading.Event(), threading.Event()
    first = lane.submit(lambda: begun.set() or gate.wait(120))
    second = lane.submit(lambda: pytest.fail("dropped"))
    assert begun.wait(60)
    lane.clear()
    gate.set()
    assert first.result(60)
    assert second.cancelled()


def test_ticks_come_on_the_callers_thread_until_the_work_is_done():
    ticks, gate = [], threading.Event()

    def tick():
        ticks.append(threading.current_thread())
        gate.set()

    tick_until_done(SerialExecutor("test").submit(lambda: gate.wait(120)), tick)
    assert set(ticks) == {threading.current_thread()}


def test_what_is_throttled_comes_at_once_and_a_last_time_later(eventually):
    seen, pause = [], 0.1
    throttled = Throttle(lambda: seen.append(throttled._last), "test-throttle", pause)
    throttled()
    assert len(seen) == 1
    for _ in range(1000):
        asked = time.monotonic()
        throttled()
    eventually(lambda: seen[-1] >= asked)
    assert all(later - earlier >= 0.9 * pause for earlier, later in itertools.pairwise(seen))
    throttled()
    throttled.stop()
    count = len(seen)
    for thread in threading.enumerate():
        if thread.name == "test-throttle":
            thread.join()
    assert len(seen) == count


def test_progress_is_told_in_numbers_and_words():
    now = [100.0]
    tracker = ProgressTracker({"a": 1_000_000, "b": 3_000_000}, clock=lambda: now[0])
    assert tracker.progress().text == "0 of 2 uploaded: 0 bytes of 4.0 MB"
    tracker.note("a", "sending", 500_000)
    now[0] = 101.0
    status = tracker.progress()
    assert (status.bytes_sent, status.rate, status.remaining) == (500_000, 500_000.0, 7.0)
    assert status.text == "0 of 2 uploaded: 500 kB of 4.0 MB, 500 kB/s, 7.0 s left"
    tracker.note("a", "uploaded", 1_000_000)
    tracker.note("b", "failed", 9_000_000)
    now[0] = 102.0
    done = tracker.progress()
    assert (done.done, done.failed, done.remaining) == (1, 1, None)
    assert done.text == "1 of 2 uploaded, 1 failed: 1.0 MB in 2.0 s"


def test_a_cancelled_upload_says_so():
    tracker = ProgressTracker({"a": 10, "b": 10}, clock=lambda: 0.0)
    tracker.note("a", "uploaded", 10)
    tracker.note("b", "cancelled", 3)
    assert tracker.progress().text.startswith("1 of 2 uploaded, 1 cancelled: 10 bytes in")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (61, "1 min 1 s"), (7322, "2 h 2 min")],
)
def test_durations(seconds, words):
    assert duration_text(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (151_177, "151 kB"), (2_500_000, "2.5 MB"), (5e12, "5000.0 GB")],
)
def test_sizes(size, words):
    assert size_text(size) == words


@pytest.mark.parametrize(
    ("timestamp", "words"),
    [
        (1373241600000, "2013-07-08"),
        (1373241601000, "2013-07-08T00:00:01Z"),
        (1373241600007, "2013-07-08T00:00:00.007Z"),
        (0, "1970-01-01"),
        (-86_400_000, "1969-12-31"),
        (-62_135_596_800_000, "0001-01-01"),
        (-62_135_596_799_000, "0001-01-01T00:00:01Z"),
        (10**17, f"{10**17} ms"),
    ],
)
def test_times(timestamp, words):
    assert time_text(timestamp) == words


def test_shown_text_is_one_short_line():
    assert one_line("a\x00b\u202ec\nd") == "a\ufffdb\ufffdc\ufffdd"
    assert len(one_line("x" * 10_000_000)) == 80
    assert one_line_path("a/\x00") == "a/\ufffd"
    # Where nothing can be seen, two names must be told apart all the same.
    assert [one_line(text) for text in ("\u200b\x07", "\u200b\x08", "\u3164", "")] == [
        "\\u200b\\x07",
        "\\u200b\\x08",
        "\\u3164",
        "",
    ]
    assert len(one_line("\u200b" * 10_000_000)) == 80
    assert one_line_path("d" * 10_000_000 + "/a.bin") == "…" + "d" * 73 + "/a.bin"
