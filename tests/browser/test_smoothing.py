"""How faces of a film are followed: smoothing.js by itself, in the browser."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import Browser, Page, opened

Face = dict[str, Any]


@pytest.fixture(scope="module")
def page(browser: Browser, service: str) -> Iterator[Page]:
    """One page for all: nothing in it changes."""
    with opened(browser, service) as page:
        yield page


def face(x: float, happy: float) -> Face:
    box = {"x": x, "y": 0, "w": 100, "h": 100}
    return {"box": box, "emotion": {"happy": happy, "sad": 1 - happy}, "dominant_emotion": "?"}


def smoothed(page: Page, *film: tuple[float, list[Face]]) -> list[list[Face]]:
    """What is shown after each frame; a frame is its time in seconds and the faces seen in it."""
    shown: list[list[Face]] = page.evaluate(
        """async (film) => {
            const { Smoothing } = await import("/static/smoothing.js");
            const smoothing = new Smoothing();
            return film.map(([now, faces]) => structuredClone(smoothing.update(faces, now)));
        }""",
        film,
    )
    return shown


def test_values_glide_towards_what_is_seen(page: Page) -> None:
    first, second, late = smoothed(
        page, (0, [face(0, 1)]), (0.1, [face(10, 0)]), (9, [face(10, 0)])
    )

    assert first[0]["emotion"]["happy"] == 1
    assert 0.5 < second[0]["emotion"]["happy"] < 1
    assert 0 < second[0]["box"]["x"] < 10
    assert second[0]["dominant_emotion"] == "happy"
    assert late[0]["emotion"]["happy"] < 0.001
    assert late[0]["dominant_emotion"] == "sad"
    assert late[0]["confidence"] == late[0]["emotion"]["sad"]


def test_doubt_comes_and_goes_gently(page: Page) -> None:
    sure, unsure = face(0, 1), {**face(0, 1), "uncertain": True}
    film = [(0.1 * i, [unsure if i % 3 == 0 else sure]) for i in range(12)]
    *_, settled = smoothed(page, *film)
    *_, after = smoothed(page, *film, (1.2, [unsure]), (2.4, [unsure]))

    assert not settled[0]["uncertain"]
    assert after[0]["uncertain"]


def test_probabilities_still_sum_to_one(page: Page) -> None:
    *_, shown = smoothed(page, *((0.05 * i, [face(i, i % 3 / 2)]) for i in range(20)))

    assert abs(sum(shown[0]["emotion"].values()) - 1) < 1e-9


def test_faces_keep_their_names_when_their_order_changes(page: Page) -> None:
    one, two = smoothed(page, (0, [face(0, 1), face(500, 0)]), (0.1, [face(505, 0), face(5, 1)]))

    assert [shown["id"] for shown in one] == [shown["id"] for shown in two]
    assert two[0]["box"]["x"] < 10


def test_a_face_that_one_frame_missed_stays(page: Page) -> None:
    _, missed, gone = smoothed(page, (0, [face(0, 1)]), (0.1, []), (1, []))

    assert len(missed) == 1
    assert gone == []
