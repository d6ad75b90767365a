import hashlib
import json
from pathlib import Path

from training.release import amend, checksums, write_config, write_json


def release(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "golden.npz").write_bytes(b"golden")
    write_json(folder / "metrics.json", {"splits": {"PublicTest": 0.5}, "int8": {"old": True}})
    (folder / "MODEL_CARD.md").write_text("a card")
    write_config(folder, {"labels": None, "command": "python -m training.export"})
    return folder


def test_the_checksums_are_of_what_the_service_reads(tmp_path: Path) -> None:
    folder = release(tmp_path / "expression-1.2.3")
    expected = hashlib.sha256(b"graph").hexdigest()
    assert set(checksums(folder)) == {"model.onnx", "golden.npz", "metrics.json"}
    assert checksums(folder)["model.onnx"] == expected


def test_an_amended_release_is_whole_again(tmp_path: Path) -> None:
    folder = release(tmp_path / "expression-1.2.3")
    before = json.loads((folder / "config.json").read_text())
    (folder / "model.int8.onnx").write_bytes(b"bytes")
    amend(folder, {"int8": {"released": True}})

    after = json.loads((folder / "config.json").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics == {"splits": {"PublicTest": 0.5}, "int8": {"released": True}}
    assert after["files"] == checksums(folder)
    assert set(after["files"]) == {*before["files"], "model.int8.onnx"}
    assert {**after, "files": None} == {**before, "files": None}


def test_a_graph_that_is_gone_leaves_the_config(tmp_path: Path) -> None:
    folder = release(tmp_path / "expression-1.2.3")
    (folder / "model.int8.onnx").write_bytes(b"bytes")
    amend(folder, {})
    (folder / "model.int8.onnx").unlink()
    amend(folder, {})
    assert "model.int8.onnx" not in json.loads((folder / "config.json").read_text())["files"]
