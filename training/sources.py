"""Readers for the forms in which people have FER-2013; each gives the same arrays.

read ── read_csv      fer2013.csv, icml_face_data.csv
     ├─ read_tar      fer2013.tar.gz, which holds fer2013.csv
     ├─ read_folder   train/<class>/*, test/<class>/*
     └─ read_zip      the same folders, or one of the two CSV files, in a .zip
read_ferplus          fer2013new.csv, the votes of FER+
"""

import csv
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from training.labels import EXPRESSIONS, FERPLUS_COLUMNS, FOLDER_ALIASES, Split

SIDE = 48
PUBLISHED_ROWS = 35_887
RATERS = 10

_FER2013_COLUMNS = ("emotion", "pixels", "Usage")
_FERPLUS_COLUMNS = ("Usage", "Image name", *FERPLUS_COLUMNS)
_CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
_IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png")
_IMAGE_MODES = ("1", "L", "P", "RGB")  # Pillow's modes of at most 8 bits a channel, without alpha


class DatasetError(Exception):
    """The data is not FER-2013 or FER+ as published: says what was expected and what was found."""


_USAGES = {s.usage: s for s in (Split.TRAINING, Split.PUBLIC_TEST, Split.PRIVATE_TEST)}
_FOLDERS = {"train": Split.TRAINING, "test": Split.TEST}


@dataclass(frozen=True, eq=False)
class Samples:
    """What one source holds: N faces, ordered by row, or else by split, class and file name.

    `notes` say, a sentence each, what the source could not tell.
    """

    images: NDArray[np.uint8]  # (N, 48, 48) gray
    labels: NDArray[np.uint8]  # (N,) index in EXPRESSIONS
    splits: NDArray[np.uint8]  # (N,) Split
    rows: NDArray[np.int32]  # (N,) row in fer2013.csv, from 0; all -1 where it is unknown
    notes: tuple[str, ...] = ()


def read(path: Path) -> Samples:
    """Reads FER-2013 in any form; content tells the form, the file's name does not matter."""
    if path.is_dir():
        return read_folder(path)
    try:
        with path.open("rb") as file:
            magic = file.read(2)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    readers = {b"PK": read_zip, b"\x1f\x8b": read_tar}
    return readers.get(magic, read_csv)(path)


def read_csv(path: Path) -> Samples:
    """Reads fer2013.csv (emotion, pixels, Usage) or icml_face_data.csv (emotion, Usage, pixels)."""
    with path.open("rb") as file:
        return _parse_csv(file, str(path))


def read_tar(path: Path) -> Samples:
    """Reads the fer2013.csv inside the competition's fer2013.tar.gz."""
    names = []
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content and PurePosixPath(member.name).name in _CSV_NAMES:
                    return _parse_csv(content, f"{path}: {member.name}")
                names.append(member.name)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DatasetError(f"{path}: expected a whole .tar.gz, found: {error}") from error
    raise DatasetError(f"{path}: expected fer2013.csv in the archive, found {names[:10]}")


def read_zip(path: Path) -> Samples:
    """Reads the images of train/<class>/ and test/<class>/, or the CSV file, inside a .zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if PurePosixPath(name).name in _CSV_NAMES:
                    with archive.open(name) as content:
                        return _parse_csv(content, f"{path}: {name}")
            return _read_images(
                {PurePosixPath(name): partial(archive.read, name) for name in archive.namelist()},
                str(path),
            )
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, zlib.error) as error:
        raise DatasetError(f"{path}: expected a whole .zip, found: {error}") from error


def read_folder(path: Path) -> Samples:
    """Reads the images of train/<class>/ and test/<class>/ below `path`."""
    return _read_images(
        {PurePosixPath(f.relative_to(path).as_posix()): f.read_bytes for f in path.rglob("*.*")},
        str(path),
    )


def read_ferplus(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Reads fer2013new.csv: per row of fer2013.csv the split (N,) and the votes (N, 10)."""
    splits, votes = [], []
    try:
        with path.open("rb") as file:
            for where, (usage, _, *cells) in _read_rows(file, _FERPLUS_COLUMNS, str(path)):
                splits.append(_parse_usage(usage, where))
                votes.append([_parse_number(cell, RATERS, "votes", where) for cell in cells])
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    return np.array(splits, np.uint8), np.array(votes, np.uint8)


def _parse_csv(file: IO[bytes], source: str) -> Samples:
    images, labels, splits = [], [], []
    rows = _read_rows(file, _FER2013_COLUMNS, source)
    progress = tqdm(rows, "reading", PUBLISHED_ROWS, unit=" rows", disable=None)
    for where, (emotion, pixels, usage) in progress:
        images.append(_parse_pixels(pixels, where))
        labels.append(_parse_number(emotion, len(EXPRESSIONS) - 1, "emotion", where))
        splits.append(_parse_usage(usage, where))
    return Samples(
        np.stack(images),
        np.array(labels, np.uint8),
        np.array(splits, np.uint8),
        np.arange(len(images), dtype=np.int32),
    )


def _read_rows(
    file: IO[bytes], columns: Sequence[str], source: str
) -> Iterator[tuple[str, list[str]]]:
    """Each row's place, for error messages, and its cells in the order of `columns`."""
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        lines = csv.reader(text)
        row = -1
        try:
            # icml_face_data.csv has spaces before two of its column names.
            header = [name.strip() for name in next(lines, [])]
            if sorted(header) != sorted(columns):
                raise DatasetError(
                    f"{source}: expected the columns {', '.join(columns)}, found {header[:12]}"
                )
            order = [header.index(name) for name in columns]
            for row, cells in enumerate(lines):
                where = f"{source}: row {row} (line {row + 2})"
                if len(cells) != len(header):
                    raise DatasetError(
                        f"{where}: expected {len(header)} fields, found {len(cells)}"
                    )
                yield where, [cells[column] for column in order]
        except (UnicodeDecodeError, csv.Error) as error:
            raise DatasetError(f"{source}: expected a CSV file, found: {error}") from error
    if row < 0:
        raise DatasetError(f"{source}: expected rows below the header, found none")


