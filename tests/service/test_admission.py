import math

import pytest

from service.admission import Admission
from service.errors import Overloaded


def test_places_are_taken_and_given_back() -> None:
    admission = Admission(2)

    with admission, admission:
        assert admission.in_flight == 2
        with pytest.raises(Overloaded, match="All 2 places"), admission:
            pytest.fail("there was no place")
    assert admission.in_flight == 0


def test_who_is_refused_is_told_when_to_come_back() -> None:
    with pytest.raises(Overloaded) as refusal, Admission(0):
        pass

    assert refusal.value.retry_after_s == 1


def test_a_place_is_given_back_after_an_error() -> None:
    admission = Admission(1)

    with pytest.raises(ValueError, match="a bug"), admission:
        raise ValueError("a bug")

    assert admission.in_flight == 0


def test_draining_refuses_nobody() -> None:
    admission = Admission(1)
    admission.drain()

    with admission:
        assert admission.in_flight == 1


class Door:
    """An admission without places, and its clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.admission = Admission(0, clock=lambda: self.now)

    def refuse(self, *after_s: float) -> None:
        for seconds in after_s:
            self.now += seconds
            with pytest.raises(Overloaded), self.admission:
                pytest.fail("there was no place")


def test_a_flood_lasts_while_others_are_refused_again_and_again() -> None:
    door = Door()
    assert door.admission.flood_s(since=0) == -math.inf
    door.refuse(0, 0.09, 0.9, 0.01)

    assert door.admission.flooded
    assert door.admission.flood_s(since=0) == pytest.approx(1.0)
    assert door.admission.flood_s(since=100.9) == pytest.approx(0.1)


def test_when_it_is_over_it_is_known_how_long_it_was() -> None:
    door = Door()
    door.refuse(0, 0.09, 0.09)
    door.now += 0.2

    assert not door.admission.flooded
    assert door.admission.flood_s(since=0) == pytest.approx(0.18)
    assert door.admission.flood_s(since=door.now) < 0


def test_a_refusal_after_a_calm_begins_another_flood() -> None:
    door = Door()
    door.refuse(0, 0.05, 5)

    assert door.admission.flooded
    assert door.admission.flood_s(since=0) == 0
