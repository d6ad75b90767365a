"""Model files that are not what they were: no start, and a word about which file and why."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.settings import Settings
from tests.service.test_server import Process

GRAPH, OTHER = "model.onnx", "model.int8.onnx"


def corrupt(model: Path) -> None:
    content = bytearray((model / GRAPH).read_bytes())
    content[len(content) // 2] ^= 1
    (model / GRAPH).write_bytes(content)


def cut(model: Path) -> None:
    (model / GRAPH).write_bytes((model / GRAPH).read_bytes()[:-1])


def remove(model: Path) -> None:
    (model / GRAPH).unlink()


def swap(model: Path) -> None:
    """Both are graphs, and good ones."""
    (model / GRAPH).rename(model / "third")
    (model / OTHER).rename(model / GRAPH)
    (model / "third").rename(model / OTHER)


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("which", "harm", "name"),
    [
        *(("expression_model", harm, GRAPH) for harm in (corrupt, cut, remove)),
        ("expression_model", swap, OTHER),  # the first of the two
        ("detector_model", corrupt, GRAPH),
    ],
)
def test_a_harmed_model_stops_the_start(
    which: str, harm: Callable[[Path], None], name: str, tmp_path: Path, models_dir: Path
) -> None:
    settings = Settings()
    for each in (settings.expression_model, settings.detector_model):
        shutil.copytree(models_dir / each, tmp_path / each)
    model = tmp_path / str(getattr(settings, which))
    file = model / name
    right = checksum(file)
    harm(model)
    found = checksum(file) if file.exists() else "No such file"

    with Process(models_dir=tmp_path) as service:
        line = service.logged(level="critical")
        status = service.wait()

    assert status == 3
    assert str(file) in line["message"]
    assert right in line["message"]
    assert found in line["message"]
    assert "serving" not in service.text
