"""From the bytes of a stranger to upright RGB pixels.

JPEG, PNG and WebP only. Before Pillow sees a JPEG or a PNG, everything that is not needed to draw
it is taken out: EXIF, ICC, XMP, thumbnails, gain maps, second pictures and text chunks are most of
an image parser's attack surface, some of them are read byte by byte in Python, and none of them
changes a face. A WebP's are whole chunks, which libwebp hands over unread. The one thing worth
knowing, EXIF's orientation, is read here. Colour profiles are ignored, as they were when the models
were trained.
"""

import re
import struct
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from service.errors import ImageTooLarge, ServiceError, UndecodableImage, UnsupportedMediaType

# Photos are decoded at 1/2, 1/4 or 1/8 while their longest side keeps at least this many pixels:
# one and a half times the most that the face detector looks at, so that small faces keep pixels of
# their own to be cut out. 4000 x 3000, the usual 12 megapixels, are decoded at 1/4.
MIN_LONG_SIDE = 1000

# Far more than any camera or program writes; they bound the loops in Python, ours and Pillow's.
_MAX_JPEG_SEGMENTS = 1_000
# A segment, or the end of the picture; neither stuffing and fill between pixels nor a restart.
_JPEG_SEGMENT = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_MAX_PNG_CHUNKS = 20_000

# Scans of a progressive JPEG at its pixel limit; programs write 6 to 12. One with more scans may
# have fewer pixels, as decoding takes scans x pixels.
_USUAL_SCANS = 16

_SAMPLES = 32  # pixels a side, at most, that tell how bright an image is

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS_TO_DRAW = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})

_OTHER_IMAGE = re.compile(
    rb"(?P<GIF>GIF8)|(?P<BMP>BM.{4}\0{4})|(?P<TIFF>II\*\0|MM\0\*)|(?P<ICO>\0\0\x01\0)|(?P<PSD>8BPS)"
    rb"|(?P<AVIF>.{4}ftypavi[fs])|(?P<HEIF>.{4}ftyp(?:hei|hev|mif1|msf1))"
    rb"|(?P<JPEG_XL>\xff\x0a|\0{3}\x0cJXL )|(?P<JPEG_2000>\0{3}\x0cjP  |\xff\x4f\xff\x51)",
    re.DOTALL,
)

# How to undo each EXIF orientation; 1 is upright. From 5 on, width and height change places.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Largest image that is decoded. Checked against the header, before any pixel is."""

    max_pixels: int = 50_000_000
    # PNG, WebP and progressive JPEG cannot be decoded at a fraction of their size: every pixel of
    # theirs takes up to 21 bytes, and a few bytes of file can ask for all of them.
    max_whole_pixels: int = 16_000_000
    max_side: int = 65_500  # libjpeg's own limit; a longer PNG is no photo


