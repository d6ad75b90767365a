import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import RateLimited
from service.rate import RateLimit, client_of


class Clock:
    """Time as a test tells it, in seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(limit: RateLimit, client: str = "a") -> bool:
    try:
        limit.take(client)
    except RateLimited:
        return False
    return True


def test_a_bucket_empties_and_fills_again(clock: Clock) -> None:
    limit = RateLimit(6, clock=clock)

    assert [taken(limit) for _ in range(8)] == [True] * 6 + [False] * 2
    clock.now += 10  # time for one of six a minute
    assert [taken(limit) for _ in range(2)] == [True, False]
    clock.now += 3600
    assert [taken(limit) for _ in range(8)] == [True] * 6 + [False] * 2


def test_who_is_refused_is_told_when_to_come_back(clock: Clock) -> None:
    limit = RateLimit(2, clock=clock)
    limit.take("a")
    limit.take("a")
    clock.now += 0.5

    with pytest.raises(RateLimited) as refused:
        limit.take("a")

    assert refused.value.retry_after_s == 30  # 29.5 would be too early
    clock.now += 29
    assert not taken(limit)
    clock.now += 0.5
    assert taken(limit)


def test_clients_do_not_share_a_bucket(clock: Clock) -> None:
    limit = RateLimit(1, clock=clock)

    assert [taken(limit, "a"), taken(limit, "b"), taken(limit, "a")] == [True, True, False]


@given(per_minute=st.integers(1, 300), pauses=st.lists(st.floats(0, 5), max_size=300))
def test_nobody_gets_more_than_a_bucket_and_what_flows_in(
    per_minute: int, pauses: list[float]
) -> None:
    clock = Clock()
    limit = RateLimit(per_minute, clock=clock)
    start, got = clock.now, 0
    for pause in pauses:
        clock.now += pause
        got += taken(limit)

        assert got <= per_minute + (clock.now - start) * per_minute / 60 + 1e-3


def test_memory_is_bounded_and_the_silent_are_forgotten_first(clock: Clock) -> None:
    limit = RateLimit(2, clients=3, clock=clock)
    for client in ("a", "b", "c", "a", "d"):
        assert taken(limit, client)

    assert not taken(limit, "a")  # known: it asked after b
    assert [taken(limit, "b"), taken(limit, "b")] == [True, True]  # forgotten: its bucket is full


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:2", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unknown", ""),
        ("x" * 100_000, ""),
    ],
)
def test_whom_an_address_stands_for(address: str, client: str) -> None:
    assert client_of(address) == client
