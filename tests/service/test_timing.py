import pytest

from service.timing import Interval, Timing


def test_a_step_that_was_not_needed_is_none() -> None:
    timing = Timing(decode=1, detect=0, queue=0, inference=2, total=3)

    assert timing.stages() == {"decode": 1, "inference": 2}
    assert [interval.stage for interval in timing.intervals()] == ["decode", "inference"]


def test_the_steps_follow_each_other() -> None:
    timing = Timing(
        decode=1, detect=2, queue=3.5, inference=4, total=11.5, draw=1, arrived=10, started=10.5
    )

    assert list(timing.intervals()) == [
        Interval("queue", 10, 10.5),  # for a thread
        Interval("decode", 10.5, 11.5),
        Interval("detect", 11.5, 13.5),
        Interval("queue", 13.5, 16.5),  # for a batch
        Interval("inference", 16.5, 20.5),
        Interval("draw", 20.5, 21.5),
    ]


def test_both_waits_together_are_the_queue() -> None:
    timing = Timing(1, 2, queue=0.3, inference=4, total=8, arrived=1e6, started=1e6 + 0.1)

    waits = [end - begin for stage, begin, end in timing.intervals() if stage == "queue"]

    assert len(waits) == 2
    assert sum(waits) == pytest.approx(timing.queue)


def test_rounding_makes_no_step() -> None:
    arrived, started = 12345.678901, 12345.679234

    timing = Timing(1, 2, queue=started - arrived, inference=0, total=4, arrived=arrived)
    timing = Timing(1, 2, timing.queue + 1e-17, 0, 4, arrived=arrived, started=started)

    assert [interval.stage for interval in timing.intervals()] == ["queue", "decode", "detect"]
