"""The headers that tell browsers what not to do. Every answer has them."""

from collections.abc import Iterable

Header = tuple[bytes, bytes]

# https://fetch.spec.whatwg.org: no guessing of types, no embedding by other origins; and no page
# that is left from here tells where it was.
_ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)

# For all that is no page: nothing in it is run or framed, and no cache keeps what faces showed.
_UNLESS_SET: tuple[Header, ...] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


def secured(headers: Iterable[Header]) -> list[Header]:
    """The headers of an answer, as ASGI has them, and those that every answer has."""
    own = list(headers)
    names = {name for name, _ in own}
    return [*own, *_ALWAYS, *(header for header in _UNLESS_SET if header[0] not in names)]
