import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.photos import LONGEST, PhotosError, open_photos


def encoded(width: int, height: int, colour: str = "red", orientation: int = 1) -> bytes:
    photo = Image.new("RGB", (width, height), colour)
    exif = photo.getexif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    photo.save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_a_folder_and_its_archive_hold_the_same_photos(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "walk").mkdir(parents=True)
    (folder / "b.JPG").write_bytes(encoded(40, 30))
    (folder / "walk" / "a.jpeg").write_bytes(encoded(20, 30, "blue"))
    (folder / "notes.txt").write_text("no photo")
    (folder / "__MACOSX").mkdir()
    for added in ("._b.JPG", "__MACOSX/b.JPG"):
        (folder / added).write_bytes(b"what macOS adds")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder).as_posix())
    for photos in (open_photos(folder), open_photos(tmp_path / "photos.zip")):
        assert photos.names == ["b.JPG", "walk/a.jpeg"]
        pixels = photos.read("walk/a.jpeg")
        assert pixels.shape == (30, 20, 3)
        assert pixels[5, 5].argmax() == 2


def test_a_photo_stands_upright_and_is_not_too_large(tmp_path: Path) -> None:
    (tmp_path / "large.jpg").write_bytes(encoded(3 * LONGEST, LONGEST, orientation=6))
    pixels = open_photos(tmp_path).read("large.jpg")
    assert pixels.shape == (LONGEST, round(LONGEST / 3), 3)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("content", [b"", b"no photo", encoded(40, 30)[:-200]])
def test_what_is_no_photo_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.jpg").write_bytes(content)
    with pytest.raises(PhotosError, match=r"broken\.jpg: expected a photo"):
        open_photos(tmp_path).read("broken.jpg")


def test_no_photos_are_no_set(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match="expected photos"):
        open_photos(tmp_path)
