import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from service.errors import (
    ImageTooLarge,
    ServiceError,
    UndecodableImage,
    UnsupportedMediaType,
)
from service.images import MIN_LONG_SIDE, ImageLimits, Photo, decode_image, to_gray

LIMITS = ImageLimits()
FORMATS = ("JPEG", "PNG", "WEBP")
LOSSLESS: dict[str, dict[str, Any]] = {"PNG": {}, "WEBP": {"lossless": True}}


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decode(data: bytes) -> Photo:
    return decode_image(data, LIMITS)


def colours(width: int = 40, height: int = 30) -> Image.Image:
    """Four corners of different colours, so that every orientation looks different."""
    corners = np.array([[[250, 10, 10], [10, 250, 10]], [[10, 10, 250], [240, 240, 10]]], np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.NEAREST)


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def png(size: tuple[int, int], depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG written by hand: what Pillow does not write, or would refuse to."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def with_jpeg_size(data: bytes, width: int, height: int) -> bytes:
    frame = data.index(b"\xff\xc0")
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def with_jpeg_segment(data: bytes, marker: int, body: bytes) -> bytes:
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:]


def webp_canvas(width: int, height: int) -> bytes:
    """An animated WebP with small frames on a canvas of any size."""
    data = encode(colours(), "WEBP", save_all=True, append_images=[noise(40, 30)])
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return data[:24] + size + data[30:]


def first_pixel(data: bytes) -> list[int]:
    pixel: list[int] = decode(data).pixels[0, 0].tolist()
    return pixel


# What comes out


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format(kind: str) -> None:
    image = colours()
    photo = decode(encode(image, kind))
    assert (photo.width, photo.height) == (40, 30)
    assert photo.pixels.dtype == np.uint8
    difference = np.abs(photo.pixels.astype(int) - np.asarray(image).astype(int))
    assert difference.mean() < 10


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_are_exact(kind: str) -> None:
    image = noise(31, 17)
    assert np.array_equal(decode(encode(image, kind, **LOSSLESS[kind])).pixels, np.asarray(image))


def test_a_real_photo(photo: bytes) -> None:
    with Image.open(BytesIO(photo)) as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode(photo).pixels, expected)


def test_pixels_are_contiguous_and_read_only(photo: bytes) -> None:
    pixels = decode(photo).pixels
    assert pixels.flags.c_contiguous
    assert not pixels.flags.writeable


@pytest.mark.parametrize("kind", FORMATS)
def test_one_pixel(kind: str) -> None:
    assert decode(encode(colours(1, 1), kind)).pixels.shape == (1, 1, 3)


@pytest.mark.parametrize(
    "mode",
    ["1", "L", "LA", "P", "RGB", "RGBA"],
    ids=["one bit", "gray", "gray alpha", "palette", "rgb", "rgba"],
)
def test_each_png_mode(mode: str) -> None:
    image = colours().convert(mode)
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode(encode(image, "PNG")).pixels, expected)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_each_jpeg_mode(mode: str) -> None:
    image = Image.new("RGB", (16, 16), (200, 100, 50)).convert(mode)
    expected = np.asarray(image.convert("RGB"))[0, 0].tolist()
    assert first_pixel(encode(image, "JPEG", quality=100)) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((10, 20, 30, 0), [255, 255, 255]),
        ((10, 20, 30, 255), [10, 20, 30]),
        ((0, 0, 0, 51), [204, 204, 204]),
    ],
    ids=["transparent", "opaque", "a fifth"],
)
def test_transparent_is_white(
    kind: str, colour: tuple[int, int, int, int], expected: list[int]
) -> None:
    image = Image.new("RGBA", (4, 4), colour)
    assert first_pixel(encode(image, kind, exact=True, **LOSSLESS[kind])) == expected


def test_a_transparent_palette_entry_is_white() -> None:
    palette = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60])) + chunk(b"tRNS", bytes([0, 255]))
    photo = decode(png((2, 1), 8, 3, b"\0\0\1", palette))
    assert photo.pixels[0].tolist() == [[255, 255, 255], [40, 50, 60]]


def test_a_transparent_colour_is_white() -> None:
    transparent = chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
    photo = decode(png((2, 1), 8, 2, b"\0\1\2\3\4\5\6", transparent))
    assert photo.pixels[0].tolist() == [[255, 255, 255], [4, 5, 6]]


