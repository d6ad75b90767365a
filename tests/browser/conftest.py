"""The service as a process of its own, and pictures and films to show to it.

Playwright keeps an event loop running in this thread, so nothing of it may outlive this package.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from benchmarks.browser import FRAME, FRAMES_A_SECOND, jpeg, launch, playing, write_film
from benchmarks.process import running_service

if TYPE_CHECKING:
    from tests.browser.chromium import Browser, Page, Playwright

GREY = (120, 130, 140)
SECOND_AND_A_HALF = FRAMES_A_SECOND * 3 // 2


@pytest.fixture(scope="package")
def playwright() -> "Iterator[Playwright]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="package")
def service() -> Iterator[str]:
    """Address of a service with its usual settings."""
    with running_service(drain_delay_s=0) as address:
        yield address


@pytest.fixture(scope="package")
def strict_service() -> Iterator[str]:
    """Address of a service that has one place, and takes no body above 300 kB."""
    settings = {"max_concurrent_requests": 1, "max_body_bytes": 300_000}
    patience = {"body_timeout_s": 600, "deadline_s": 600}
    with running_service(drain_delay_s=0, **settings, **patience) as address:
        yield address


@pytest.fixture(scope="package")
def browser(playwright: "Playwright", film: Path) -> "Iterator[Browser]":
    """A browser whose camera plays the film, and which may use it."""
    browser = launch(playwright, *playing(film))
    yield browser
    browser.close()


@pytest.fixture
def page(browser: "Browser", service: str) -> "Iterator[Page]":
    """The page, freshly opened; it must log no error and send no request elsewhere."""
    from tests.browser.chromium import opened

    with opened(browser, service) as page:
        yield page


@pytest.fixture(scope="package")
def faceless() -> bytes:
    """A JPEG without a face."""
    return jpeg(nobody())


@pytest.fixture(scope="package")
def film(photo: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face for a second and a half, nobody for as long, and again."""
    frame = nobody()
    portrait = Image.open(io.BytesIO(photo)).resize((FRAME[1], FRAME[1]))
    frame.paste(portrait, ((FRAME[0] - FRAME[1]) // 2, 0))
    frames = [frame] * SECOND_AND_A_HALF + [nobody()] * SECOND_AND_A_HALF
    return write_film(tmp_path_factory.mktemp("camera") / "film.mjpeg", frames)


def nobody() -> Image.Image:
    return Image.new("RGB", FRAME, GREY)
