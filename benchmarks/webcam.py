"""How live the page's camera is: `python -m benchmarks.webcam`.

The service and a headless Chromium on this machine; the camera shows 640 x 480 pixels, 30 times a
second: a face that wanders about, and then nobody, for whom the detector looks most often. Counts
the frames that were answered, as the browser saw them. Writes benchmarks/results/webcam.json, and
fails below 10 frames a second with a face, or where two frames were in flight at once. Takes a
minute.
"""

import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, Playwright, sync_playwright

from benchmarks.browser import FRAME, FRAMES_A_SECOND, launch, playing, write_film
from benchmarks.detect import PORTRAIT
from benchmarks.process import service
from benchmarks.record import machine, record

SECONDS = 20
LEAST_PACE = 10  # frames a second

Spans = list[tuple[float, float]]


def somebody() -> Iterator[Image.Image]:
    """Four seconds in which a portrait goes to the right and comes back."""
    portrait = Image.open(PORTRAIT).convert("RGB").resize((FRAME[1], FRAME[1]))
    count = 4 * FRAMES_A_SECOND
    for number in range(count):
        frame = Image.new("RGB", FRAME, "gray")
        way = (1 - math.cos(2 * math.pi * number / count)) / 2
        frame.paste(portrait, (round(way * (FRAME[0] - FRAME[1])), 0))
        yield frame


def nobody() -> Iterator[Image.Image]:
    yield Image.new("RGB", FRAME, "gray")


def watch(playwright: Playwright, address: str, film: Path) -> Spans:
    """When each frame was sent and answered, in ms: those of `SECONDS` after the first answers."""
    browser = launch(playwright, *playing(film))
    try:
        page = browser.new_page()
        page.add_init_script("performance.setResourceTimingBufferSize(100_000)")
        page.goto(address)
        page.get_by_role("button", name="Use the camera").click()
        page.get_by_role("button", name="Start the camera").click()
        page.wait_for_function(
            """() => performance.getEntriesByType("resource")
                .filter(({ name }) => name.endsWith("/predict")).length > 5"""
        )
        start: float = page.evaluate("() => performance.now()")
        page.wait_for_timeout(1000 * SECONDS)
        return [span for span in _spans(page) if start <= span[1] <= start + 1000 * SECONDS]
    finally:
        browser.close()


def _spans(page: Page) -> Spans:
    found: Spans = page.evaluate(
        """() => performance.getEntriesByType("resource")
            .filter(({ name }) => name.endsWith("/predict"))
            .map(({ startTime, responseEnd }) => [startTime, responseEnd])"""
    )
    return found


def summarise(spans: Spans) -> dict[str, Any]:
    """Pace and waits; and how many frames were in flight when most were."""
    waits = [answered - sent for sent, answered in spans]
    in_flight = [sum(sent <= moment < end for sent, end in spans) for moment, _ in spans]
    return {
        "frames_a_second": round(len(spans) / SECONDS, 1),
        "answer_ms": {
            "median": round(float(np.median(waits)), 1),
            "95 %": round(float(np.quantile(waits, 0.95)), 1),
        },
        "most_in_flight": max(in_flight),
    }


def main() -> None:
    begun_on = machine()
    result: dict[str, Any] = {
        "camera": f"{FRAME[0]} x {FRAME[1]}, {FRAMES_A_SECOND} frames a second",
        "seconds": SECONDS,
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        service() as server,
        sync_playwright() as playwright,
    ):
        result["models"] = server.models()
        for name, frames in (("a face", somebody()), ("nobody", nobody())):
            film = write_film(Path(folder) / f"{name}.mjpeg", frames)
            result[name] = summarise(watch(playwright, server.address, film))
    record("webcam", begun_on, result)
    if max(result[name]["most_in_flight"] for name in ("a face", "nobody")) > 1:
        sys.exit("expected one frame in flight at a time")
    if result["a face"]["frames_a_second"] < LEAST_PACE:
        sys.exit(f"expected at least {LEAST_PACE} frames a second")


if __name__ == "__main__":
    main()