@pytest.mark.parametrize(
    ("colour", "samples", "expected"),
    [
        (0, [0x8012], [128, 128, 128]),
        (2, [0x8012, 0xFFFF, 0x1234], [128, 255, 18]),
        (4, [0x8012, 0xFFFF], [128, 128, 128]),
        (6, [0x8012, 0xFFFF, 0x1234, 0xFFFF], [128, 255, 18]),
    ],
    ids=["gray", "rgb", "gray alpha", "rgba"],
)
def test_16_bit_samples_keep_their_upper_byte(
    colour: int, samples: list[int], expected: list[int]
) -> None:
    rows = b"\0" + struct.pack(f">{len(samples)}H", *samples)
    assert first_pixel(png((1, 1), 16, colour, rows)) == expected


def test_a_16_bit_transparent_colour_hides_nothing() -> None:
    transparent = chunk(b"tRNS", struct.pack(">HHH", 0x0102, 0x0304, 0x0506))
    rows = b"\0" + bytes([2, 0, 4, 0, 6, 0])  # the lower bytes of the transparent colour
    assert first_pixel(png((1, 1), 16, 2, rows, transparent)) == [2, 4, 6]


def test_animated_webp_gives_the_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert first_pixel(data) == [255, 0, 0]


def test_animated_png_gives_the_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert b"fdAT" in data
    assert first_pixel(data) == [255, 0, 0]


def test_several_pictures_in_one_jpeg_give_the_first() -> None:
    pictures = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = encode(pictures[0], "MPO", save_all=True, append_images=pictures[1:])
    with Image.open(BytesIO(data)) as image:
        assert image.format == "MPO"
    assert first_pixel(data) == pytest.approx([255, 0, 0], abs=2)


def test_progressive() -> None:
    image = noise(64, 48).resize((320, 240))
    progressive = decode(encode(image, "JPEG", progressive=True))
    assert np.array_equal(progressive.pixels, decode(encode(image, "JPEG")).pixels)


def test_a_jpeg_whose_colours_only_adobe_s_marker_tells() -> None:
    data = encode(colours(), "JPEG")
    end_of_jfif = 4 + int.from_bytes(data[4:6])
    adobe = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 0)  # RGB as it is, not YCbCr
    data = with_jpeg_segment(data[:2] + data[end_of_jfif:], 0xEE, adobe)
    with Image.open(BytesIO(data)) as image:
        expected = np.asarray(image)
    assert np.array_equal(decode(data).pixels, expected)
    assert not np.array_equal(expected, decode(encode(colours(), "JPEG")).pixels)


# Orientation


def exif(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    """EXIF of two entries, as files of every format begin it."""
    head = {"<": b"Exif\0\0II*\0", ">": b"Exif\0\0MM\0*"}[order]
    width = struct.pack(order + "HHII", 0x0100, 4, 1, 7)
    entry = struct.pack(order + "HHIH2x", 0x0112, kind, 1, orientation)
    return head + struct.pack(order + "IH", 8, 2) + width + entry + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little endian", "big endian"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", FORMATS)
def test_orientation(kind: str, orientation: int, order: str) -> None:
    data = encode(colours(), kind, exif=exif(orientation, order), **LOSSLESS.get(kind, {}))
    with Image.open(BytesIO(data)) as image:
        assert image.getexif()[0x0112] == orientation
        expected = ImageOps.exif_transpose(image)
    photo = decode(data)
    assert (photo.width, photo.height) == expected.size
    assert np.array_equal(photo.pixels, np.asarray(expected))


BROKEN_EXIF = {
    "zero": exif(0),
    "nine": exif(9),
    "not a SHORT": exif(6, kind=2),
    "empty": b"Exif\0\0",
    "no TIFF": b"Exif\0\0garbage" * 10,
    "no directory": exif(6)[:14],
    "cut in the directory": exif(6)[:30],
    "directory far away": b"Exif\0\0II*\0\xff\xff\xff\x7f",
    "65,535 entries": b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
}


