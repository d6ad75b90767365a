import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from training.labels import EXPRESSIONS, FERPLUS_COLUMNS, Split
from training.sources import DatasetError, Samples, read, read_ferplus

TRAINING, PUBLIC, PRIVATE = Split.TRAINING, Split.PUBLIC_TEST, Split.PRIVATE_TEST
SPLITS = [TRAINING] * 8 + [PUBLIC] * 3 + [PRIVATE] * 3
LABELS = [0, 3, 1, 2, 4, 5, 6, 3, 3, 6, 0, 2, 3, 5]


def encode(image: Image.Image, suffix: str) -> bytes:
    file = io.BytesIO()
    image.save(file, {".jpg": "JPEG", ".png": "PNG"}[suffix])
    return file.getvalue()


def gray(suffix: str, seed: int) -> bytes:
    """A face of noise, in which every shift or turn shows."""
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 48), np.uint8)
    return encode(Image.fromarray(pixels), suffix)


@pytest.fixture
def samples() -> Samples:
    """Fourteen faces that a JPEG file can hold without loss: what JPEG made of noise."""
    faces = [np.asarray(Image.open(io.BytesIO(gray(".jpg", i)))) for i in range(len(LABELS))]
    return Samples(
        np.stack(faces),
        np.array(LABELS, np.uint8),
        np.array(SPLITS, np.uint8),
        np.arange(len(LABELS), dtype=np.int32),
    )


def csv_text(samples: Samples, columns: str = "emotion,pixels,Usage") -> str:
    """The data as fer2013.csv, or with other columns in another order."""
    lines = [columns]
    for image, label, split in zip(samples.images, samples.labels, samples.splits, strict=True):
        pixels = " ".join(map(str, image.tobytes()))
        cells = {"emotion": str(label), "pixels": pixels, "Usage": Split(split).usage}
        lines.append(",".join(cells[column.strip()] for column in columns.split(",")))
    return "\n".join(lines) + "\n"


def ferplus_text(samples: Samples) -> str:
    """fer2013new.csv with all ten raters for one expression, another one in each row."""
    lines = [",".join(("Usage", "Image name", *FERPLUS_COLUMNS))]
    for row, split in enumerate(samples.splits):
        votes = ("10" if column == row % 10 else "0" for column in range(10))
        lines.append(",".join((Split(split).usage, f"fer{row:07}.png", *votes)))
    return "\n".join(lines) + "\n"


def image_files(samples: Samples, suffix: str, name: str = "{usage}_{row:05}") -> dict[str, bytes]:
    files = {}
    for row, (label, split) in enumerate(zip(samples.labels, samples.splits, strict=True)):
        folder = "train" if split == TRAINING else "test"
        stem = name.format(usage=Split(split).usage, row=row)
        # Noise as PNG is not what JPEG made of it: the PNG holds the decoded JPEG.
        data = gray(suffix, row)
        if suffix == ".png":
            data = encode(Image.fromarray(samples.images[row]), suffix)
        files[f"{folder}/{EXPRESSIONS[label]}/{stem}{suffix}"] = data
    return files


