"""`mien predict`: the faces and expressions of files, folders and globs, as JSON lines or CSV."""

import asyncio
import csv
import errno
import json
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from http import HTTPStatus
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from service import __version__
from service.admission import Admission
from service.analysis import Analysis, Pipeline
from service.app import load_pipeline
from service.cpus import available_cpus
from service.errors import ServiceError
from service.explainer import Heat
from service.faces import Frame
from service.images import ImageLimits, decode_image
from service.memory import keep_memory
from service.metrics import Metrics
from service.overlay import Mark, draw_overlay
from service.schemas import Prediction
from service.settings import Settings

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
MAX_FACES = 100  # of one image
MAX_FILE_BYTES = 100 * 2**20  # some are in memory at once, and no photo is larger


@dataclass(frozen=True, slots=True)
class Job:
    """What to look at, and what to write. `shard` (i, n) is the i-th of n parts, from 1."""

    paths: Sequence[str]
    table: bool = False  # CSV instead of JSON lines
    overlay: Path | None = None  # a folder for pictures with boxes and captions
    rotate: bool = False
    shard: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class _Outcome:
    file: Path
    found: Analysis | str  # or why nothing is known
    status: int = os.EX_OK


async def predict(settings: Settings, job: Job) -> int:
    """Write what is found to stdout, in the order of the files, and return the exit status.

    A file of which nothing can be said is told on stderr, and stops nothing. It costs the status 65
    (sysexits.h: the input was wrong), or 70 (an error of our own) where it is not to blame.
    Whatever does stop it has another status. Raises `ModelError`, and `OSError` when nothing more
    can be written.
    """
    keep_memory()
    index, shards = job.shard
    files = list(expand(job.paths))[index - 1 :: shards]
    ahead = 2 * (settings.threads or available_cpus())  # one is read while another is analysed
    # Every file has its place already: refusing faces at the door would serve nobody.
    queue = max(settings.max_queue_size, (ahead + 1) * MAX_FACES)
    settings = settings.model_copy(update={"max_queue_size": queue, "workers": 1})
    status = os.EX_OK
    admission = Admission(ahead + 1)
    loading = load_pipeline(settings, Metrics(version=__version__), admission)
    async with loading as (pipeline, models):
        write = _Rows(pipeline.labels) if job.table else _Lines()
        limits = ImageLimits(max_pixels=settings.max_pixels)
        with tqdm(total=len(files), unit="image", file=sys.stderr, disable=None) as progress:
            async for outcome in _in_order(files, pipeline, job, limits, ahead):
                progress.update()
                if isinstance(outcome.found, str):
                    status = max(status, outcome.status)
                    tqdm.write(f"mien: {outcome.file}: {outcome.found}", file=sys.stderr)
                else:
                    found = Prediction.of(outcome.found, pipeline.labels, models.expression, "")
                    write(outcome.file, found)
    return status


def expand(paths: Iterable[str]) -> Iterator[Path]:
    """Files as they are, every image in a folder and below, and what a glob matches, sorted."""
    for text in paths:
        path = Path(text)
        # These, unlike Path's own, take a name that can be none, or a folder that is closed, and it
        # is told of with its file.
        if os.path.isdir(text):  # noqa: PTH112
            named = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
            yield from sorted(file for file in named if not os.path.isdir(file))  # noqa: PTH112
        elif not os.path.exists(text) and has_magic(text):  # noqa: PTH110
            matches = sorted(glob(text, recursive=True))  # noqa: PTH207
            yield from map(Path, matches or [text])  # of none it will be said that it is not there
        else:
            yield path


async def _in_order(
    files: Sequence[Path], pipeline: Pipeline, job: Job, limits: ImageLimits, ahead: int
) -> AsyncIterator[_Outcome]:
    """The outcomes in the order of the files, while up to `ahead` more are under way."""
    running: deque[asyncio.Task[_Outcome]] = deque()
    try:
        for file in files:
            running.append(asyncio.create_task(_analyze(file, pipeline, job, limits)))
            if len(running) > ahead:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise OSError(errno.EFBIG, f"More than {MAX_FILE_BYTES // 2**20} MiB")
    return data


async def _analyze(file: Path, pipeline: Pipeline, job: Job, limits: ImageLimits) -> _Outcome:
    try:
        data = await asyncio.to_thread(_read, file)
    except OSError as error:
        return _Outcome(file, error.strerror or str(error), os.EX_DATAERR)
    try:
        analysis = await pipeline.analyze(data, max_faces=MAX_FACES, rotate=job.rotate)
    except ServiceError as error:
        ours = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return _Outcome(file, error.detail, os.EX_SOFTWARE if ours else os.EX_DATAERR)
    if job.overlay is not None:
        # What leads out of the folder is left out of the name.
        parts = [part for part in file.parts if part not in ("..", file.anchor)]
        path = job.overlay.joinpath(*parts).with_name(f"{file.name}.png")
        try:
            await asyncio.to_thread(_draw, data, analysis, pipeline.labels, limits, path)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise  # whatever it is, it is there for all overlays
            return _Outcome(file, f"{path.name}: {error.strerror}", os.EX_DATAERR)
    return _Outcome(file, analysis)


def _draw(
    data: bytes, analysis: Analysis, labels: Sequence[str], limits: ImageLimits, path: Path
) -> None:
    """The photo as PNG, with a box and a caption for each face."""
    nothing = np.zeros((1, 1), np.float32)
    marks = []
    for found in analysis.faces:
        best = int(found.probabilities.argmax())
        cold = Heat(labels[best], Frame(0, 0, 0), nothing)
        box = found.face.box if found.face else None
        marks.append(Mark(cold, box, float(found.probabilities[best])))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(draw_overlay(decode_image(data, limits), marks))


_COLUMNS = ("file", "x", "y", "w", "h", "face_confidence", "dominant_emotion", "confidence")


class _Lines:
    """One JSON object a file."""

    def __call__(self, file: Path, prediction: Prediction) -> None:
        found = prediction.model_dump(exclude={"request_id"})
        print(json.dumps({"file": str(file), **found}), flush=True)


class _Rows:
    """CSV with one row a face; a file without faces has none."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        # File names are bytes: what is no text in them is written as it was read.
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="surrogateescape")
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow([*_COLUMNS, *labels])

    def __call__(self, file: Path, prediction: Prediction) -> None:
        for face in prediction.faces:
            box = face.box
            row: list[Any] = [file, box.x, box.y, box.w, box.h, face.face_confidence]
            row += [face.dominant_emotion, face.confidence]
            self._writer.writerow(row + [face.emotion[label] for label in self._labels])
        sys.stdout.flush()