@pytest.mark.parametrize("broken", BROKEN_EXIF.values(), ids=BROKEN_EXIF)
@pytest.mark.parametrize("kind", FORMATS)
def test_broken_exif_means_upright(kind: str, broken: bytes) -> None:
    image = colours()
    if kind == "JPEG":
        data = with_jpeg_segment(encode(image, kind), 0xE1, broken)
    else:
        data = encode(image, kind, exif=broken, **LOSSLESS[kind])
    photo = decode(data)
    assert (photo.width, photo.height) == image.size
    difference = np.abs(photo.pixels.astype(int) - np.asarray(image).astype(int))
    assert difference.mean() < 10


# Smaller than it came


@pytest.mark.parametrize(("side", "factor"), [(1, 1), (2, 2), (4, 4), (8, 8), (12, 8)])
@pytest.mark.parametrize("kind", FORMATS)
def test_large_images_are_decoded_smaller(kind: str, side: int, factor: int) -> None:
    width, height = side * MIN_LONG_SIDE, 64
    photo = decode(encode(colours(width, height), kind))
    assert (photo.width, photo.height) == (width, height)
    assert photo.pixels.shape == (height // factor, width // factor, 3)
    assert photo.scale == (factor, factor)


@pytest.mark.parametrize("kind", FORMATS)
def test_never_below_the_smallest_long_side(kind: str) -> None:
    photo = decode(encode(colours(64, 2 * MIN_LONG_SIDE - 1), kind))
    assert photo.pixels.shape == (2 * MIN_LONG_SIDE - 1, 64, 3)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_smaller_picture_shows_the_same(kind: str) -> None:
    image = noise(64, 8).resize((2 * MIN_LONG_SIDE, 240))
    difference = np.abs(
        decode(encode(image, kind)).pixels.astype(int) - np.asarray(image.reduce(2)).astype(int)
    )
    assert difference.mean() < 3


@pytest.mark.parametrize("size", [(2 * MIN_LONG_SIDE, 1), (8 * MIN_LONG_SIDE, 3), (3, 10_001)])
@pytest.mark.parametrize("kind", FORMATS)
def test_thin_images(kind: str, size: tuple[int, int]) -> None:
    photo = decode(encode(colours(*size), kind))
    height, width, _ = photo.pixels.shape
    assert (photo.width, photo.height) == size
    assert photo.scale == (size[0] / width, size[1] / height)


@pytest.mark.parametrize("kind", FORMATS)
def test_size_is_that_of_the_upright_picture(kind: str) -> None:
    photo = decode(encode(colours(2 * MIN_LONG_SIDE, 64), kind, exif=exif(6)))
    assert (photo.width, photo.height) == (64, 2 * MIN_LONG_SIDE)
    assert photo.pixels.shape == (MIN_LONG_SIDE, 32, 3)


@pytest.mark.parametrize("mode", ["P", "LA", "RGBA", "CMYK", "1"])
def test_each_mode_can_be_made_smaller(mode: str) -> None:
    image = Image.new("RGB", (2 * MIN_LONG_SIDE, 4), (255, 255, 255)).convert(mode)
    data = encode(image, "JPEG" if mode == "CMYK" else "PNG")
    assert decode(data).pixels.shape == (2, MIN_LONG_SIDE, 3)
    assert first_pixel(data) == [255, 255, 255]


def test_16_bit_images_can_be_made_smaller() -> None:
    rows = (b"\0" + b"\x80\x12" * 2 * MIN_LONG_SIDE) * 4
    photo = decode(png((2 * MIN_LONG_SIDE, 4), 16, 0, rows))
    assert photo.pixels.shape == (2, MIN_LONG_SIDE, 3)
    assert np.all(photo.pixels == 128)


# Too large


@pytest.mark.parametrize("kind", FORMATS)
def test_the_pixel_limit_is_exact(kind: str) -> None:
    data = encode(colours(40, 30), kind)
    decode_image(data, ImageLimits(max_pixels=1200))
    with pytest.raises(ImageTooLarge, match="40 x 30"):
        decode_image(data, ImageLimits(max_pixels=1199))


ENORMOUS = {
    "jpeg": with_jpeg_size(encode(colours(), "JPEG"), 65_500, 65_500),
    "progressive": encode(colours(), "JPEG", progressive=True).replace(
        b"\xff\xc2\x00\x11\x08\x00\x1e\x00\x28", b"\xff\xc2\x00\x11\x08\xff\xdc\xff\xdc"
    ),
    "png": png((65_500, 65_500), 8, 2, b""),
    "png beyond libpng": png((2**31 - 1, 2**31 - 1), 8, 2, b""),
    "webp beyond Pillow's limit": webp_canvas(16_384, 16_384),
    "webp where Pillow would warn": webp_canvas(10_000, 10_000),
    "webp where Pillow would not mind": webp_canvas(10_000, 8_000),
}


@pytest.mark.parametrize("data", ENORMOUS.values(), ids=ENORMOUS)
def test_an_enormous_header_is_refused_before_decoding(data: bytes) -> None:
    with pytest.raises(ImageTooLarge):
        decode(data)


@pytest.mark.parametrize("size", [(65_501, 1), (1, 65_501)])
def test_a_side_has_a_limit(size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooLarge, match="longest side"):
        decode(png(size, 8, 2, b""))


def test_progressive_has_a_lower_limit() -> None:
    image = colours(40, 30)
    limits = ImageLimits(max_pixels=1200, max_whole_pixels=1199)
    decode_image(encode(image, "JPEG"), limits)
    with pytest.raises(ImageTooLarge, match="progressive"):
        decode_image(encode(image, "JPEG", progressive=True), limits)
    decode_image(encode(image, "JPEG", progressive=True), ImageLimits(max_whole_pixels=1200))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_so_has_what_cannot_be_decoded_at_a_fraction_of_its_size(kind: str) -> None:
    data = encode(colours(40, 30), kind)
    decode_image(data, ImageLimits(max_whole_pixels=1200))
    with pytest.raises(ImageTooLarge, match=f"a {kind} may have 1199"):
        decode_image(data, ImageLimits(max_whole_pixels=1199))


def test_one_scan_for_each_component_counts_as_progressive() -> None:
    data = encode(colours(40, 30), "JPEG")
    scan = data.index(b"\xff\xda")
    scans = b"".join(
        b"\xff\xda" + struct.pack(">H6B", 8, 1, component, 0, 0, 63, 0) + data[scan + 14 : -2]
        for component in (1, 2, 3)
    )
    with pytest.raises(ImageTooLarge, match="progressive"):
        decode_image(data[:scan] + scans + data[-2:], ImageLimits(max_whole_pixels=1199))


def test_scans_of_what_lies_behind_a_picture_do_not_count() -> None:
    picture = encode(colours(40, 30), "JPEG", progressive=True)
    limits = ImageLimits(max_whole_pixels=1200)
    for behind in (50 * picture, 50 * b"\xff\xda\0\x08 a motion photo's video"):
        decode_image(picture + behind, limits)
    # But an end in a comment is none.
    comment = b"\xff\xfe\0\x04\xff\xd9"
    last_scan = picture[picture.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageTooLarge, match="progressive"):
        decode_image(picture[:-2] + comment + 50 * last_scan + picture[-2:], limits)


def test_too_many_segments_between_scans_are_refused() -> None:
    picture = encode(colours(40, 30), "JPEG", progressive=True)
    with pytest.raises(UndecodableImage, match="too many segments"):
        decode_image(picture[:-2] + 1000 * b"\xff\xfe\0\x02" + picture[-2:], ImageLimits())


def test_many_scans_lower_the_limit_further() -> None:
    data = encode(colours(40, 30), "JPEG", progressive=True)
    last_scan = data[data.rindex(b"\xff\xda") : -2]
    many = data[:-2] + 150 * last_scan + data[-2:]
    decode_image(many, ImageLimits(max_whole_pixels=12_000))
    with pytest.raises(ImageTooLarge, match="progressive"):
        decode_image(many, ImageLimits(max_whole_pixels=11_000))


# Damaged, or no image at all


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"hello", b"BMW is a car maker", b"<svg/>", bytes(1000)]
)
def test_no_image(data: bytes) -> None:
    with pytest.raises(UndecodableImage, match="no image"):
        decode(data)


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_a_jpeg_cut_anywhere(progressive: bool) -> None:
    data = encode(noise(20, 20), "JPEG", progressive=progressive)
    for length in range(len(data)):
        with pytest.raises(UndecodableImage):
            decode(data[:length])


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_file_cut_anywhere(kind: str) -> None:
    data = encode(noise(20, 20), kind)
    for length in range(len(data)):
        with pytest.raises(UndecodableImage):
            decode(data[:length])


