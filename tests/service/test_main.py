import json
from pathlib import Path

import pytest

from service import __version__
from service.__main__ import main


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

    status = main(["predict", str(text), str(missing), str(tmp_path), str(good)])

    output = capsys.readouterr()
    assert status == 1
    assert [json.loads(line)["file"] for line in output.out.splitlines()] == [str(good)]
    for line, file in zip(output.err.splitlines(), (text, missing, tmp_path), strict=True):
        assert line.startswith(f"mien: {file}: ")


def test_predict_without_a_model_says_which_file_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIEN_MODELS_DIR", str(tmp_path))

    status = main(["predict", "any.jpg"])

    assert status == 1
    assert "expression-0.1.0/config.json" in capsys.readouterr().err


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


def test_an_address_that_is_not_ours_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["serve", "--host", "192.0.2.1", "--port", "0"])

    assert status == 1
    assert "192.0.2.1:0" in capsys.readouterr().err


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
