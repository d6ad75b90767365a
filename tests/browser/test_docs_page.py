"""The Swagger UI as the API's front door: what it shows is tried out, with a file and as a body."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Browser, Locator, Page, expect, opened, picture

PHOTO = Path(__file__).parent.parent / "data" / "astronaut.jpg"


@pytest.fixture
def docs(browser: Browser, service: str) -> Iterator[Page]:
    """The documentation; as everywhere, no request may leave the origin and no error be logged."""
    with opened(browser, service) as page:
        page.goto("/docs")
        expect(page.locator(".opblock")).to_have_count(7)
        yield page


def unfolded(page: Page, operation: str) -> Locator:
    block = page.locator(f"#operations-default-{operation}")
    block.locator(".opblock-summary-control").click()
    expect(block.locator("button.execute")).to_be_visible()
    return block


def answer(block: Locator) -> Locator:
    """What came back, once it did."""
    response = block.locator(".live-responses-table .response")
    expect(response.locator(".response-col_status")).to_contain_text("200")
    return response


def test_every_problem_is_told(docs: Page) -> None:
    expect(docs.locator("#deadline_exceeded")).to_be_visible()
    block = unfolded(docs, "explain")
    for status in ("400", "408", "413", "415", "422", "500", "503", "504"):
        expect(block.locator(f'.responses-inner tr[data-code="{status}"]')).to_have_count(1)
    picture(docs, "docs")


@pytest.mark.parametrize("operation", ["predict", "explain"])
def test_an_image_is_tried_out_as_the_body(docs: Page, operation: str) -> None:
    block = unfolded(docs, operation)
    block.locator('input[type="file"]').set_input_files(PHOTO)
    block.locator("button.execute").click()

    found = json.loads(str(answer(block).locator("pre code").first.text_content()))
    assert found["faces"][0]["dominant_emotion"] == "happy"


def test_an_image_is_tried_out_as_a_file_of_a_form(docs: Page) -> None:
    block = unfolded(docs, "predict")
    block.locator(".opblock-section-request-body select").first.select_option("multipart/form-data")
    block.locator('input[type="file"]').set_input_files(PHOTO)
    block.locator("button.execute").click()

    assert (
        len(json.loads(str(answer(block).locator("pre code").first.text_content()))["faces"]) == 1
    )


def test_a_batch_is_tried_out(browser: Browser, service: str) -> None:
    # Not `docs`: for a list of files Swagger UI warns of a component that it then does without.
    page = browser.new_page(base_url=service)
    page.goto("/docs")
    block = unfolded(page, "predict_batch")
    block.locator('input[type="file"]').set_input_files(PHOTO)
    block.locator("button.execute").click()

    results = json.loads(str(answer(block).locator("pre code").first.text_content()))["results"]
    assert len(results) == 1
    page.close()


def test_a_picture_is_shown_as_one(docs: Page) -> None:
    block = unfolded(docs, "explain")
    block.locator(".responses-inner .response-control-media-type select").first.select_option(
        "image/png"
    )
    block.locator('input[type="file"]').set_input_files(PHOTO)
    block.locator("button.execute").click()

    expect(answer(block).locator("img")).to_be_visible()
    picture(docs, "docs-explained")
