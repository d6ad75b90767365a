import threading

import pytest

from service.executor import start_threads


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("images")]


def test_all_threads_are_there_before_the_first_job() -> None:
    with start_threads(3):
        assert len(names()) == 3
    assert names() == []


def test_a_system_without_threads_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def start_two(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        start_threads(3)
    for thread in started:  # they do not wait for the third
        thread.join()
