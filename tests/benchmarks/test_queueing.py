"""The simulation against what queueing theory has formulas for, and against counting by hand.

Sources of the formulas: Erlang (1917) for B and C; Pollaczek (1930) and Khinchine (1932).
"""

import math

import numpy as np
import pytest

from benchmarks.queueing import MOST_REFUSED, Seconds, most_per_s, simulate

REQUESTS = 200_000


def poisson(per_s: float) -> Seconds:
    return np.random.default_rng(1).exponential(1 / per_s, REQUESTS).cumsum()


def exponential(mean: float) -> Seconds:
    return np.random.default_rng(2).exponential(mean, REQUESTS)


def alone(count: int = REQUESTS) -> list[int]:
    return [0] * count


def erlang_b(load: float, cpus: int) -> float:
    """The share of requests that find every CPU taken, if there is no place to wait."""
    terms = [load**count / math.factorial(count) for count in range(cpus + 1)]
    return terms[-1] / sum(terms)


def erlang_c(load: float, cpus: int) -> float:
    """The share of requests that wait, if there is always a place."""
    blocked = erlang_b(load, cpus)
    return blocked / (1 - load / cpus * (1 - blocked))


def test_each_step_of_a_queue_counted_by_hand() -> None:
    arrivals = np.array([0.0, 1.0, 2.0, 2.5, 9.0])
    services = np.array([3.0, 2.0, 1.0, 1.0, 1.0])

    taken = simulate(arrivals, services, alone(5), cpus=1, places=3)

    # 0-3, 3-5, 5-6; all three places are taken at 2.5; nobody is there at 9.
    assert taken.tolist() == [3.0, 4.0, 4.0, math.inf, 1.0]


def test_a_replica_has_its_own_cpus_and_places() -> None:
    arrivals = np.zeros(4)
    services = np.array([1.0, 2.0, 3.0, 4.0])

    taken = simulate(arrivals, services, [0, 1, 0, 1], cpus=1, places=2)
    together = simulate(arrivals, services, alone(4), cpus=2, places=4)

    assert taken.tolist() == [1.0, 2.0, 4.0, 6.0]
    assert together.tolist() == [1.0, 2.0, 4.0, 6.0]


def test_who_is_answered_gives_the_place_back_at_once() -> None:
    taken = simulate(np.array([0.0, 1.0]), np.ones(2), alone(2), cpus=1, places=1)

    assert taken.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_the_share_refused_is_erlangs(cpus: int) -> None:
    taken = simulate(poisson(0.8 * cpus), exponential(1.0), alone(), cpus=cpus, places=cpus)

    assert np.mean(np.isinf(taken)) == pytest.approx(erlang_b(0.8 * cpus, cpus), rel=0.02)


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_the_wait_for_one_of_several_cpus_is_erlangs(cpus: int) -> None:
    services = exponential(1.0)
    taken = simulate(poisson(0.7 * cpus), services, alone(), cpus=cpus, places=REQUESTS)

    expected = erlang_c(0.7 * cpus, cpus) / (0.3 * cpus)
    assert np.mean(taken - services) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("services", [np.full(REQUESTS, 1.0), np.tile([0.5, 0.5, 2.0], REQUESTS)])
def test_the_wait_for_any_service_times_is_pollaczeks_and_khinchines(services: Seconds) -> None:
    services = np.random.default_rng(3).permutation(services)[:REQUESTS]
    load = 0.7 * float(services.mean())
    taken = simulate(poisson(0.7), services, alone(), cpus=1, places=REQUESTS)

    expected = 0.7 * float(np.mean(services**2)) / 2 / (1 - load)
    assert np.mean(taken - services) == pytest.approx(expected, rel=0.05)


def test_the_largest_rate_keeps_the_promise_and_a_larger_one_does_not() -> None:
    services = exponential(0.01)
    per_s = most_per_s(services, cpus=1, places=10_000, p99_s=0.1)

    # M/M/1: the time until the answer is exponential with the mean 1 / (100 - rate).
    assert per_s == pytest.approx(100 - math.log(100) / 0.1, rel=0.03)


def test_few_places_limit_the_rate_by_what_they_refuse() -> None:
    services = exponential(0.01)
    per_s = most_per_s(services, cpus=1, places=2, p99_s=10.0)

    load = per_s * 0.01  # M/M/1/2
    assert load**2 / (1 + load + load**2) == pytest.approx(MOST_REFUSED, rel=0.2)


def test_what_takes_too_long_by_itself_is_carried_by_nobody() -> None:
    assert most_per_s(np.full(1000, 0.2), cpus=1, places=32, p99_s=0.1) < 0.05
