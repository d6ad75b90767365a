"""What form of an answer a client asks for (RFC 9110, section 12.5.1)."""

from typing import NamedTuple


class _Range(NamedTuple):
    """One entry of an Accept header, such as image/* or image/png;q=0.5."""

    media_range: str
    quality: float


def prefers(accept: str, media_type: str, default: str) -> bool:
    """Whether an Accept header prefers `media_type` to `default`.

    Where it wants both alike, or neither, it does not: the default is sent also to a client that
    did not ask for it, as the RFC allows, since a problem would not be what it asked for either.
    """
    ranges = [_parse(entry) for entry in accept.lower().split(",")]
    return _quality(ranges, media_type) > _quality(ranges, default)


def _parse(entry: str) -> _Range:
    media_range, *parameters = (part.strip() for part in entry.split(";"))
    weights = (value for name, _, value in (p.partition("=") for p in parameters) if name == "q")
    try:
        return _Range(media_range, float(next(weights, "1")))
    except ValueError:
        return _Range(media_range, 0.0)


def _quality(ranges: list[_Range], media_type: str) -> float:
    """That of the most specific range that names the type; 0 if none does."""
    kind = media_type.partition("/")[0]
    for name in (media_type, f"{kind}/*", "*/*"):
        found = [entry.quality for entry in ranges if entry.media_range == name]
        if found:
            return max(found)
    return 0.0