DAMAGED = {
    "jpeg of 0 x 0": with_jpeg_size(encode(colours(), "JPEG"), 0, 0),
    "jpeg without pixels": b"\xff\xd8\xff\xd9",
    "jpeg of nothing but junk": b"\xff\xd8\xff" + bytes(1_000_000),
    "jpeg of nothing but segments": b"\xff\xd8" + b"\xff\xe0\0\2" * 100_000,
    "png of 0 x 0": png((0, 0), 8, 2, b""),
    "png with too few rows": png((8, 8), 8, 2, b"\0\1\2\3"),
    "png with a byte too many": encode(noise(8, 8), "PNG").replace(b"IDAT", b"IDAT\0", 1),
    "png of an unknown kind": png((8, 8), 7, 2, b""),
    "png of nothing but chunks": png((8, 8), 8, 2, b"", *[chunk(b"tEXt", b"")] * 20_000),
    "webp of nothing": b"RIFF\x04\0\0\0WEBP",
    "webp of garbage": b"RIFF\x40\0\0\0WEBPVP8 " + bytes(50),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_damaged(data: bytes) -> None:
    with pytest.raises(UndecodableImage):
        decode(data)


OTHERS = {
    "GIF": encode(colours(), "GIF", save_all=True, append_images=[noise(40, 30)]),
    "BMP": encode(colours(), "BMP"),
    "TIFF": encode(colours(), "TIFF"),
    "ICO": encode(colours(32, 32), "ICO"),
    "PSD": b"8BPS\0\1",
    "AVIF": b"\0\0\0\x20ftypavif",
    "HEIF": b"\0\0\0\x18ftypheic",
    "JPEG XL": b"\0\0\0\x0cJXL \r\n\x87\n",
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_image_formats(kind: str) -> None:
    with pytest.raises(UnsupportedMediaType, match=kind):
        decode(OTHERS[kind])


SMALL = [encode(noise(24, 16), kind) for kind in FORMATS] + [
    encode(noise(24, 16), "JPEG", progressive=True),
    encode(colours(24, 16).convert("P"), "PNG"),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SMALL), st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=8))))
