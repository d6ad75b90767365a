"""No name that a request carries is ever opened: no file, no address, no command.

Python tells an audit hook of every file and connection that it opens (PEP 578). Requests put
names of baits wherever a client can put something.
"""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import Settings

BAIT = "bait-4fd1"


class Watch:
    """What was opened by a name that holds the bait's."""

    def __init__(self) -> None:
        self.watching = False
        self.opened: list[tuple[str, tuple[Any, ...]]] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        # A hook cannot be taken off again, so it has to cost nothing while nobody watches.
        if self.watching and BAIT in repr(arguments) and not event.startswith("object."):
            self.opened.append((event, arguments))


@pytest.fixture(scope="module")
def hook() -> Watch:
    watch = Watch()
    sys.addaudithook(watch)
    return watch


@pytest.fixture
def watch(hook: Watch) -> Iterator[Watch]:
    hook.opened.clear()
    hook.watching = True
    yield hook
    hook.watching = False


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = Settings(max_body_bytes=200_000, cors_origins=["*"], rate_limit_per_minute=100_000)
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture(scope="module")
def baits(tmp_path_factory: pytest.TempPathFactory, photo: bytes) -> list[str]:
    """Names of a photo that is there, and of addresses that nobody has."""
    file = tmp_path_factory.mktemp("baits") / f"{BAIT}.jpg"
    file.write_bytes(photo)
    below = f"{'../' * 30}{str(file).lstrip('/')}"
    return [
        str(file),
        below,
        file.as_uri(),
        f"http://{BAIT}.invalid/photo.jpg",
        f"//{BAIT}.invalid/photo.jpg",
        f"\\\\{BAIT}.invalid\\photo.jpg",
        f"data:image/jpeg,{BAIT}",
        f"$(touch {file}-2)",
        f"`touch {file}-2`",
        f"| touch {file}-2",
    ]


def test_the_watch_sees_what_is_opened(watch: Watch, baits: list[str]) -> None:
    Path(baits[0]).read_bytes()

    thread = threading.Thread(target=lambda: Path(baits[0]).read_bytes())
    thread.start()
    thread.join()
    assert [event for event, _ in watch.opened if event == "open"] == ["open"] * 2


def test_no_parameter_is_opened(client: TestClient, watch: Watch, baits: list[str]) -> None:
    """Each option of each route, and names that other services have for this."""
    document = client.get("/openapi.json").json()
    asked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            options = [option["name"] for option in operation.get("parameters", [])]
            for name in [*options, "url", "uri", "path", "file", "img_path", "src", "image", "ref"]:
                for bait in baits:
                    client.request(method, path, params={name: bait}, content=b"x")
                    asked += 1

    assert asked > 500
    assert watch.opened == []


def test_no_body_is_opened(
    client: TestClient, watch: Watch, baits: list[str], photo: bytes
) -> None:
    for path in ("/predict", "/predict/batch", "/explain"):
        field = "files" if path.endswith("batch") else "file"
        for bait in baits:
            name = bait.encode()
            answers = [
                client.post(path, content=name, headers={"Content-Type": "image/jpeg"}),
                client.post(path, json={"url": bait, "image": bait, "img_path": bait}),
                client.post(path, data={field: bait, "url": bait}),
                client.post(path, files={field: (bait, name, "image/jpeg")}),
                client.post(path, files={bait: ("x", name, "image/jpeg")}),
                client.post(path, files={field: ("x", name, bait)}),
                client.post(path, content=svg(bait), headers={"Content-Type": "image/svg+xml"}),
                client.post(path, content=svg(bait), headers={"Content-Type": "image/png"}),
            ]
            assert {answer.status_code for answer in answers} <= {200, 400, 415, 422}
            # The name of a real photo's file, and addresses in its metadata, mean nothing.
            served = client.post(path, files={field: (bait, with_comment(photo, name))})
            assert served.status_code == 200

    assert watch.opened == []


def test_no_header_is_opened(
    client: TestClient, watch: Watch, baits: list[str], photo: bytes
) -> None:
    names = [
        *("Accept", "Accept-Language", "Authorization", "Content-Location", "Content-Disposition"),
        *("Cookie", "Expect", "Forwarded", "Host", "If-None-Match", "Origin", "Range", "Referer"),
        *("X-API-Key", "X-Accel-Redirect", "X-Forwarded-For", "X-Forwarded-Host", "X-Original-URL"),
        *("X-Request-ID", "X-Rewrite-URL", "X-Sendfile", "traceparent", "tracestate"),
    ]
    for bait in baits:
        for name in names:
            for method, path in (("POST", "/predict"), ("GET", "/static/main.js")):
                headers = {"Content-Type": "image/jpeg", name: bait}
                answer = client.request(method, path, content=photo, headers=headers)
                assert answer.status_code in (200, 400)
        client.post("/predict", content=photo, headers={"Content-Type": bait})

    assert watch.opened == []


def test_no_path_is_opened(client: TestClient, watch: Watch, baits: list[str]) -> None:
    for bait in baits:
        for place in ("/", "/static/", "/static/swagger/", "/docs/", "/predict/", "/model/"):
            assert client.get(place + bait).status_code == 404

    assert watch.opened == []


def svg(link: str) -> bytes:
    """A picture that wants another one, in a document that wants an entity."""
    return (
        f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "{link}">]>'
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<image xlink:href="{link}"/><text>&x;</text></svg>'
    ).encode()


def with_comment(jpeg: bytes, text: bytes) -> bytes:
    """A JPEG with a comment and an XMP segment that hold `text`."""
    segments = b"".join(
        b"\xff" + marker + (len(content) + 2).to_bytes(2, "big") + content
        for marker, content in (
            (b"\xfe", text),
            (b"\xe1", b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>%s</x:xmpmeta>" % text),
        )
    )
    return jpeg[:2] + segments + jpeg[2:]
