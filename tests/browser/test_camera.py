"""The camera, live; and every way in which there is none."""

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.browser.chromium import Browser, Page, Playwright, expect, launch, opened, picture


def start(page: Page) -> None:
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Start the camera").click()


def watch_tracks(page: Page) -> None:
    """From now on the page notes what it gets of cameras, and has it once `admitted` resolves."""
    page.evaluate(
        """() => {
            window.tracks = [];
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wanted) => {
                const stream = await ask(wanted);
                window.tracks.push(...stream.getTracks());
                await window.admitted;
                return stream;
            };
        }"""
    )


def tracks(page: Page) -> list[str]:
    """The state of each track that the page ever got: live, or ended."""
    states: list[str] = page.evaluate("() => tracks.map(({ readyState }) => readyState)")
    return states


def hold_camera(page: Page) -> None:
    """Cameras take until `admit_camera` to open, as when people read what the browser asks."""
    watch_tracks(page)
    page.evaluate("() => { window.admitted = new Promise((admit) => (window.admit = admit)); }")


def admit_camera(page: Page, cameras: int) -> None:
    """Lets the page have the cameras that it asked for, once all are there."""
    page.wait_for_function("(cameras) => tracks.length === cameras", arg=cameras)
    page.evaluate("() => admit()")


@pytest.fixture
def without_camera(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright, "--use-fake-device-for-media-stream=device-count=0")
    yield browser
    browser.close()


@pytest.fixture
def forbidding(playwright: Playwright) -> Iterator[Browser]:
    """A browser with a camera that nobody may use."""
    browser = launch(playwright, "--use-fake-device-for-media-stream", "--deny-permission-prompts")
    yield browser
    browser.close()


def test_the_notice_comes_before_the_camera(page: Page) -> None:
    watch_tracks(page)
    page.get_by_role("button", name="Use the camera").click()
    notice = page.get_by_role("dialog", name="Before the camera starts")

    expect(notice).to_contain_text("which of seven expressions each one shows")
    expect(notice).to_contain_text("not stored")
    expect(notice).to_contain_text(
        "not for hiring, school, work, policing, health or lie detection"
    )
    picture(page, "notice")
    page.keyboard.press("Escape")
    expect(notice).not_to_be_visible()
    expect(page.get_by_role("button", name="Use the camera")).to_be_focused()
    assert tracks(page) == []


def test_results_follow_the_film_one_frame_at_a_time(page: Page) -> None:
    start(page)
    face, nobody = page.locator(".face .title"), page.locator("#message")

    expect(face).to_have_text("Happy")
    expect(page.locator("#facts")).to_contain_text(re.compile(r"[1-9]\d* frames a second"))
    expect(page.locator("#spoken")).to_have_text(re.compile("In view: "))
    picture(page, "camera")
    expect(nobody).to_have_text("No face found")
    expect(face).to_have_text("Happy")
    expect(page.get_by_role("button", name=re.compile("Face 1: Happy"))).to_be_visible()

    spans = page.evaluate(
        """() => performance.getEntriesByType("resource")
            .filter(({ name }) => name.endsWith("/predict"))
            .map(({ startTime, responseEnd }) => [startTime, responseEnd])"""
    )
    assert len(spans) > 3
    for (_, answered), (sent, _) in pairwise(spans):
        assert answered <= sent


def test_the_box_is_mirrored_like_the_picture(page: Page) -> None:
    start(page)
    expect(page.locator(".face .title")).to_have_text("Happy")

    box = page.locator(".box").bounding_box()
    frame = page.locator(".frame").bounding_box()
    assert box
    assert frame
    # In the film the face is left of the middle.
    assert box["x"] + box["width"] / 2 > frame["x"] + frame["width"] / 2


def test_a_frame_can_be_kept(page: Page) -> None:
    watch_tracks(page)
    start(page)
    expect(page.locator(".face .title")).to_have_text("Happy")
    page.get_by_role("button", name="Keep this frame").click()

    expect(page.locator("#photo")).to_have_attribute("alt", re.compile(r"camera-.*\.jpg"))
    expect(page.locator("#facts")).to_contain_text("640 × 480 pixels")
    assert tracks(page) == ["ended"]


def test_heat_maps_are_for_photos(page: Page) -> None:
    page.get_by_role("button", name="Try this photo").click()
    switch = page.get_by_role("switch", name="Heat map")
    expect(switch).to_be_visible()

    start(page)
    expect(page.get_by_role("button", name="Stop the camera")).to_be_visible()
    expect(switch).not_to_be_visible()
    page.get_by_role("button", name="Keep this frame").click()
    expect(switch).to_be_visible()


def test_stopping_leads_back(page: Page) -> None:
    watch_tracks(page)
    start(page)
    expect(page.get_by_role("button", name="Stop the camera")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("button", name="Use the camera")).to_be_focused()
    expect(page.get_by_role("heading", name="What a face shows")).to_be_visible()
    assert tracks(page) == ["ended"]


def test_a_photo_that_comes_before_the_camera_keeps_it_off(page: Page) -> None:
    hold_camera(page)
    start(page)
    expect(page.locator("#status")).to_contain_text("Waiting for the camera")
    page.get_by_role("button", name="Try this photo").click()
    admit_camera(page, 1)

    page.wait_for_function("() => tracks[0].readyState === 'ended'")
    expect(page.locator(".face .title")).to_have_text("Happy")
    expect(page.locator("#status")).not_to_contain_text("Waiting for the camera")
    expect(page.get_by_role("button", name="Stop the camera")).not_to_be_visible()


def test_who_starts_twice_has_one_camera(page: Page) -> None:
    hold_camera(page)
    start(page)
    start(page)
    admit_camera(page, 2)

    expect(page.locator(".face .title")).to_have_text("Happy")
    assert sorted(tracks(page)) == ["ended", "live"]
    page.get_by_role("button", name="Stop the camera").click()
    assert tracks(page) == ["ended", "ended"]


def test_a_camera_that_shows_nothing_is_let_go(page: Page) -> None:
    watch_tracks(page)
    page.evaluate("() => { document.getElementById('video').play = () => Promise.reject(); }")
    start(page)

    expect(page.locator("#status")).to_contain_text("The camera could not be started.")
    assert tracks(page) == ["ended"]


def test_the_camera_goes_away(page: Page) -> None:
    start(page)
    expect(page.locator(".face .title")).to_have_text("Happy")
    page.evaluate(
        """() => document.getElementById("video").srcObject.getVideoTracks()[0]
            .dispatchEvent(new Event("ended"))"""
    )

    expect(page.locator("#status")).to_contain_text("The camera has stopped.")
    expect(page.get_by_role("heading", name="What a face shows")).to_be_visible()


def test_no_camera(without_camera: Browser, service: str) -> None:
    with opened(without_camera, service, permissions=["camera"]) as page:
        start(page)

        expect(page.locator("#status")).to_contain_text("No camera was found on this device.")
        expect(page.get_by_role("button", name="Use the camera")).to_be_visible()
        picture(page, "no-camera")


def test_camera_denied(forbidding: Browser, service: str) -> None:
    with opened(forbidding, service) as page:
        start(page)

        expect(page.locator("#status")).to_contain_text("The camera was not allowed.")


def test_no_camera_on_an_insecure_page(browser: Browser, service: str) -> None:
    with opened(browser, service.replace("127.0.0.1", "mien.test")) as page:
        start(page)

        expect(page.locator("#status")).to_contain_text("open this one over https")
