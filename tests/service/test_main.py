import csv
import hashlib
import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service import __version__
from service.__main__ import main
from service.detector import FaceDetector
from service.errors import InferenceFailed
from service.settings import Settings


def test_predict_prints_one_line_a_file(
    photo: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first.jpg", tmp_path / "second.jpg"
    first.write_bytes(photo)
    second.write_bytes(photo)

    status = main(["predict", str(first), str(second)])

    output = capsys.readouterr()
    found = [json.loads(line) for line in output.out.splitlines()]
    assert (status, output.err) == (0, "")
    assert [line["file"] for line in found] == [str(first), str(second)]
    assert [len(line["faces"]) for line in found] == [1, 1]
    assert set(found[0]) == {"file", "faces", "image", "model", "timing_ms"}


def test_predict_tells_what_failed_and_does_the_rest(
    photo: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, text, missing = tmp_path / "good.jpg", tmp_path / "text.txt", tmp_path / "missing.jpg"
    good.write_bytes(photo)
    text.write_text("no image")

    status = main(["predict", str(text), str(missing), str(good)])

    output = capsys.readouterr()
    assert status == os.EX_DATAERR
    assert [json.loads(line)["file"] for line in output.out.splitlines()] == [str(good)]
    for line, file in zip(output.err.splitlines(), (text, missing), strict=True):
        assert line.startswith(f"mien: {file}: ")


def test_a_name_that_can_be_none_stops_nothing(
    photo: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, long = tmp_path / "good.jpg", "a" * 300 + ".jpg"
    good.write_bytes(photo)

    assert main(["predict", long, str(good)]) == os.EX_DATAERR
    output = capsys.readouterr()
    assert [json.loads(line)["file"] for line in output.out.splitlines()] == [str(good)]
    assert output.err == f"mien: {long}: File name too long\n"


def test_an_overlay_that_cannot_be_written_is_no_fault_of_the_photo(
    photo: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, occupied = tmp_path / "good.jpg", tmp_path / "occupied"
    good.write_bytes(photo)
    occupied.write_bytes(b"no folder")

    assert main(["predict", "--overlay", str(occupied), str(good)]) == 1
    assert str(occupied) in capsys.readouterr().err


def test_a_model_that_fails_is_no_fault_of_the_photo(
    album: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    detect = FaceDetector.detect

    def fail(self: FaceDetector, image: Any, **options: Any) -> Any:
        if image.shape[:2] == (48, 64):
            raise InferenceFailed("The face detector failed.")
        return detect(self, image, **options)

    monkeypatch.setattr(FaceDetector, "detect", fail)
    assert main(["predict", str(album / "notes.txt"), str(album)]) == os.EX_SOFTWARE
    output = capsys.readouterr()
    assert files_of(output.out) == [str(album / "a.jpg"), str(album / "below/a.JPG")]
    told = output.err.splitlines()
    assert told[1:] == [f"mien: {album / 'plain.png'}: The face detector failed."]


def test_a_name_that_is_too_long_for_its_overlay_stops_nothing(
    album: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    (album / "a.jpg").rename(album / f"{'a' * 248}.jpg")
    out = str(tmp_path_factory.mktemp("overlays"))
    assert main(["predict", "--overlay", out, str(album)]) == os.EX_DATAERR
    output = capsys.readouterr()
    assert files_of(output.out) == [str(album / "below/a.JPG"), str(album / "plain.png")]
    assert output.err.endswith(".jpg.png: File name too long\n")


def test_a_file_that_no_photo_can_be_is_not_read_whole(
    album: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (album / "film.jpg").open("wb") as film:
        film.truncate(2**33)  # a hole: it takes no room
    assert main(["predict", str(album)]) == os.EX_DATAERR
    output = capsys.readouterr()
    assert len(files_of(output.out)) == 3
    assert output.err == f"mien: {album / 'film.jpg'}: More than 100 MiB\n"


def test_predict_turns_faces_upright_where_it_is_asked_to(
    photo: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lying = tmp_path / "lying.png"
    Image.open(BytesIO(photo)).rotate(90, expand=True).save(lying)
    found = []
    for options in ([], ["--rotate"]):
        assert main(["predict", *options, str(lying)]) == 0
        found.append(json.loads(capsys.readouterr().out)["faces"])
    (face,) = found[1]
    assert face["dominant_emotion"] == "happy"
    assert found[0] != found[1]


@pytest.fixture
def album(photo: bytes, tmp_path: Path) -> Path:
    """Two photos with a face, one in a folder below, and one without; "holiday.webp" is neither."""
    plain = BytesIO()
    Image.new("RGB", (64, 48), "gray").save(plain, "PNG")
    (tmp_path / "below").mkdir()
    (tmp_path / "holiday.webp").mkdir()
    (tmp_path / "a.jpg").write_bytes(photo)
    (tmp_path / "below" / "a.JPG").write_bytes(photo)
    (tmp_path / "plain.png").write_bytes(plain.getvalue())
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def files_of(output: str) -> list[str]:
    return [json.loads(line)["file"] for line in output.splitlines()]


def test_predict_takes_folders_and_globs(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(album)]) == 0
    everything = files_of(capsys.readouterr().out)
    assert everything == [str(album / name) for name in ("a.jpg", "below/a.JPG", "plain.png")]

    assert main(["predict", str(album / "*.png"), str(album / "**" / "*.[Jj]*")]) == 0
    matches = files_of(capsys.readouterr().out)
    assert matches == [str(album / name) for name in ("plain.png", "a.jpg", "below/a.JPG")]


def test_a_glob_of_nothing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(tmp_path / "*.jpg")]) == os.EX_DATAERR
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", f"mien: {tmp_path}/*.jpg: No such file or directory\n")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, file names have to be text")
@pytest.mark.parametrize("form", [[], ["--csv"]])
def test_a_file_name_need_not_be_text(photo: bytes, tmp_path: Path, form: list[str]) -> None:
    folder = os.fsencode(tmp_path)
    for name in (b"caf\xe9.jpg", b"later.jpg"):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(photo)
    command = [sys.executable, "-m", "service", "predict", *form, str(tmp_path)]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}

    done = subprocess.run(command, capture_output=True, env=strict, check=True)
    named = [b"caf\xe9.jpg" if form else b"caf\\udce9.jpg", b"later.jpg"]
    lines = done.stdout.splitlines()
    assert len(lines) == len(form) + 2
    assert all(name in line for name, line in zip(named, lines[-2:], strict=True))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_who_cannot_write_does_not_say_that_files_were_bad(album: Path) -> None:
    command = [sys.executable, "-m", "service", "predict", str(album)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert done.returncode not in (0, os.EX_DATAERR)
    assert "No space left on device" in done.stderr


def test_shards_have_every_file_once(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = []
    for index in (1, 2):
        assert main(["predict", "--shard", f"{index}/2", str(album)]) == 0
        shards.append(files_of(capsys.readouterr().out))
    assert [len(files) for files in shards] == [2, 1]
    assert main(["predict", str(album)]) == 0
    assert sorted(shards[0] + shards[1]) == files_of(capsys.readouterr().out)


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "/", "1/0", "-1/2"])
def test_a_shard_that_is_none_is_refused(shard: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["predict", f"--shard={shard}", "any.jpg"])
    assert end.value.code == 2
    assert "expected I/N with I from 1 to N" in capsys.readouterr().err


def test_csv_has_a_row_a_face(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "--csv", str(album)]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["file"] for row in rows] == [str(album / "a.jpg"), str(album / "below/a.JPG")]
    for row in rows:
        assert row["dominant_emotion"] == "happy"
        assert float(row["happy"]) == float(row["confidence"])
        assert float(row["w"]) == pytest.approx(94, abs=4)


def test_overlays_are_the_photos_with_something_drawn(
    album: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("overlays")
    assert main(["predict", "--overlay", str(out), str(album)]) == 0
    drawn = {
        str(path.relative_to(out.joinpath(*album.parts[1:]))): path for path in out.rglob("*.png")
    }
    assert set(drawn) == {"a.jpg.png", "below/a.JPG.png", "plain.png.png"}
    photo = np.asarray(Image.open(album / "a.jpg").convert("RGB")).astype(int)
    changed = np.abs(np.asarray(Image.open(drawn["a.jpg.png"])) - photo).max(axis=2) > 40
    _, columns = np.nonzero(changed)
    assert 150 < columns.min() < 200 < 250 < columns.max() < 330  # around the face, no more
    assert changed.mean() < 0.1
    plain = np.asarray(Image.open(drawn["plain.png.png"]))
    np.testing.assert_array_equal(plain, np.full((48, 64, 3), 128))


def test_the_command_itself_says_the_same(album: Path) -> None:
    """As a process of its own."""
    command = [sys.executable, "-m", "service", "predict", str(album / "a.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (files_of(done.stdout), done.stderr) == ([str(album / "a.jpg")], "")


def test_predict_without_a_model_says_which_file_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIEN_MODELS_DIR", str(tmp_path))

    status = main(["predict", "any.jpg"])

    assert status == 1
    assert f"{Settings().expression_model}/config.json" in capsys.readouterr().err


def test_every_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIEN_THREADS", "none")

    status = main(["serve", "--port", "high", "--workers", "0"])

    lines = capsys.readouterr().err.splitlines()
    assert status == 2
    assert sorted(line.split(": ")[1] for line in lines) == [
        "MIEN_PORT",
        "MIEN_THREADS",
        "MIEN_WORKERS",
    ]


def test_a_misspelt_setting_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIEN_API_KEY", "ab" * 32)

    assert main(["serve"]) == 2
    error = capsys.readouterr().err
    assert error == "mien: MIEN_API_KEY: no such setting; did you mean MIEN_API_KEYS?\n"


def test_an_address_that_is_not_ours_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["serve", "--host", "192.0.2.1", "--port", "0"])

    assert status == 1
    assert "192.0.2.1:0" in capsys.readouterr().err


def test_a_new_key_comes_with_its_hash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIEN_PORT", "no port")  # it reads no setting

    status = main(["key"])

    (_, key), (_, digest) = (line.split() for line in capsys.readouterr().out.splitlines())
    assert (status, len(key)) == (0, 43)
    assert hashlib.sha256(key.encode()).hexdigest() == digest
    assert Settings(api_keys=digest, port=0).api_keys == (digest,)


def test_a_key_in_the_place_of_its_hash_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIEN_API_KEYS", "my-secret-key")

    status = main(["serve"])

    error = capsys.readouterr().err
    assert (status, error.split(": ")[1]) == (2, "MIEN_API_KEYS")
    assert "secret" not in error


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])

    assert end.value.code == 0
    assert capsys.readouterr().out == f"mien {__version__}\n"


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["train"])

    assert end.value.code == 2
    assert "usage: mien" in capsys.readouterr().err
