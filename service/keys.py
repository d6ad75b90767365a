"""Who may ask: keys, of which only hashes are kept."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator, Mapping

from service.errors import Unauthorized

_BEARER = "bearer "


def new_key() -> str:
    """A key that nobody guesses: 256 random bits as 43 letters, digits, hyphens and underscores."""
    return secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """SHA-256 as 64 hex digits. A key is random, so it needs no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


class Keys:
    """The known keys, by their hashes as `hash_key` makes them."""

    def __init__(self, hashes: Iterable[str]) -> None:
        self._hashes = tuple(hashes)

    def check(self, headers: Mapping[str, str]) -> str:
        """The hash of the key that a request carries. Raises `Unauthorized` if it is not known.

        It is a bearer token (RFC 6750, section 2.1), or stands in the header X-API-Key: where a
        platform wants a token of its own as the bearer's, such as Cloud Run, both are there.
        """
        for offered in map(hash_key, _keys(headers)):
            # Each is compared, and each in constant time: how long it takes tells nothing.
            known = [hmac.compare_digest(offered, one) for one in self._hashes]
            if any(known):
                return offered
        raise Unauthorized("Send a key that this service knows.")


def _keys(headers: Mapping[str, str]) -> Iterator[str]:
    """What may be one. Nothing is none, even if somebody hashed a variable that was not set."""
    authorization = headers.get("authorization", "")
    bearer = authorization[: len(_BEARER)].lower() == _BEARER
    token = authorization[len(_BEARER) :] if bearer else ""
    for key in (token.strip(), headers.get("x-api-key", "").strip()):
        if key:
            yield key
