"""Debian's Chromium without a window, and films that its camera plays."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

CHROMIUM = Path("/usr/bin/chromium")
FRAME = (640, 480)  # width and height of a film
FRAMES_A_SECOND = 30  # that Chromium plays of a film, which tells no rate itself

# No window, and no errand of the browser's own.
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def launch(playwright: "Playwright", *flags: str) -> "Browser":
    """Chromium, headless; the name mien.test is this machine, but no secure origin."""
    return playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=[*_FLAGS, "--host-resolver-rules=MAP mien.test 127.0.0.1", *flags],
    )


def playing(film: Path) -> tuple[str, ...]:
    """The flags for a camera that plays a film over and over, and that every page may use."""
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )


def write_film(path: Path, frames: Iterable[Image.Image]) -> Path:
    """Motion JPEG: one JPEG after the other."""
    with path.open("wb") as film:
        for frame in frames:
            film.write(jpeg(frame))
    return path


def jpeg(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()
