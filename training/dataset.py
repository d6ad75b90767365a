"""FER-2013 as one checked file of arrays.

    python -m training.dataset PATH [--ferplus CSV] --out FILE.npz

reads any form that `training.sources` knows, compares it with the published counts, looks for
duplicates, blank images and rows that are no face, prints what it found, and writes FILE.npz for
training and FILE.leaking.csv, the training images that also stand in a test split, for people.
"""

import argparse
import csv
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import combinations
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from training.labels import EXPRESSIONS, FERPLUS_COLUMNS, FERPLUS_TO_EXPRESSION, Split
from training.sources import RATERS, SIDE, DatasetError, Samples, read, read_ferplus

__all__ = ["PUBLISHED", "Dataset", "DatasetError", "Split", "build", "describe", "main"]

# Images per class, in the order of EXPRESSIONS, of the competition's fer2013.csv.
PUBLISHED = {
    Split.TRAINING: (3995, 436, 4097, 7215, 4830, 3171, 4965),
    Split.PUBLIC_TEST: (467, 56, 496, 895, 653, 415, 607),
    Split.PRIVATE_TEST: (491, 55, 528, 879, 594, 416, 626),
    Split.TEST: (958, 111, 1024, 1774, 1247, 831, 1233),
}

_NO_FACE = FERPLUS_COLUMNS.index("NF")


@dataclass(frozen=True, eq=False)
class Dataset:
    """N faces, in the order of fer2013.csv where that is known; else by split, class, file name.

    Raises `DatasetError` for arrays of another shape, type or range.
    """

    images: NDArray[np.uint8]  # (N, 48, 48) gray
    labels: NDArray[np.uint8]  # (N,) index in EXPRESSIONS
    splits: NDArray[np.uint8]  # (N,) Split
    rows: NDArray[np.int32]  # (N,) row in fer2013.csv, from 0; -1 where it is unknown
    votes: NDArray[np.uint8]  # (N, 10) FER+'s raters by FERPLUS_COLUMNS; all zero without FER+
    leaking: NDArray[np.bool_]  # (N,) Training images whose exact pixels stand in a test split too

    def __post_init__(self) -> None:
        n = len(self.images)
        for name, dtype, shape, smallest, largest in (
            ("images", np.uint8, (n, SIDE, SIDE), 0, 255),
            ("labels", np.uint8, (n,), 0, len(EXPRESSIONS) - 1),
            ("splits", np.uint8, (n,), 0, max(Split)),
            ("rows", np.int32, (n,), -1, np.iinfo(np.int32).max),
            ("votes", np.uint8, (n, len(FERPLUS_COLUMNS)), 0, RATERS),
            ("leaking", np.bool_, (n,), False, True),
        ):
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != shape:
                raise DatasetError(
                    f"{name}: expected {np.dtype(dtype)} {shape}, found {array.dtype} {array.shape}"
                )
            if n and not (smallest <= array.min() and array.max() <= largest):
                raise DatasetError(
                    f"{name}: expected {smallest} to {largest}, "
                    f"found {array.min()} to {array.max()}"
                )

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote; raises `DatasetError` for anything else."""
        names = [field.name for field in fields(cls)]
        try:
            with path.open("rb") as file:
                if not zipfile.is_zipfile(file):
                    raise DatasetError(f"{path}: expected a whole .npz, found no zip archive")
                file.seek(0)
                with np.load(file, allow_pickle=False) as arrays:
                    if sorted(arrays) != sorted(names):
                        raise DatasetError(f"{path}: expected arrays {names}, found {list(arrays)}")
                    return cls(**arrays)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{path}: expected a whole .npz, found: {error}") from error

    def save(self, path: Path) -> None:
        """Writes an .npz: the same data gives the same bytes, whole or not at all."""
        with _whole_file(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, **vars(self))

    def split(self, *splits: Split) -> Self:
        """The images of `splits`, less the leaking ones of Training.

        `Split.TEST` gives the whole test set, divided or not. Raises `DatasetError` for a split
        that this data set does not have.
        """
        wanted = set(splits)
        present = {Split(value) for value in np.unique(self.splits)}
        if Split.TEST in wanted and Split.TEST not in present:
            wanted = wanted - {Split.TEST} | {Split.PUBLIC_TEST, Split.PRIVATE_TEST}
        if not wanted <= present:
            raise DatasetError(
                f"expected images of {_usages(wanted)}, found only {_usages(present)}"
            )
        return self.take(np.isin(self.splits, list(wanted)) & ~self.leaking)

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The images that a mask or positions choose."""
        return replace(self, **{name: array[which] for name, array in vars(self).items()})


def build(samples: Samples, ferplus: Path | None = None) -> Dataset:
    """Adds to what a source holds the votes of FER+, aligned by row, and which images leak."""
    votes = np.zeros((len(samples.images), len(FERPLUS_COLUMNS)), np.uint8)
    if ferplus is not None:
        votes = _align(samples, ferplus)
    pictures = _pictures(samples.images)
    training = samples.splits == Split.TRAINING
    leaking = training & np.isin(pictures, pictures[~training])
    return Dataset(samples.images, samples.labels, samples.splits, samples.rows, votes, leaking)


def _align(samples: Samples, ferplus: Path) -> NDArray[np.uint8]:
    if samples.rows[0] < 0:
        # Whoever asks for the votes must not get zeros in their place.
        raise DatasetError(
            f"{ferplus}: expected images whose rows in fer2013.csv are known, to align the votes "
            "with; found images of unknown rows. Leave --ferplus out, or read another copy"
        )
    splits, votes = read_ferplus(ferplus)
    if not np.array_equal(samples.rows, np.arange(len(splits))):
        raise DatasetError(
            f"{ferplus}: expected votes for {len(samples.rows):,} images, rows {samples.rows[0]} "
            f"to {samples.rows[-1]}; found votes for rows 0 to {len(splits) - 1}"
        )
    if (differs := np.flatnonzero(splits != samples.splits)).size:
        row = differs[0]
        raise DatasetError(
            f"{ferplus}: row {row}: expected Usage {Split(samples.splits[row]).usage}, as the data "
            f"set has it, found {Split(splits[row]).usage}"
        )
    return votes


