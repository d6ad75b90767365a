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


def test_it_knows_when_it_last_refused_somebody() -> None:
    times = iter([3.0, 5.0])
    admission = Admission(1, clock=lambda: next(times))

    with admission:
        assert admission.refused_at == -math.inf
        for _ in range(2):
            with pytest.raises(Overloaded), admission:
                pass

    assert admission.refused_at == 5.0
