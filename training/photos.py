"""Natural photos for the face detector: a folder or a .zip of them, whatever they are called."""

import zipfile
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
LONGEST = 640  # pixels of a side; larger photos are reduced, as they are seen at 320

Pixels = NDArray[np.uint8]


class Photos(Protocol):
    """Photos by name, in the order of their names."""

    @property
    def names(self) -> list[str]: ...
    def read(self, name: str) -> Pixels: ...


class PhotosError(ValueError):
    """There are no photos to work with, or one that is none."""


class FolderOfPhotos:
    """The photos of a folder and of all that lie in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.names = sorted(
            name
            for path in folder.rglob("*")
            if is_photo(name := path.relative_to(folder).as_posix())
        )

    def read(self, name: str) -> Pixels:
        """RGB (height, width, 3), upright, its longest side at most `LONGEST`."""
        return decode((self._folder / name).read_bytes(), name)


class ZipOfPhotos:
    """The photos of an archive."""

    def __init__(self, archive: Path) -> None:
        self._archive = zipfile.ZipFile(archive)
        self.names = sorted(filter(is_photo, self._archive.namelist()))

    def read(self, name: str) -> Pixels:
        """RGB (height, width, 3), upright, its longest side at most `LONGEST`."""
        return decode(self._archive.read(name), name)


def open_photos(path: Path) -> Photos:
    """A folder or a .zip. Raises `PhotosError` if it holds no photo."""
    photos: Photos = FolderOfPhotos(path) if path.is_dir() else ZipOfPhotos(path)
    if not photos.names:
        raise PhotosError(f"{path}: expected photos ({', '.join(SUFFIXES)}), found none")
    return photos


def is_photo(name: str) -> bool:
    """Whether a file is one by its name, and none of those that macOS adds to archives."""
    path = PurePosixPath(name)
    added = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not added


def decode(content: bytes, name: str) -> Pixels:
    """An encoded photo as RGB (height, width, 3), upright, its longest side at most `LONGEST`.

    Raises `PhotosError`, which names it, if it cannot be decoded.
    """
    try:
        file = Image.open(BytesIO(content))
        file.draft("RGB", (LONGEST, LONGEST))
        photo = ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PhotosError(f"{name}: expected a photo, found what Pillow cannot decode") from error
    photo.thumbnail((LONGEST, LONGEST), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(photo)
