"""A real browser for tests, which are skipped where there is none."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make .venv-dev")

from playwright.sync_api import (
    Browser,
    FilePayload,
    Locator,
    Page,
    Playwright,
    Route,
    expect,
)

from benchmarks.browser import CHROMIUM, launch

__all__ = [
    "Browser",
    "FilePayload",
    "Locator",
    "Page",
    "Playwright",
    "Route",
    "expect",
    "launch",
    "opened",
    "picture",
]

SCREENSHOTS = Path(__file__).parent.parent.parent / "runs" / "screenshots"

if not CHROMIUM.exists():
    pytest.skip("Chromium is not installed: apt-get install chromium", allow_module_level=True)

# What the browser logs by itself about an answer that is an error, or about none.
_REFUSED = re.compile(r"Failed to load resource: ")

# Two busy cores are slow, and a result that comes late is still right.
expect.set_options(timeout=20_000)


@contextmanager
def opened(
    browser: Browser,
    address: str,
    *,
    refusals: bool = False,
    axe: Path | None = None,
    **context: Any,
) -> Iterator[Page]:
    """The page of the service at `address`, in a fresh context made with the options `context`.

    At the end the page must have logged no error and sent no request elsewhere; `refusals` says
    that the test makes the service refuse requests. `axe` is a script to have ready in the page.
    """
    faults: list[str] = []
    session = browser.new_context(base_url=address, **context)
    if axe:
        session.add_init_script(path=axe)
    page = session.new_page()
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
    session.on("request", lambda request: faults.append(f"request: {request.url}"))
    page.goto("/")
    yield page
    session.close()
    own = tuple(f"request: {start}" for start in (f"{address}/", f"blob:{address}/", "data:"))
    faults = [fault for fault in faults if not fault.startswith(own)]
    assert [fault for fault in faults if not (refusals and _REFUSED.search(fault))] == []


def picture(page: Page, name: str) -> None:
    """Leaves a picture of the page for people to look at."""
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True, animations="disabled")
