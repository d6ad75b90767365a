"""What holds for the whole page: small, self-contained, for everybody, on every screen."""

import re
from pathlib import Path

import pytest

from tests.browser.chromium import Browser, Page, expect, opened, picture

ROOT = Path(__file__).parent.parent.parent
STATIC = ROOT / "service" / "static"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
HEAVIEST = 150_000  # bytes, everything that the page itself is made of


def violations(page: Page) -> list[str]:
    """What axe finds, of serious and critical impact."""
    found: list[str] = page.evaluate(
        """async () => (await axe.run()).violations
            .filter(({ impact }) => impact === "serious" || impact === "critical")
            .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)"""
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm install axe-core")
def test_nothing_keeps_people_out(browser: Browser, service: str, scheme: str) -> None:
    with opened(browser, service, axe=AXE, color_scheme=scheme, reduced_motion="reduce") as page:
        assert violations(page) == []
        page.get_by_role("button", name="Use the camera").click()
        assert violations(page) == []
        picture(page, f"notice-{scheme}")
        page.get_by_role("button", name="Not now").click()
        page.get_by_role("button", name="Try this photo").click()
        expect(page.locator(".face")).to_have_count(1)
        page.keyboard.press("Control+V")
        expect(page.locator("#status")).to_be_visible()
        assert violations(page) == []
        picture(page, f"example-{scheme}")


def test_narrow_screens(browser: Browser, service: str) -> None:
    with opened(browser, service, viewport={"width": 320, "height": 844}) as page:
        for width in (320, 390, 768):
            page.set_viewport_size({"width": width, "height": 844})
            assert overflow(page) == 0
            picture(page, f"start-{width}")
        page.get_by_role("button", name="Try this photo").click()
        expect(page.locator(".face .title")).to_have_text("Happy")
        for width in (768, 390, 320):
            page.set_viewport_size({"width": width, "height": 844})
            assert overflow(page) == 0
            picture(page, f"example-{width}")


def overflow(page: Page) -> int:
    """Pixels that stick out to the right."""
    pixels: int = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return pixels


def test_the_keyboard_is_enough(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for name in ("Choose photos", "Use the camera", "Try this photo"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=name)).to_be_focused()
    page.keyboard.press("Enter")
    box = page.get_by_role("button", name="Face 1")
    expect(box).to_be_visible()
    expect(page.get_by_role("group", name="Picture")).to_be_focused()

    page.keyboard.press("Tab")
    expect(box).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".face")).to_have_class(re.compile("marked"))


def test_the_page_is_light(page: Page, service: str) -> None:
    sizes = page.evaluate(
        """() => performance.getEntriesByType("resource")
            .concat(performance.getEntriesByType("navigation"))
            .map(({ name, decodedBodySize }) => [name, decodedBodySize])"""
    )
    names = {name.removeprefix(service) for name, _ in sizes}
    assert {f"/static/{path.name}" for path in STATIC.glob("*.js")} <= names
    assert sum(size for _, size in sizes) <= HEAVIEST
    assert sum(path.stat().st_size for path in STATIC.glob("*.*")) <= HEAVIEST


def test_modules_do_not_wait_for_one_another() -> None:
    page = (STATIC / "index.html").read_text()
    for module in STATIC.glob("*.js"):
        kind = (
            'script type="module" src' if module.stem == "main" else 'link rel="modulepreload" href'
        )
        assert f'<{kind}="static/{module.name}"' in page


def test_every_word_is_in_the_file_of_texts(page: Page) -> None:
    empty = page.evaluate(
        """() => [...document.querySelectorAll("[data-text]")]
            .filter(({ textContent }) => !textContent).map(({ outerHTML }) => outerHTML)"""
    )
    assert empty == []
    body = (STATIC / "index.html").read_text().split("<body>")[1]
    body = re.sub(r"<noscript>.*?</noscript>", "", body)
    words = re.sub(r"<[^>]*>", " ", body).split()
    assert words == ["mien"]
