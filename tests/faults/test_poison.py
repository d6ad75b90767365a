"""Images that are none, among images that are."""

import itertools
import json
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

from tests.faults.load import faces, metric
from tests.service.test_server import Process


def png(width: int, height: int, pixels: bytes) -> bytes:
    """A gray PNG of this size, whatever `pixels` are."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


LARGE_PIXELS = 5_000 * 3_000  # within the limits, so they are decoded

BOMBS = {
    # A side of 60,000 pixels, and nothing to fill them with.
    "a large header": (png(60_000, 60_000, b""), 413),
    # 15 million pixels in 15 kB.
    "a large picture": (png(5_000, 3_000, zlib.compress(bytes(5_001 * 3_000), 9)), 200),
    # A thousand times the pixels that the header promises.
    "more pixels than promised": (png(48, 48, zlib.compress(bytes(2_304_000), 9)), 200),
    "no pixels": (png(48, 48, b""), 400),
    "a cut photo": (b"", 400),  # filled in by the test
    "no image": (b"GIF89a" + bytes(100), 415),
}


def test_each_gets_its_own_answer_and_memory_comes_back(crop: bytes, photo: bytes) -> None:
    poison = [(body or photo[:20_000], status) for body, status in BOMBS.values()]
    with Process() as service, ThreadPoolExecutor(8) as clients:
        service.ready()

        def ask(image: bytes) -> tuple[int, bytes]:
            answer, body = service.ask("POST", "/predict?detect=false", image)
            return answer.status, body

        _, alone = ask(crop)
        list(clients.map(ask, (image for image, _ in poison)))  # what has to be loaded, is
        before = metric(service, "process_resident_memory_bytes")
        sent = list(itertools.chain.from_iterable(((crop, 200), bad) for bad in poison * 4))
        answers = list(clients.map(ask, (image for image, _ in sent)))
        after = metric(service, "process_resident_memory_bytes")

    assert [status for status, _ in answers] == [expected for _, expected in sent]
    for status, body in answers[::2]:
        assert (status, faces(body)) == (200, faces(alone))
    for _, body in answers[1::2]:
        assert set(json.loads(body)) & {"faces", "code"}
    assert after - before < 3 * LARGE_PIXELS  # of several large pictures, not one is left
    assert '"level": "error"' not in service.text
