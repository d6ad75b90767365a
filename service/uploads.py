"""Reading images out of a request's body: in memory, never on disk, within limits.

The body is either the image itself (the fast way) or a multipart form. A form is split here, over
the complete body: the framework's own form parser writes every file above 1 MB to disk, and a
streaming parser can be kept busy for seconds by a hostile body of 10 MB.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from service.errors import (
    BadRequest,
    BodyTimeout,
    InvalidParameter,
    PayloadTooLarge,
    ServiceError,
    TooManyImages,
    UnsupportedMediaType,
)

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")

# What a client may call an image. The decoder looks at the bytes themselves, so a missing or
# general type is as good as a right one; one that says "something else" is a mistake to report.
_ACCEPTED = frozenset({*IMAGE_TYPES, "image/jpg", "application/octet-stream", ""})

_FORM = "multipart/form-data"
_MAX_PADDING = 64  # bytes of white space behind a boundary
_MAX_PART_HEADERS = 4096  # bytes


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one request may carry, and how long its body may take."""

    max_body_bytes: int = 10 * 2**20
    body_timeout_s: float = 10.0
    max_images: int = 16


class Part(NamedTuple):
    """One part of a form. A file's name is not looked at: no use of it, and it may be personal."""

    field: str
    media_type: str
    content: bytes


async def read_image(request: Request, limits: UploadLimits) -> bytes:
    """The one image of a request: its raw body, or its form field `file` (or `img`).

    Raises `UnsupportedMediaType`, `BadRequest`, `InvalidParameter`, `PayloadTooLarge`,
    `BodyTimeout`; `ClientDisconnect` when the client went away.
    """
    media_type, options = _media_type(request)
    if media_type == _FORM:
        body = await _read_body(request, limits)
        surplus = BadRequest("The form has more than one part; several go to /predict/batch.")
        (part,) = _parts(body, options, ("file", "img"), at_most=1, surplus=surplus)
        return _image(part)
    _check_image_type(media_type)
    return _not_empty(await _read_body(request, limits))


async def read_images(request: Request, limits: UploadLimits) -> list[bytes | ServiceError]:
    """The images of a batch request, in order: its form fields `files`.

    In the place of one that is empty, or says that it is something else, stands its error: its
    neighbours do not suffer from it. Raises what `read_image` raises, and `TooManyImages`.
    """
    media_type, options = _media_type(request)
    if media_type != _FORM:
        raise UnsupportedMediaType(f"A batch is {_FORM} with a field `files` for each image.")
    body = await _read_body(request, limits)
    surplus = TooManyImages(f"One request carries at most {limits.max_images} images.")
    parts = _parts(body, options, ("files",), at_most=limits.max_images, surplus=surplus)
    return [_image_or_error(part) for part in parts]


@asynccontextmanager
async def while_connected(request: Request) -> AsyncIterator[None]:
    """Cancels the block when the client goes away, and raises `ClientDisconnect`.

    For use after the body has been read: from then on, the only news is that the client left.
    """
    try:
        async with asyncio.timeout(None) as presence:
            watch = asyncio.create_task(_end_when_left(request, presence))
            try:
                yield
            finally:
                watch.cancel()
    except TimeoutError:
        if presence.expired():
            raise ClientDisconnect from None
        raise


async def _end_when_left(request: Request, presence: asyncio.Timeout) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    presence.reschedule(asyncio.get_running_loop().time())


async def _read_body(request: Request, limits: UploadLimits) -> bytes:
    """The whole body. A declared length is checked before a byte is read; bytes are counted."""
    too_large = PayloadTooLarge(f"The body may have at most {limits.max_body_bytes} bytes.")
    # Parsers take any number of zeros before a length, and Python's int does not.
    declared = request.headers.get("content-length", "").lstrip("0")
    if declared.isdecimal() and int(declared) > limits.max_body_bytes:
        raise too_large
    chunks: list[bytes] = []
    received = 0
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk = message.get("body", b"")
                received += len(chunk)
                if received > limits.max_body_bytes:
                    raise too_large
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        raise BodyTimeout(
            f"The body was not complete after {limits.body_timeout_s:g} seconds."
        ) from None


def _media_type(request: Request) -> tuple[str, dict[bytes, bytes]]:
    media_type, options = parse_options_header(request.headers.get("content-type", "")[:1024])
    return media_type.decode("latin-1"), options


def _check_image_type(media_type: str) -> None:
    if media_type not in _ACCEPTED:
        raise UnsupportedMediaType(
            f"Send one of {', '.join(IMAGE_TYPES)} as the body, or as a part of {_FORM}."
        )


def _not_empty(image: bytes) -> bytes:
    if not image:
        raise BadRequest("The image is empty: no byte of it was sent.")
    return image


def _image(part: Part) -> bytes:
    _check_image_type(part.media_type)
    return _not_empty(part.content)


def _image_or_error(part: Part) -> bytes | ServiceError:
    try:
        return _image(part)
    except ServiceError as error:
        # Its frames hold the body, and it is held by theirs: only the collector would part them.
        return error.with_traceback(None)


def _parts(
    body: bytes,
    options: dict[bytes, bytes],
    fields: tuple[str, ...],
    *,
    at_most: int,
    surplus: ServiceError,
) -> list[Part]:
    parts: list[Part] = []
    for part in _split_form(body, options.get(b"boundary", b"")):
        if part.field not in fields:
            raise InvalidParameter(
                f"The form takes only `{fields[0]}`; options go into the query string."
            )
        if len(parts) == at_most:
            raise surplus
        parts.append(part)
    if not parts:
        raise BadRequest(f"The form has no part named `{fields[0]}`.")
    return parts


def _split_form(body: bytes, boundary: bytes) -> Iterator[Part]:
    """The parts of a complete form body (RFC 7578; syntax of RFC 2046, section 5.1.1).

    Every search is one pass of `bytes.find`, so the cost is linear in the body's length.
    """
    if not boundary:
        raise BadRequest(f"The Content-Type {_FORM} names no boundary.")
    delimiter = b"\r\n--" + boundary
    malformed = BadRequest("The form is malformed or cut off.")
    start = 0 if body.startswith(delimiter[2:]) else body.find(delimiter) + 2
    if start == 1:
        raise malformed
    start += len(delimiter) - 2
    while not body.startswith(b"--", start):
        line_end = body.find(b"\r\n", start, start + _MAX_PADDING)
        if line_end < 0 or body[start:line_end].strip(b" \t"):
            raise malformed
        content_end = body.find(delimiter, line_end)
        headers_end = body.find(b"\r\n\r\n", line_end, line_end + _MAX_PART_HEADERS)
        if headers_end < 0 or content_end < headers_end + 4:
            raise malformed
        yield _part(body[line_end + 2 : headers_end], body[headers_end + 4 : content_end])
        start = content_end + len(delimiter)


def _part(headers: bytes, content: bytes) -> Part:
    values = {"content-disposition": "", "content-type": ""}
    for line in headers.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() in values:
            values[name.lower()] = value
    _, disposition = parse_options_header(values["content-disposition"])
    media_type, _ = parse_options_header(values["content-type"])
    field = disposition.get(b"name", b"").decode("latin-1")
    return Part(field, media_type.decode("latin-1").strip(), content)