@dataclass(frozen=True, slots=True)
class Photo:
    """An upright picture: its pixels, perhaps fewer than it came with, and its full size.

    `pixels` is (h, w, 3) uint8 RGB, read-only: the full picture, or 1/2, 1/4 or 1/8 of it.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the full picture to one of `pixels`, in x and in y."""
        height, width, _ = self.pixels.shape
        return self.width / width, self.height / height

    @property
    def brightness(self) -> float:
        """The mean over pixels and channels, 0..1, of a sample that costs microseconds."""
        height, width, _ = self.pixels.shape
        sample = self.pixels[:: -(-height // _SAMPLES), :: -(-width // _SAMPLES)]
        return int(sample.sum()) / sample.size / 255


def decode_image(data: bytes, limits: ImageLimits) -> Photo:
    """Decode the first picture of a JPEG, PNG or WebP file and turn it upright.

    Transparent parts become white. 16-bit samples keep their upper byte. Raises `UndecodableImage`
    for what is no image, is damaged, or ends too early; `UnsupportedMediaType` for other image
    formats; `ImageTooLarge` beyond `limits`.
    """
    try:
        image, exif, scans = _open(data)
        width, height = image.size
        _check_size(image, scans, limits)
        factor = _reduction(width, height)
        if isinstance(image, JpegImageFile):
            # libjpeg leaves out work that the smaller picture does not need.
            image.draft(None, (max(1, width // factor), max(1, height // factor)))
            factor = 1
        picture = _to_rgb(image, factor)
    except (ServiceError, MemoryError):
        raise
    except Image.DecompressionBombError as error:  # a WebP beyond even Pillow's own limit
        raise ImageTooLarge("The image has too many pixels.") from error
    except Exception as error:  # Pillow raises nearly any type on damaged input
        raise UndecodableImage("The image is damaged or incomplete.") from error

    orientation = _orientation(exif)
    if orientation in _UPRIGHT:
        picture = picture.transpose(_UPRIGHT[orientation])
    if orientation >= 5:
        width, height = height, width
    return Photo(np.asarray(picture), width, height)


def to_gray(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) RGB to (H, W) luma as of ITU-R BT.601, to the bit what Pillow's mode L is."""
    return np.asarray(Image.fromarray(rgb).convert("L"))


def _open(data: bytes) -> tuple[ImageFile, bytes, int]:
    """The image with only its header read, its EXIF, and how many scans its decoding takes."""
    # The plugins themselves: Image.open would try others, and warns of big images on stderr.
    if data.startswith(b"\xff\xd8\xff"):
        drawing, exif, scans = _bare_jpeg(data)
        return JpegImageFile(BytesIO(drawing)), exif, scans
    if data.startswith(_PNG_SIGNATURE):
        drawing, exif = _bare_png(data)
        return PngImageFile(BytesIO(drawing)), exif, 1
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        image = WebPImageFile(BytesIO(data))
        return image, image.info.get("exif", b""), 1
    if other := _OTHER_IMAGE.match(data):
        name = str(other.lastgroup).replace("_", " ")
        raise UnsupportedMediaType(f"{name} images are not taken; send JPEG, PNG or WebP.")
    raise UndecodableImage("This is no image; send JPEG, PNG or WebP.")


def _check_size(image: ImageFile, scans: int, limits: ImageLimits) -> None:
    width, height = image.size
    if width > limits.max_side or height > limits.max_side:
        raise ImageTooLarge(
            f"The image has {width} x {height} pixels; the longest side may have {limits.max_side}."
        )
    most, kind = limits.max_pixels, "a JPEG"
    if scans > 1:
        whole = limits.max_whole_pixels * _USUAL_SCANS // max(_USUAL_SCANS, scans)
        most, kind = min(most, whole), "a progressive JPEG with its scans"
    elif not isinstance(image, JpegImageFile):
        most, kind = min(most, limits.max_whole_pixels), f"a {image.format}"
    if width * height > most:
        raise ImageTooLarge(f"The image has {width} x {height} pixels; {kind} may have {most}.")


def _reduction(width: int, height: int) -> int:
    """The largest of 8, 4, 2 and 1 that leaves the longest side `MIN_LONG_SIDE` pixels."""
    return next((n for n in (8, 4, 2) if max(width, height) >= n * MIN_LONG_SIDE), 1)


def _to_rgb(image: Image.Image, factor: int) -> Image.Image:
    """Decode, make smaller by `factor`, lay on white."""
    image.load()
    if image.mode.startswith("I;16"):
        # Pillow's own conversion would clip at 255 instead of scaling.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode not in ("L", "RGB", "CMYK"):  # a palette or single bits cannot be averaged
        image = image.convert("RGB")
    if factor > 1:
        image = image.reduce(factor)
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _bare_jpeg(data: bytes) -> tuple[bytes, bytes, int]:
    """A JPEG without its metadata, its EXIF, and how many scans there are to decode.

    Source: ITU-T T.81, annex B.
    """
    kept: list[bytes | memoryview] = [b"\xff\xd8"]
    exif = b""
    progressive = False
    components = 0
    position = 2
    for _ in range(_MAX_JPEG_SEGMENTS):
        start = data.index(b"\xff", position)
        marker = data[start + 1]
        if marker in (0x00, 0xFF):  # stuffing or fill
            position = start + 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD9:  # markers without a segment
            position = start + 2
            continue
        (length,) = struct.unpack_from(">H", data, start + 2)
        position = start + 2 + length
        segment = data[start + 4 : position]
        if marker == 0xDA:  # start of scan: from here on it is pixels
            kept.append(memoryview(data)[start:])
            # Only these kinds can have more than one scan; counting costs a pass over the picture.
            several = progressive or segment[0] < components
            return b"".join(kept), exif, _scans(data, start) if several else 1
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            progressive = marker & 0b11 == 0b10
            components = segment[5]
        if marker == 0xE1 and segment.startswith(b"Exif\0\0"):
            exif = exif or segment[6:]
        # Of the application segments only JFIF (0) and Adobe (14) change how colours are read.
        if marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(data[start:position])
    raise UndecodableImage("The JPEG has no picture.")


def _scans(data: bytes, position: int) -> int:
    """The scans from there up to the end of the picture, behind which there may be others."""
    scans = 0
    for _ in range(_MAX_JPEG_SEGMENTS):
        found = _JPEG_SEGMENT.search(data, position)
        if found is None or data[found.start() + 1] == 0xD9:
            return scans
        scans += data[found.start() + 1] == 0xDA
        (length,) = struct.unpack_from(">H", data, found.end())
        position = found.end() + length
    raise UndecodableImage("The JPEG has too many segments.")


def _bare_png(data: bytes) -> tuple[bytes, bytes]:
    """A PNG without its metadata, and its EXIF. Of an animation it leaves the default image.

    Source: PNG specification, third edition, section 5.
    """
    kept: list[bytes | memoryview] = [_PNG_SIGNATURE]
    exif = b""
    position = len(_PNG_SIGNATURE)
    for _ in range(_MAX_PNG_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        chunk = memoryview(data)[position : position + 12 + length]
        position += 12 + length
        if position > len(data):
            raise UndecodableImage("The PNG ends too early.")
        if kind == b"eXIf":
            exif = bytes(chunk[8:-4])
        # Pillow compares the transparent colour of 16-bit samples with their upper bytes: leave it.
        if kind in _PNG_CHUNKS_TO_DRAW and not (kind == b"tRNS" and data[24] == 16):
            kept.append(chunk)
        if kind == b"IEND":
            return b"".join(kept), exif
    raise UndecodableImage("The PNG has too many chunks.")


def _orientation(exif: bytes) -> int:
    """EXIF's orientation, 1 to 8; 1, upright, if there is none or the EXIF is broken.

    Source: EXIF 2.32, section 4.6.4: tag 0x0112 of the first directory, one SHORT.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(entries):
            tag, kind, _, value = struct.unpack_from(
                order + "HHIH", tiff, directory + 2 + 12 * entry
            )
            if tag == 0x0112:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