def _pictures(images: NDArray[np.uint8]) -> NDArray[np.intp]:
    """A number for each image (N,), the same for images of the same pixels."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(image.tobytes(), len(numbers)) for image in images])


def describe(dataset: Dataset) -> str:
    """What stands in the data set: counts against the published ones, duplicates, oddities."""
    images, rows = dataset.images, dataset.rows
    order = f"rows {rows[0]} to {rows[-1]}" if rows[0] >= 0 else "rows unknown"
    undivided = (dataset.splits == Split.TEST).any()
    tests = (Split.TEST,) if undivided else (Split.PUBLIC_TEST, Split.PRIVATE_TEST)
    splits = (Split.TRAINING, *tests)
    blank = np.ptp(images, axis=(1, 2)) == 0
    lines = (
        f"Images {images.shape}, {images.dtype}, {images.min()} to {images.max()}; {order}",
        "",
        *_count_lines(dataset, splits),
        "",
        *_duplicate_lines(dataset, splits),
        f"{dataset.leaking.sum():>7,} Training images leak: they stand in a test split too, "
        "and training drops them",
        "",
        f"{blank.sum():>7,} blank images, of one value throughout",
        *_vote_lines(dataset),
    )
    return "\n".join(lines)


def _count_lines(dataset: Dataset, splits: Sequence[Split]) -> Iterator[str]:
    def line(name: str, counts: Sequence[int], remark: str = "") -> str:
        cells = "".join(f"{count:>9,}" for count in (*counts, sum(counts)))
        return f"{name:<11}{cells}{remark}"

    yield f"{'':<11}" + "".join(f"{name:>9}" for name in (*EXPRESSIONS, "all"))
    differing = []
    for split in splits:
        labels = dataset.labels[dataset.splits == split]
        counts = tuple(np.bincount(labels, minlength=len(EXPRESSIONS)).tolist())
        if counts == PUBLISHED[split]:
            yield line(split.usage, counts, "  as published")
        else:
            differing.append(split)
            yield line(split.usage, counts, "  DIFFERS FROM")
            yield line("  published", PUBLISHED[split])
    if differing:
        yield f"This is not FER-2013 as published: see {_usages(differing)}."


def _duplicate_lines(dataset: Dataset, splits: Sequence[Split]) -> Iterator[str]:
    pictures = _pictures(dataset.images)
    by_split = {split: pictures[dataset.splits == split] for split in splits}
    labels_of = np.bincount(np.unique(np.stack((pictures, dataset.labels)), axis=1)[0])
    yield f"{len(pictures) - len(labels_of):>7,} images repeat the exact pixels of an earlier one"
    for split, own in by_split.items():
        yield f"{len(own) - np.unique(own).size:>11,} inside {split.usage}"
    for (one, own), (other, others) in combinations(by_split.items(), 2):
        shared = np.intersect1d(own, others).size
        yield f"{shared:>11,} pictures in both {one.usage} and {other.usage}"
    yield f"{(labels_of > 1).sum():>11,} pictures with more than one label"


def _vote_lines(dataset: Dataset) -> Iterator[str]:
    if not dataset.votes.any():
        yield "   no votes of FER+"
        return
    plurality = dataset.votes.argmax(axis=1)
    yield f"{(plurality == _NO_FACE).sum():>7,} images are no face, in the raters' eyes (FER+)"
    shown = plurality < len(FERPLUS_TO_EXPRESSION)
    same = np.take(FERPLUS_TO_EXPRESSION, plurality[shown]) == dataset.labels[shown]
    # Votes that have slipped by one row agree on 18 %.
    yield f"{same.mean():>7.1%} of the others have the label that the raters gave most (FER+)"


def _usages(splits: Iterable[Split]) -> str:
    return ", ".join(split.usage for split in sorted(splits))


@contextmanager
def _whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, that becomes `path` once all is written and is gone if that fails."""
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _save_leaking(dataset: Dataset, path: Path) -> None:
    """Writes each pair of a leaking training image and its double in a test split."""
    pictures = _pictures(dataset.images)
    test = np.flatnonzero(dataset.splits != Split.TRAINING)
    with _whole_file(path) as unfinished, unfinished.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("training_index", "training_row", "test_split", "test_index", "test_row"))
        for i in np.flatnonzero(dataset.leaking):
            for j in test[pictures[test] == pictures[i]]:
                usage = Split(dataset.splits[j]).usage
                writer.writerow((i, dataset.rows[i], usage, j, dataset.rows[j]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.dataset", description="Reads, checks and packs FER-2013."
    )
    parser.add_argument("path", type=Path, help="fer2013.csv, a .tar.gz, a .zip or a folder")
    parser.add_argument("--ferplus", type=Path, metavar="CSV", help="FER+'s fer2013new.csv")
    parser.add_argument("--out", type=Path, metavar="FILE.npz", required=True)
    options = parser.parse_args(arguments)
    try:
        samples = read(options.path)
        dataset = build(samples, options.ferplus)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        dataset.save(options.out)
        leaks = options.out.with_suffix(".leaking.csv")
        _save_leaking(dataset, leaks)
    except (DatasetError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    print(describe(dataset))
    for note in samples.notes:
        print(f"Note: {note}")
    print(f"Written: {options.out} and {leaks}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
