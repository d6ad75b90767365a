"""A service that wants a key: the page asks for one, sends it, and keeps it nowhere."""

from collections.abc import Iterator

import pytest

from benchmarks.process import running_service
from service.keys import hash_key, new_key
from tests.browser.chromium import Browser, Page, expect, opened, picture
from tests.browser.test_manners import AXE, violations

KEY = new_key()


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """Address of a service that wants a key."""
    with running_service(drain_delay_s=0, api_keys=hash_key(KEY)) as address:
        yield address


def answer(page: Page, key: str) -> None:
    dialog = page.get_by_role("dialog", name="This service wants a key")
    dialog.get_by_label("Key", exact=True).fill(key)
    dialog.get_by_role("button", name="Go on").click()


def test_it_is_asked_for_once(browser: Browser, guarded: str) -> None:
    with opened(browser, guarded, refusals=True) as page:
        page.get_by_role("button", name="Try this photo").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        expect(dialog.get_by_label("Key", exact=True)).to_be_focused()
        expect(dialog.get_by_role("alert")).to_be_hidden()
        picture(page, "key")

        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.evaluate("() => navigator.clipboard.writeText('a-wrong-key')")
        page.keyboard.press("Control+V")
        expect(dialog.get_by_label("Key", exact=True)).to_have_value("a-wrong-key")
        expect(page.locator("#status p")).to_be_empty()

        answer(page, "a-wrong-key")
        expect(dialog.get_by_role("alert")).to_have_text("The service does not know this key.")
        expect(dialog.get_by_label("Key", exact=True)).to_have_value("")
        answer(page, KEY)
        expect(page.locator(".face .title")).to_have_text("Happy")

        page.get_by_role("button", name="Clear all").click()
        page.get_by_role("button", name="Try this photo").click()
        expect(page.locator(".face .title")).to_have_text("Happy")
        expect(dialog).to_be_hidden()

        page.reload()
        page.get_by_role("button", name="Try this photo").click()
        expect(dialog).to_be_visible()


def test_it_is_kept_in_memory_only(browser: Browser, guarded: str) -> None:
    with opened(browser, guarded, refusals=True) as page:
        page.get_by_role("button", name="Try this photo").click()
        answer(page, KEY)
        expect(page.locator(".face .title")).to_have_text("Happy")

        kept = page.evaluate(
            """async () => [localStorage.length, sessionStorage.length, document.cookie,
                (await indexedDB.databases()).length, (await caches.keys()).length]"""
        )
        assert kept == [0, 0, "", 0, 0]
        assert KEY not in page.content()
        assert KEY not in page.url


def test_who_has_none_is_told_and_may_try_again(browser: Browser, guarded: str) -> None:
    with opened(browser, guarded, refusals=True) as page:
        page.get_by_role("button", name="Try this photo").click()
        page.get_by_role("dialog").get_by_role("button", name="Not now").click()
        expect(page.locator("#message")).to_contain_text("This service wants a key.")

        page.get_by_role("button", name="Clear all").click()
        page.get_by_role("button", name="Try this photo").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#message")).to_contain_text("This service wants a key.")


def test_swagger_ui_takes_it_too(browser: Browser, guarded: str) -> None:
    with opened(browser, guarded, refusals=True) as page:
        page.goto("/docs")
        page.get_by_role("button", name="Authorize").click()
        bearer = page.locator(".auth-container").filter(has_text="Bearer")
        bearer.get_by_label("auth-bearer-value").fill(KEY)
        bearer.get_by_label("Apply credentials").click()
        bearer.get_by_role("button", name="Close").click()
        block = page.locator("#operations-default-predict")
        block.locator(".opblock-summary-control").click()
        block.locator('input[type="file"]').set_input_files("tests/data/astronaut.jpg")
        block.locator("button.execute").click()
        status = block.locator(".live-responses-table .response .response-col_status")
        expect(status).to_contain_text("200")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm install axe-core")
def test_the_question_keeps_nobody_out(browser: Browser, guarded: str, scheme: str) -> None:
    look = {"color_scheme": scheme, "reduced_motion": "reduce"}
    with opened(browser, guarded, refusals=True, axe=AXE, **look) as page:
        page.get_by_role("button", name="Try this photo").click()
        answer(page, "a-wrong-key")
        expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
        assert violations(page) == []
