"""The two measures behind the memory limits of the manifests."""

import io
import subprocess
import sys

import pytest
from PIL import Image

from tests.deploy.budgets import BYTES_A_PIXEL, IDLE_BYTES
from tests.deploy.manifests import ROOT

SIDE = 4000  # 16 million pixels, the most that is taken of these

# Prints the most memory that this process has had so far, in bytes.
MOST = """
import re
from pathlib import Path

def tell():
    print(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]))
"""

DECODE = """
import sys
from service.images import ImageLimits, decode_image

data = sys.stdin.buffer.read()
tell()
decode_image(data, ImageLimits())
tell()
"""

SERVE = """
import asyncio
from service.admission import Admission
from service.app import load_pipeline
from service.metrics import Metrics
from service.settings import Settings

async def main():
    async with load_pipeline(Settings(), Metrics(version="0"), Admission(1)):
        tell()

asyncio.run(main())
"""


def printed(code: str, data: bytes = b"") -> list[int]:
    finished = subprocess.run(
        [sys.executable, "-c", MOST + code], cwd=ROOT, input=data, capture_output=True, check=True
    )
    return [int(line) for line in finished.stdout.split()]


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_image_takes_no_more_bytes_a_pixel_than_the_limits_count(form: str, mode: str) -> None:
    file = io.BytesIO()
    image = Image.new("RGBA", (SIDE, SIDE), (9, 99, 199, 99)).convert(mode)
    image.save(file, form, compress_level=1, method=0)

    before, after = printed(DECODE, file.getvalue())

    assert (after - before) / SIDE**2 <= BYTES_A_PIXEL


def test_an_idle_service_takes_no_more_than_the_limits_count() -> None:
    (most,) = printed(SERVE)

    assert most <= IDLE_BYTES