def _parse_pixels(text: str, where: str) -> NDArray[np.uint8]:
    try:
        pixels = np.fromstring(text, np.int64, sep=" ")
    except ValueError:
        raise DatasetError(
            f"{where}: expected pixels as numbers with spaces between, found {text[:40]!r}..."
        ) from None
    if pixels.size != SIDE * SIDE:
        raise DatasetError(
            f"{where}: expected {SIDE * SIDE:,} pixels ({SIDE}x{SIDE}), found {pixels.size:,}"
        )
    if pixels.min() < 0 or pixels.max() > 255:
        raise DatasetError(
            f"{where}: expected pixels of 0 to 255, found {pixels.min()} to {pixels.max()}"
        )
    return pixels.astype(np.uint8).reshape(SIDE, SIDE)


def _parse_number(text: str, largest: int, what: str, where: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= largest:
        raise DatasetError(f"{where}: expected {what} of 0 to {largest}, found {text!r}")
    return number


def _parse_usage(text: str, where: str) -> Split:
    usage = _USAGES.get(text.strip())
    if usage is None:
        raise DatasetError(f"{where}: expected Usage as one of {list(_USAGES)}, found {text!r}")
    return usage


@dataclass(frozen=True)
class _ImageFile:
    """What the path of an image file tells."""

    path: PurePosixPath
    label: int
    split: Split
    number: int | None  # of a file name <Usage>_<number>


def _read_images(files: Mapping[PurePosixPath, Callable[[], bytes]], source: str) -> Samples:
    found = [
        _parse_path(path, source)
        for path in files
        if path.suffix.lower() in _IMAGE_SUFFIXES
        # What macOS adds to folders and archives.
        and not any(part.startswith((".", "__MACOSX")) for part in path.parts)
    ]
    if not found:
        raise DatasetError(f"{source}: expected train/<class>/ and test/<class>/, found no image")
    tops = sorted({str(file.path.parents[2]) for file in found})
    if len(tops) > 1:
        raise DatasetError(f"{source}: expected one train/ and one test/, found them in {tops}")
    rows, notes = _find_rows(found, source)
    order = sorted(
        range(len(found)),
        key=lambda i: (rows[i], found[i].split, found[i].label, found[i].path.name, found[i].path),
    )
    progress = tqdm(order, "reading", unit=" images", disable=None)
    return Samples(
        np.stack([_decode(files[found[i].path], f"{source}: {found[i].path}") for i in progress]),
        np.array([found[i].label for i in order], np.uint8),
        np.array([found[i].split for i in order], np.uint8),
        np.array([rows[i] for i in order], np.int32),
        notes,
    )


def _parse_path(path: PurePosixPath, source: str) -> _ImageFile:
    parts = [part.lower() for part in path.parts[-3:-1]]
    if len(parts) < 2 or parts[0] not in _FOLDERS:
        raise DatasetError(f"{source}: expected train/<class>/ and test/<class>/, found {path}")
    name = FOLDER_ALIASES.get(parts[1], parts[1])
    if name not in EXPRESSIONS:
        raise DatasetError(
            f"{source}: expected class folders {', '.join(EXPRESSIONS)}, found {path.parent}"
        )
    label, split = EXPRESSIONS.index(name), _FOLDERS[parts[0]]
    match = re.fullmatch(rf"({'|'.join(_USAGES)})_([0-9]+)", path.stem)
    if match is None:
        return _ImageFile(path, label, split, None)
    usage = _USAGES[match[1]]
    if (usage is Split.TRAINING) != (split is Split.TRAINING):
        raise DatasetError(
            f"{source}: expected no {usage.usage} image in {parts[0]}/, found {path}"
        )
    return _ImageFile(path, label, usage, int(match[2]))


def _find_rows(files: list[_ImageFile], source: str) -> tuple[list[int], tuple[str, ...]]:
    """The row of each file, or -1 for all, and a note that says why."""
    unknown = [-1] * len(files)
    numbers = [file.number for file in files if file.number is not None]
    if not numbers:
        return unknown, (
            "The file names do not tell Usage and row: test/ is kept as one undivided test split.",
        )
    if len(numbers) < len(files):
        odd = next(file.path for file in files if file.number is None)
        raise DatasetError(
            f"{source}: expected all file names to be <Usage>_<row>, or none; "
            f"found {len(numbers):,} of {len(files):,} that are, and {odd}"
        )
    # A widespread copy numbers its files up to ten millions: right Usage, but no rows.
    if len(set(numbers)) < len(numbers) or max(numbers) >= PUBLISHED_ROWS:
        return unknown, (
            f"The numbers in the file names are no rows of fer2013.csv ({len(set(numbers)):,} "
            f"numbers for {len(numbers):,} files, the largest {max(numbers):,}).",
        )
    return numbers, ()


def _decode(read_bytes: Callable[[], bytes], where: str) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(read_bytes()), formats=("JPEG", "PNG")) as image:
            if image.size != (SIDE, SIDE) or image.mode not in _IMAGE_MODES:
                width, height = image.size
                raise DatasetError(
                    f"{where}: expected {SIDE}x{SIDE} pixels of 8 bits, "
                    f"found {width}x{height} in Pillow's mode {image.mode}"
                )
            return np.asarray(image.convert("L"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{where}: expected a whole JPEG or PNG image: {error}") from error
