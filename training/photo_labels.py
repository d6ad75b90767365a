"""The teacher's labels of a set of photos: one JSON line a photo, in a file that grows.

    {"photo": "walk.jpg", "height": 360, "width": 480, "faces": [{"kind": "face", "score": 0.81,
     "box": [x, y, x, y], "landmarks": [[x, y], ...]}]}

Pixels are those of the photo as `training.photos` reads it. What is marked "ignore" may be a face,
and is neither to be learnt nor to be called background.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from tqdm import tqdm

from training.found import Found
from training.photos import Photos
from training.teacher import SURE, Look, label

LABELS, SHEET = "labels.jsonl", "sheet.jpg"
SHOWN, COLUMNS, TILE = 48, 6, 320  # photos on a contact sheet, photos a row, pixels of each
COLOURS = {"face": (40, 220, 60), "ignore": (255, 150, 0)}


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPhoto:
    """One photo's faces; `sure` (K,) tells the sure ones from those to be ignored."""

    name: str
    height: int
    width: int
    faces: Found
    sure: NDArray[np.bool_]


def write_labels(photos: Photos, look: Look, folder: Path) -> Path:
    """Label every photo that the folder's file has not yet; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LABELS
    done = {labelled.name for labelled in read_labels(path)} if path.exists() else set()
    with path.open("a") as file:
        for name in tqdm(photos.names, desc="labelling", unit=" photos", disable=None):
            if name not in done:
                pixels = photos.read(name)
                file.write(json.dumps(_entry(name, pixels, label(pixels, look))) + "\n")
                file.flush()
    return path


def _entry(name: str, pixels: NDArray[np.uint8], found: Found) -> dict[str, Any]:
    height, width, _ = pixels.shape
    faces = [
        {
            "kind": "face" if score >= SURE else "ignore",
            "score": round(float(score), 3),
            "box": box.round(2).tolist(),
            "landmarks": points.round(2).tolist(),
        }
        for box, points, score in zip(*found, strict=True)
    ]
    return {"photo": name, "height": height, "width": width, "faces": faces}


def read_labels(path: Path) -> list[LabelledPhoto]:
    """All photos of the file, by name; a line that a kill cut off is dropped."""
    labelled = []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    for line in whole.splitlines():
        entry = json.loads(line)
        faces = entry["faces"]
        found = Found(
            np.array([face["box"] for face in faces], np.float32).reshape(-1, 4),
            np.array([face["landmarks"] for face in faces], np.float32).reshape(-1, 5, 2),
            np.array([face["score"] for face in faces], np.float32),
        )
        sure = np.array([face["kind"] == "face" for face in faces], np.bool_)
        size = (entry["height"], entry["width"])
        labelled.append(LabelledPhoto(entry["photo"], *size, found, sure))
    return sorted(labelled, key=lambda photo: photo.name)


def draw_sheet(photos: Photos, labelled: list[LabelledPhoto], path: Path) -> None:
    """A contact sheet of photos from all of the set with what was found, for people to look at."""
    spread = np.linspace(0, len(labelled) - 1, min(SHOWN, len(labelled)), dtype=int)
    rows = -(-len(spread) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE, rows * TILE))
    for place, chosen in enumerate(spread):
        tile = _tile(photos.read(labelled[chosen].name), labelled[chosen])
        sheet.paste(tile, (place % COLUMNS * TILE, place // COLUMNS * TILE))
    sheet.save(path, quality=85)


def _tile(pixels: NDArray[np.uint8], labelled: LabelledPhoto) -> Image.Image:
    """A photo with its boxes and landmarks: green is a face, orange may be one."""
    scale = TILE / max(labelled.height, labelled.width)
    size = (round(labelled.width * scale), round(labelled.height * scale))
    tile = Image.fromarray(pixels).resize(size)
    pen = ImageDraw.Draw(tile)
    faces = labelled.faces.scaled(scale, scale)
    for box, points, sure in zip(faces.boxes, faces.landmarks, labelled.sure, strict=True):
        colour = COLOURS["face" if sure else "ignore"]
        pen.rectangle(box.tolist(), outline=colour)
        for x, y in points.tolist() if sure else []:
            pen.ellipse((x - 1, y - 1, x + 1, y + 1), fill=colour)
    return tile
