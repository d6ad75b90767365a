"""The service is away, or has no place: the page says so, waits, and goes on by itself."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from benchmarks.process import free_port
from tests.browser.chromium import Browser, expect, opened, picture


class MortalService:
    """The service as a process that can die, and live again at the same address."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            env={**os.environ, "MIEN_PORT": str(self.port)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert any('"serving"' in line for line in self.process.stdout)

    def die(self) -> None:
        with self.process:
            self.process.kill()


@pytest.fixture(scope="module")
def mortal() -> Iterator[MortalService]:
    service = MortalService()
    service.start()
    yield service
    service.die()


@contextmanager
def occupied(address: str) -> Iterator[None]:
    """One place inside the service is taken, by a client that sends no body."""
    url = urlsplit(address)
    assert url.hostname
    assert url.port
    with socket.create_connection((url.hostname, url.port)) as client:
        client.sendall(
            b"POST /predict HTTP/1.1\r\nHost: mien\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.recv(1024).startswith(b"HTTP/1.1 100")  # it waits for the body: we are in
        yield


def test_the_camera_waits_for_the_service(browser: Browser, mortal: MortalService) -> None:
    with opened(browser, mortal.address, refusals=True) as page:
        page.get_by_role("button", name="Use the camera").click()
        page.get_by_role("button", name="Start the camera").click()
        expect(page.locator(".face .title")).to_have_text("Happy")

        mortal.die()
        expect(page.locator("#status")).to_contain_text("The service cannot be reached. Trying")
        picture(page, "unreachable")

        mortal.start()
        expect(page.locator("#status p")).to_be_empty()
        expect(page.locator(".face .title")).to_have_text("Happy")


def test_a_photo_waits_for_the_service(browser: Browser, mortal: MortalService) -> None:
    with opened(browser, mortal.address, refusals=True) as page:
        mortal.die()
        page.get_by_role("button", name="Try this photo").click()
        expect(page.locator("#status")).to_contain_text("The service cannot be reached. Trying")

        mortal.start()
        expect(page.locator(".face .title")).to_have_text("Happy")
        expect(page.locator("#status p")).to_be_empty()


def test_overloaded(browser: Browser, strict_service: str) -> None:
    with opened(browser, strict_service, refusals=True) as page:
        with occupied(strict_service):
            page.get_by_role("button", name="Try this photo").click()
            expect(page.locator("#status p")).to_have_text(
                "The service is busy. Trying again in 1 second."
            )
            picture(page, "overloaded")

        expect(page.locator(".face .title")).to_have_text("Happy")
        expect(page.locator("#status p")).to_be_empty()


def test_an_answer_that_breaks_off_is_none(browser: Browser, service: str) -> None:
    for path, button in (("photo", "Try this photo"), ("camera", "Use the camera")):
        with opened(browser, service) as page:
            page.route("**/predict", lambda route: route.fulfill(body='{"faces": ['), times=1)
            page.get_by_role("button", name=button).click()
            if path == "camera":
                page.get_by_role("button", name="Start the camera").click()
            expect(page.locator("#status")).to_contain_text("The service cannot be reached.")
            expect(page.locator(".face .title")).to_have_text("Happy")
            expect(page.locator("#status p")).to_be_empty()