def test_no_bytes_do_worse_than_an_error(data: bytes, damages: list[tuple[int, bytes]]) -> None:
    damaged = bytearray(data)
    for position, replacement in damages:
        damaged[position : position + len(replacement)] = replacement
    try:
        pixels: NDArray[np.uint8] = decode(bytes(damaged)).pixels
    except ServiceError as error:
        assert error.status in (400, 413, 415)
    else:
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3


# Metadata


def test_metadata_is_never_parsed() -> None:
    """Neither bombs nor garbage in what is not needed to draw the picture matter."""
    image = colours()
    bomb = zlib.compress(bytes(50_000_000))
    texts = [chunk(b"zTXt", b"a\0\0" + bomb), chunk(b"iCCP", b"a\0\0" + bomb)] * 10
    data = encode(image, "PNG")
    drawn = decode(data[:33] + b"".join(texts) + chunk(b"tEXt", b"\xff") + data[33:])
    assert np.array_equal(drawn.pixels, np.asarray(image))

    data = encode(image, "JPEG")
    expected = decode(data).pixels
    # Directory entries that each claim the rest of the file, as Pillow would warn of.
    entries = struct.pack("<HHII", 0x0200, 7, 50_000, 8) * 1000
    hostile = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1000) + entries
    for marker, body in ((0xE1, hostile), (0xE2, b"MPF\0garbage"), (0xED, b"\xff"), (0xFE, b"?")):
        data = with_jpeg_segment(data, marker, body)
    assert np.array_equal(decode(data).pixels, expected)


# Gray


def test_gray_is_pillow_s() -> None:
    image = noise(300, 200)
    assert np.array_equal(to_gray(np.asarray(image)), np.asarray(image.convert("L")))


def test_gray_keeps_gray_as_it_is() -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    data = encode(Image.fromarray(gray), "PNG")
    assert np.array_equal(to_gray(decode(data).pixels), gray)
