import hashlib
import re

import pytest

from service.errors import Unauthorized
from service.keys import Keys, hash_key, new_key

KEY, OTHER = "a-key", "another-key"
KEYS = Keys([hash_key(OTHER), hash_key(KEY)])


def test_keys_are_random() -> None:
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", key) for key in keys)


def test_the_hash_is_what_sha256sum_prints() -> None:
    assert hash_key("abc") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY} "},
        {"x-api-key": KEY},
        {"authorization": "Basic dXNlcjpwYXNz", "x-api-key": KEY},  # a proxy's own
        {"authorization": "Bearer a.platform's.token", "x-api-key": KEY},
    ],
)
def test_a_key_is_taken_from_either_header(headers: dict[str, str]) -> None:
    assert KEYS.check(headers) == hash_key(KEY)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Bearer {KEY.upper()}"},
        {"authorization": f"Bearer {hash_key(KEY)}"},  # a stolen hash is no key
        {"authorization": "Bearer wrong", "x-api-key": "wrong"},
        {"x-api-key": KEY[:-1]},
        {"x-api-key": "\xe9\x00" * 10_000},
    ],
)
def test_no_other_key_is_one(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        KEYS.check(headers)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer "}, {"x-api-key": " "}])
def test_no_key_is_none_even_where_its_hash_is_known(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        Keys([hash_key("")]).check(headers)


def test_each_hash_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it takes must not tell which key was nearly right: none is left out."""
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    Keys([hash_key(KEY), hash_key(OTHER)]).check({"x-api-key": KEY})

    assert compared == [(hash_key(KEY), hash_key(KEY)), (hash_key(KEY), hash_key(OTHER))]
