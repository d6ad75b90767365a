import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from service.errors import (
    BadRequest,
    BodyTimeout,
    InvalidParameter,
    PayloadTooLarge,
    ServiceError,
    TooManyImages,
    UnsupportedMediaType,
)
from service.uploads import UploadLimits, read_image, read_images, while_connected

pytestmark = pytest.mark.anyio

LIMITS = UploadLimits(max_body_bytes=8000, body_timeout_s=60, max_images=3)
FORM = "multipart/form-data; boundary=frontier"


def chunk(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def whole(body: bytes) -> list[Message]:
    return [chunk(body, more=False)]


class Client:
    """Sends its messages one by one, then nothing until it leaves."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.messages = list(messages)
        self.taken = 0
        self.left = asyncio.Event()

    async def receive(self) -> Message:
        if self.messages:
            self.taken += 1
            return self.messages.pop(0)
        await self.left.wait()
        return {"type": "http.disconnect"}


def request(client: Client, content_type: str | None, **headers: str) -> Request:
    if content_type is not None:
        headers["content-type"] = content_type
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, client.receive)


def part(content: bytes, field: str = "file", extra: str = "") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="me.jpg"'
    return b"--frontier\r\n" + f"{disposition}\r\n{extra}\r\n".encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--frontier--\r\n"


async def image(body: bytes, content_type: str | None = FORM) -> bytes:
    return await read_image(request(Client(whole(body)), content_type), LIMITS)


async def images(body: bytes, content_type: str | None = FORM) -> list[bytes | ServiceError]:
    return await read_images(request(Client(whole(body)), content_type), LIMITS)


@pytest.mark.parametrize(
    "content_type",
    ["image/jpeg", "image/jpg", "image/png", "IMAGE/WEBP", "application/octet-stream", None],
)
async def test_a_raw_body_is_the_image(content_type: str | None) -> None:
    assert await image(b"pixels", content_type) == b"pixels"


async def test_a_body_in_pieces_is_put_together() -> None:
    client = Client([chunk(b"pix", more=True), chunk(b"", more=True), chunk(b"els", more=False)])

    assert await read_image(request(client, "image/png"), LIMITS) == b"pixels"


@pytest.mark.parametrize("field", ["file", "img"])
async def test_a_form_field_is_the_image(field: str) -> None:
    assert await image(form(part(b"pixels", field))) == b"pixels"


@pytest.mark.parametrize("content", [b"\r\n", b"\r\n--frontie", b"x--frontier", b"\r\n\r\n", b"\0"])
async def test_what_looks_like_syntax_stays_in_the_image(content: bytes) -> None:
    assert await image(form(part(content))) == content


async def test_a_part_may_say_what_it_is() -> None:
    assert await image(form(part(b"pixels", extra="content-type:  image/jpeg\r\n"))) == b"pixels"


async def test_preamble_padding_and_epilogue_are_skipped() -> None:
    padded = form(part(b"pixels")).replace(b"--frontier\r\n", b"--frontier \t\r\n")

    assert await image(b"preamble\r\n" + padded + b"epilogue") == b"pixels"


async def test_a_quoted_boundary() -> None:
    body = form(part(b"pixels"))

    assert await image(body, 'multipart/form-data; boundary="frontier"') == b"pixels"


async def test_a_batch_keeps_its_order() -> None:
    body = form(*(part(content, "files") for content in (b"a", b"b", b"c")))

    assert await images(body) == [b"a", b"b", b"c"]


async def test_an_error_stands_in_the_place_of_what_is_no_image_of_a_batch() -> None:
    animation = part(b"b", "files", "Content-Type: image/gif\r\n")
    body = form(part(b"a", "files"), animation, part(b"", "files"))

    found, *errors = await images(body)

    assert found == b"a"
    assert [type(error) for error in errors] == [UnsupportedMediaType, BadRequest]
    # Its frames would hold the body until the garbage collector runs, which in a service is seldom.
    assert [error.__traceback__ for error in errors if isinstance(error, ServiceError)] == [
        None
    ] * 2


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"", "image/jpeg", BadRequest),
        (b"{}", "application/json", UnsupportedMediaType),
        (b"pixels", "image/gif", UnsupportedMediaType),
        (b"a=b", "application/x-www-form-urlencoded", UnsupportedMediaType),
        (form(part(b"a"), part(b"b")), FORM, BadRequest),
        (form(part(b"a"), part(b"b", "img")), FORM, BadRequest),
        (form(part(b"")), FORM, BadRequest),
        (form(part(b"a", "files")), FORM, InvalidParameter),
        (form(part(b"a"), part(b"false", "detect")), FORM, InvalidParameter),
        (form(part(b"a", extra="Content-Type: text/plain\r\n")), FORM, UnsupportedMediaType),
        (form(), FORM, BadRequest),
        (form(part(b"a")), "multipart/form-data", BadRequest),
        (form(part(b"a")), "multipart/form-data; boundary=", BadRequest),
        (form(part(b"a")), "multipart/form-data; boundary=other", BadRequest),
        (b"", FORM, BadRequest),
        (b"no form at all", FORM, BadRequest),
        (part(b"a"), FORM, BadRequest),
        (part(b"a")[:-4], FORM, BadRequest),
        (b"--frontier", FORM, BadRequest),
        (b"--frontier\r\n", FORM, BadRequest),
        (b"--frontier\r\nno end of headers", FORM, BadRequest),
        (b"--frontier\r\nContent-Disposition: form-data\r\n--frontier--", FORM, BadRequest),
        (form(part(b"--frontier")), FORM, BadRequest),
        (form(part(b"a", extra="X: y\r\n--frontier\r\n")), FORM, BadRequest),
        (b"--frontierX\r\n\r\na\r\n--frontier--", FORM, BadRequest),
        (b"--frontier\r\n\r\na\r\n--frontier--", FORM, InvalidParameter),
        (form(part(b"a", extra=f"X: {'x' * 5000}\r\n")), FORM, BadRequest),
    ],
)
async def test_what_is_no_single_image_is_refused(
    body: bytes, content_type: str, error: type[ServiceError]
) -> None:
    with pytest.raises(error) as refusal:
        await image(body, content_type)

    assert type(refusal.value) is error


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"pixels", "image/jpeg", UnsupportedMediaType),
        (form(part(b"a")), FORM, InvalidParameter),
        (form(*[part(b"a", "files")] * 4), FORM, TooManyImages),
        (form(), FORM, BadRequest),
    ],
)
async def test_what_is_no_batch_is_refused(
    body: bytes, content_type: str, error: type[ServiceError]
) -> None:
    with pytest.raises(error) as refusal:
        await images(body, content_type)

    assert type(refusal.value) is error


@pytest.mark.parametrize("length", ["8001", "0" * 5000 + "8001"])
async def test_a_declared_length_is_refused_before_a_byte_is_read(length: str) -> None:
    client = Client(whole(b"pixels"))

    with pytest.raises(PayloadTooLarge):
        await read_image(request(client, "image/jpeg", content_length=length), LIMITS)

    assert client.taken == 0


@pytest.mark.parametrize("length", ["6", "0" * 5000 + "6"])
async def test_zeros_before_a_length_mean_nothing(length: str) -> None:
    client = Client(whole(b"pixels"))

    sent = await read_image(request(client, "image/jpeg", content_length=length), LIMITS)

    assert sent == b"pixels"


async def test_a_wrong_type_is_refused_before_a_byte_is_read() -> None:
    client = Client(whole(b"pixels"))

    with pytest.raises(UnsupportedMediaType):
        await read_image(request(client, "text/plain"), LIMITS)

    assert client.taken == 0


async def test_without_a_length_bytes_are_counted() -> None:
    client = Client([chunk(b"x" * 4000, more=True)] * 5)

    with pytest.raises(PayloadTooLarge):
        await read_image(request(client, "image/jpeg"), LIMITS)

    assert client.taken == 3


async def test_a_body_of_exactly_the_limit_is_taken() -> None:
    assert await image(b"x" * 8000, "image/jpeg") == b"x" * 8000


async def test_a_body_that_does_not_come_times_out() -> None:
    client = Client([chunk(b"pix", more=True)])
    limits = UploadLimits(body_timeout_s=0.01)

    with pytest.raises(BodyTimeout):
        await read_image(request(client, "image/jpeg"), limits)


@pytest.mark.parametrize("content_type", ["image/jpeg", FORM])
async def test_a_client_may_leave_while_it_sends(content_type: str) -> None:
    client = Client([chunk(b"pix", more=True)])
    client.left.set()

    with pytest.raises(ClientDisconnect):
        await read_image(request(client, content_type), LIMITS)


async def test_a_block_ends_when_its_client_leaves() -> None:
    client = Client([])
    reached = asyncio.Event()

    async def work() -> None:
        async with while_connected(request(client, None)):
            reached.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await reached.wait()
    client.left.set()

    with pytest.raises(ClientDisconnect):
        await task


async def test_a_block_of_a_patient_client_is_left_alone() -> None:
    async with while_connected(request(Client([]), None)):
        result = await asyncio.to_thread(lambda: 42)

    assert result == 42


async def test_a_timeout_inside_the_block_is_not_taken_for_a_leaving_client() -> None:
    with pytest.raises(TimeoutError):
        async with while_connected(request(Client([]), None)), asyncio.timeout(0):
            await asyncio.Event().wait()


async def test_a_cancelled_caller_is_not_taken_for_a_leaving_client() -> None:
    reached = asyncio.Event()

    async def work() -> None:
        async with while_connected(request(Client([]), None)):
            reached.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await reached.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_no_watcher_stays_behind() -> None:
    before = asyncio.all_tasks()

    async with while_connected(request(Client([]), None)):
        pass
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == before


# Whatever may trip a parser, in any order.
scraps = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b"-", b"--", b"frontier", b"\r\n--frontier", b":", b" ", b"a", b"\0"]
)


@given(st.lists(scraps, min_size=1).map(b"".join))
async def test_any_content_comes_back_as_it_was_sent(content: bytes) -> None:
    assume(b"\r\n--frontier" not in b"\r\n" + content)

    assert await image(form(part(content))) == content


@given(st.lists(scraps).map(b"".join), st.lists(scraps).map(b"".join), st.integers(0, 400))
async def test_a_form_that_is_taken_is_read_as_others_read_it(
    content: bytes, rest: bytes, end: int
) -> None:
    body = (form(part(content, "files"), part(b"b", "files")) + rest)[:end]
    try:
        ours = await images(body)
    except ServiceError:
        return

    theirs: list[bytes] = []
    parser = MultipartParser(
        b"frontier",
        {"on_part_data": lambda data, start, stop: theirs.append(data[start:stop])},
    )
    try:
        parser.write(body)
    except MultipartParseError:  # it reads headers that are none of our business
        return
    assert [image for image in ours if isinstance(image, bytes)] == theirs