def write_folder(top: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return top


def write_zip(path: Path, files: dict[str, bytes], top: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(top + name, data)
    return path


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def write_text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def assert_same(found: Samples, expected: Samples) -> None:
    for name in ("images", "labels", "splits", "rows"):
        array: NDArray[np.generic] = getattr(found, name)
        wanted: NDArray[np.generic] = getattr(expected, name)
        assert array.dtype == wanted.dtype, name
        np.testing.assert_array_equal(array, wanted, name)


ICML = "emotion, Usage, pixels"
FORMS: dict[str, Callable[[Path, Samples], Path]] = {
    "csv": lambda p, s: write_text(p / "fer2013.csv", csv_text(s)),
    "csv with another name": lambda p, s: write_text(p / "my copy", csv_text(s)),
    "csv saved by a spreadsheet": lambda p, s: write_text(
        p / "fer2013.csv", "\ufeff" + csv_text(s).replace("\n", "\r\n")
    ),
    "icml": lambda p, s: write_text(p / "icml_face_data.csv", csv_text(s, ICML)),
    "tar": lambda p, s: write_tar(
        p / "fer2013.tar.gz",
        {"fer2013/README": b"read me", "fer2013/fer2013.csv": csv_text(s).encode()},
    ),
    "zip of csv": lambda p, s: write_zip(
        p / "archive.zip", {"icml_face_data.csv": csv_text(s, ICML).encode()}
    ),
    "png folder": lambda p, s: write_folder(p, image_files(s, ".png")),
    "jpeg folder": lambda p, s: write_folder(p, image_files(s, ".jpg")),
    "folder under a top folder": lambda p, s: (
        write_folder(p / "fer", image_files(s, ".png")).parent
    ),
    "png zip": lambda p, s: write_zip(p / "fer.zip", image_files(s, ".png")),
    "jpeg zip under a top folder": lambda p, s: write_zip(
        p / "fer.zip", image_files(s, ".jpg"), "fer2013/"
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_arrays(form: str, tmp_path: Path, samples: Samples) -> None:
    found = read(FORMS[form](tmp_path, samples))
    assert_same(found, samples)
    assert found.notes == ()


def test_folders_under_other_names_and_what_macos_adds(tmp_path: Path, samples: Samples) -> None:
    other_names = {"angry": "Anger", "sad": "sadness", "surprise": "Surprised", "fear": "fearful"}
    files = {}
    for path, data in image_files(samples, ".png").items():
        folder, name, file = path.split("/")
        files[f"{folder.upper()}/{other_names.get(name, name)}/{file}"] = data
    files["TRAIN/.DS_Store"] = files["__MACOSX/TRAIN/Anger/._Training_00000.png"] = b"macOS"
    assert_same(read(write_zip(tmp_path / "fer.zip", files)), samples)


def test_colour_copies_of_gray_images_are_gray_again(tmp_path: Path, samples: Samples) -> None:
    files = image_files(samples, ".png")
    for name, data in files.items():
        files[name] = encode(Image.open(io.BytesIO(data)).convert("RGB"), ".png")
    assert_same(read(write_folder(tmp_path, files)), samples)


def test_without_usage_test_stays_undivided(tmp_path: Path, samples: Samples) -> None:
    # Ordered by split, class and file name; the names here fall as the rows rise.
    found = read(write_folder(tmp_path, image_files(samples, ".png", "im{row}")))
    undivided = np.where(samples.splits == TRAINING, TRAINING, Split.TEST)
    names = [f"im{row}" for row in samples.rows]
    order = sorted(samples.rows, key=lambda i: (undivided[i], samples.labels[i], names[i]))
    np.testing.assert_array_equal(found.images, samples.images[order])
    np.testing.assert_array_equal(found.labels, samples.labels[order])
    np.testing.assert_array_equal(found.splits, undivided[order])
    assert set(found.rows) == {-1}
    assert "undivided" in found.notes[0]


@pytest.mark.parametrize("name", ["{usage}_10{row:06}", "{usage}_7"])
def test_usage_with_numbers_that_are_no_rows(name: str, tmp_path: Path, samples: Samples) -> None:
    found = read(write_folder(tmp_path, image_files(samples, ".png", name)))
    assert set(found.rows) == {-1}
    assert set(found.splits) == {TRAINING, PUBLIC, PRIVATE}
    assert (found.splits[:-1] <= found.splits[1:]).all()
    assert "no rows of fer2013.csv" in found.notes[0]


def cut_last_line(text: str) -> str:
    return text[: text.rindex(",")]


def replace_cell(line: int, column: int, cell: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        lines = [row.split(",") for row in text.splitlines()]
        lines[line][column] = cell
        return "\n".join(",".join(row) for row in lines) + "\n"

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "Dear diary,\nnothing\n", r"expected the columns emotion, pixels, Usage, found"),
        (lambda _: "", r"expected the columns .* found \[\]"),
        (lambda text: text.splitlines()[0], r"expected rows below the header, found none"),
        (lambda text: text.replace("pixels", "pixel", 1), r"expected the columns .* 'pixel'"),
        (cut_last_line, r"row 13 \(line 15\): expected 3 fields, found 2"),
        (lambda text: text[:-5000], r"row 13 \(line 15\): expected 3 fields, found 2"),
        (replace_cell(3, 0, "7"), r"row 2 \(line 4\): expected emotion of 0 to 6, found '7'"),
        (replace_cell(3, 0, "sad"), r"row 2 .*: expected emotion of 0 to 6, found 'sad'"),
        (replace_cell(3, 1, "0 " * 2256), r"row 2 .*2,304 pixels \(48x48\), found 2,256"),
        (replace_cell(3, 1, ""), r"row 2 .*2,304 pixels \(48x48\), found 0"),
        (replace_cell(3, 1, "0 " * 2303 + "256"), r"row 2 .*0 to 255, found 0 to 256"),
        (replace_cell(3, 1, "0 " * 2303 + "-1"), r"row 2 .*0 to 255, found -1 to 0"),
        (replace_cell(3, 1, "0 x " * 1152), r"row 2 .*expected pixels as numbers .* found '0 x"),
        (replace_cell(3, 2, "Test"), r"row 2 .*Usage as one of \['Training', .* found 'Test'"),
        (replace_cell(3, 2, '"' + "x" * 200_000), r"expected a CSV file, found: field larger"),
    ],
)
def test_wrong_csv(
    change: Callable[[str], str], message: str, tmp_path: Path, samples: Samples
) -> None:
    path = write_text(tmp_path / "fer2013.csv", change(csv_text(samples)))
    with pytest.raises(DatasetError, match=message):
        read(path)


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="No such file"):
        read(tmp_path / "missing.csv")
    binary = tmp_path / "model.onnx"
    binary.write_bytes(bytes(range(255, 0, -1)))
    with pytest.raises(DatasetError, match="expected a CSV file"):
        read(binary)
    with pytest.raises(DatasetError, match=r"expected fer2013\.csv in the archive, found"):
        read(write_tar(tmp_path / "other.tar.gz", {"letter.txt": b"Dear Ada"}))
    with pytest.raises(DatasetError, match="found no image"):
        read(write_zip(tmp_path / "other.zip", {"letter.txt": b"Dear Ada"}))


@pytest.mark.parametrize("form", ["tar", "png zip", "zip of csv"])
def test_truncated_archives(form: str, tmp_path: Path, samples: Samples) -> None:
    path = FORMS[form](tmp_path, samples)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DatasetError, match=r"expected a whole \.(zip|tar\.gz), found"):
        read(path)


