"""Damaged images: real JPEG, PNG and WebP files, changed where it hurts a parser.

Each is made from its number alone, so that one that did harm can be made again.
"""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from benchmarks.detect import PORTRAIT

SIZE = (160, 120)
_MAGIC = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0")
_ORIENTATION = 0x0112

Random = np.random.Generator
Change = Callable[[Random, bytearray], None]


def mutant(number: int) -> bytes:
    """One of the originals with a few changes, most often one."""
    random = np.random.default_rng(number)
    files = originals()
    data = bytearray(files[random.integers(len(files))])
    for _ in range(random.geometric(0.5)):
        _CHANGES[random.integers(len(_CHANGES))](random, data)
    # Half of the PNGs get right checksums, or nothing behind the first wrong one would be read.
    if data.startswith(b"\x89PNG") and random.random() < 0.5:
        _repair_png(data)
    return bytes(data)


@cache
def originals() -> tuple[bytes, ...]:
    """A portrait in every form that the decoder treats by itself."""
    rgb = Image.open(PORTRAIT).convert("RGB").resize(SIZE)
    turned = Image.Exif()
    turned[_ORIENTATION] = 6
    turned[0x010E] = "a description"
    return (
        _file(rgb, "JPEG", quality=85),
        _file(rgb, "JPEG", quality=85, exif=turned),
        _file(rgb, "JPEG", quality=85, progressive=True, exif=turned),
        _file(rgb.convert("L"), "JPEG"),
        _file(rgb.convert("CMYK"), "JPEG"),
        _file(rgb, "PNG", exif=turned),
        _file(rgb.convert("P"), "PNG"),
        _file(rgb.convert("RGBA"), "PNG"),
        _file(rgb.convert("I;16"), "PNG"),
        _file(rgb.convert("1"), "PNG"),
        _file(rgb, "WEBP", exif=turned),
        _file(rgb.convert("RGBA"), "WEBP", lossless=True),
        _file(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(90)]),
    )


def _file(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _place(random: Random, data: bytearray) -> int:
    """Anywhere, half of the time among the first bytes, where the headers are."""
    end = len(data) if random.random() < 0.5 else min(len(data), 300)
    return int(random.integers(end + 1))


def _overwrite(random: Random, data: bytearray) -> None:
    place = _place(random, data)
    new = random.bytes(int(random.integers(1, 9)))
    data[place : place + len(new)] = new


def _extreme(random: Random, data: bytearray) -> None:
    """A number becomes one at the end of its range: lengths, sizes, counts, offsets."""
    place = _place(random, data)
    new = _MAGIC[random.integers(len(_MAGIC))]
    data[place : place + len(new)] = new


def _flip(random: Random, data: bytearray) -> None:
    if data:
        data[random.integers(len(data))] ^= 1 << int(random.integers(8))


def _remove(random: Random, data: bytearray) -> None:
    place = _place(random, data)
    del data[place : place + int(random.integers(1, 200))]


def _repeat(random: Random, data: bytearray) -> None:
    """A piece again and again: segments, chunks, scans, tables."""
    place = _place(random, data)
    piece = bytes(data[place : place + int(random.integers(1, 100))])
    data[place:place] = piece * int(random.integers(1, 50))


def _cut(random: Random, data: bytearray) -> None:
    del data[_place(random, data) :]


def _splice(random: Random, data: bytearray) -> None:
    """From here on another file."""
    files = originals()
    other = files[random.integers(len(files))]
    place = _place(random, data)
    data[place:] = other[random.integers(len(other)) :]


def _disturb_exif(random: Random, data: bytearray) -> None:
    """Another directory where EXIF has its first one: any tags, types, counts and offsets."""
    start = max(data.find(b"II*\0"), data.find(b"MM\0*"))
    if start >= 0:
        entries = int(random.integers(1, 20))
        data[start + 8 : start + 10 + 12 * entries] = struct.pack("<H", entries) + random.bytes(
            12 * entries
        )


_CHANGES: tuple[Change, ...] = (
    *(_overwrite, _extreme, _extreme, _flip, _flip),
    *(_remove, _repeat, _cut, _splice, _disturb_exif),
)


def _repair_png(data: bytearray) -> None:
    """The right CRC behind each chunk, as far as the chunks go."""
    place = 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[place + 4 : end]))
        place = end + 4