def test_damaged_zip(tmp_path: Path, samples: Samples) -> None:
    path = FORMS["png zip"](tmp_path, samples)
    data = bytearray(path.read_bytes())
    data[1000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="Bad CRC-32"):
        read(path)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "train/contempt/Training_00020.png",
            gray(".png", 0),
            "expected class folders angry, .*found train/contempt",
        ),
        ("validation/sad/Training_00020.png", gray(".png", 0), "expected train/<class>/ .* valid"),
        ("sad.png", gray(".png", 0), "expected train/<class>/ and test/<class>/, found sad.png"),
        ("copy/train/sad/Training_00020.png", gray(".png", 0), r"one train/ .* \['.', 'copy'\]"),
        ("test/sad/Training_00020.png", gray(".png", 0), "no Training image in test/, found"),
        ("train/sad/PublicTest_00020.png", gray(".png", 0), "no PublicTest image in train/"),
        ("train/sad/face.png", gray(".png", 0), "found 14 of 15 that are, and train/sad/face.png"),
        ("train/sad/Training_00020.png", gray(".png", 0)[:900], "Training_00020.png: .* whole"),
        ("train/sad/Training_00020.jpg", gray(".jpg", 0)[:900], "Training_00020.jpg: .* whole"),
        ("train/sad/Training_00020.png", b"", "Training_00020.png: expected a whole JPEG or PNG"),
        (
            "train/sad/Training_00020.png",
            encode(Image.new("L", (47, 48)), ".png"),
            "expected 48x48 pixels of 8 bits, found 47x48",
        ),
        (
            "train/sad/Training_00020.png",
            encode(Image.new("I;16", (48, 48)), ".png"),
            "expected 48x48 pixels of 8 bits, found 48x48 in Pillow's mode I;16",
        ),
    ],
)
def test_wrong_folder(
    name: str, data: bytes, message: str, tmp_path: Path, samples: Samples
) -> None:
    folder = write_folder(tmp_path, image_files(samples, ".png") | {name: data})
    with pytest.raises(DatasetError, match=message):
        read(folder)


def test_ferplus(tmp_path: Path, samples: Samples) -> None:
    splits, votes = read_ferplus(write_text(tmp_path / "fer2013new.csv", ferplus_text(samples)))
    np.testing.assert_array_equal(splits, samples.splits)
    np.testing.assert_array_equal(votes, 10 * np.eye(10, dtype=np.uint8)[samples.rows % 10])
    assert votes.dtype == np.uint8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "Dear diary\n", r"expected the columns Usage, .* found \['Dear diary'\]"),
        (lambda text: text.splitlines()[0], "expected rows below the header, found none"),
        (cut_last_line, r"row 13 \(line 15\): expected 12 fields, found 11"),
        (replace_cell(3, 4, "11"), r"row 2 \(line 4\): expected votes of 0 to 10, found '11'"),
        (replace_cell(3, 0, "Test"), r"row 2 \(line 4\): expected Usage as one of"),
        (replace_cell(3, 1, '"' + "x" * 200_000), r"expected a CSV file, found: field larger"),
    ],
)
def test_wrong_ferplus(
    change: Callable[[str], str], message: str, tmp_path: Path, samples: Samples
) -> None:
    path = write_text(tmp_path / "fer2013new.csv", change(ferplus_text(samples)))
    with pytest.raises(DatasetError, match=message):
        read_ferplus(path)


def test_missing_ferplus(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="No such file"):
        read_ferplus(tmp_path / "fer2013new.csv")
