import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from onnx import TensorProto
from pydantic import ValidationError

from service.errors import InferenceFailed, ModelError
from service.faces import Framing
from service.session import DetectionConfig, ModelConfig, load_session
from tests.service import graphs

ROOT = Path(__file__).parent.parent.parent
RELEASED = sorted(path.parent for path in (ROOT / "models").glob("*/config.json"))

DETECTION = {
    "stride": 4,
    "input_side": 64,
    "fine_side": 640,
    "coarse_side": 160,
    "small_face": 0.1,
    "lone_threshold": 0.4,
    "turned_threshold": 0.7,
    "score_threshold": 0.5,
    "nms_iou": 0.3,
    "framing": {"center": [0.5, 0.5], "size": [0.8, 0.9]},
}
COLOUR_INPUT = {
    "name": "image",
    "layout": "NHWC",
    "dtype": "uint8",
    "size": None,
    "multiple_of": 32,
    "range": [0, 255],
    "colour": "rgb",
}


def crops(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), np.uint8)


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    files = {"metrics.json": b'{"accuracy": 0.5}', "golden.npz": b"golden"}
    return graphs.write_model(tmp_path / "expression-0.0.1", graphs.classifier(), files)


# Good ones


def test_a_session_knows_its_model(model_dir: Path) -> None:
    session = load_session(model_dir)
    assert (session.config.name, session.config.version) == ("expression", "0.0.1")
    assert session.config.labels == graphs.LABELS
    assert session.config.input.size == (48, 48)
    assert session.directory == model_dir
    assert session.metrics == {"accuracy": 0.5}


def test_run_computes_the_graph(model_dir: Path) -> None:
    session = load_session(model_dir)
    for count in (1, 5):
        batch = crops(count)
        (logits,) = session.run(batch)
        expected = batch.reshape(count, -1).astype(np.float32) @ graphs.weights(7)
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_run_takes_a_view_as_well_as_an_array(model_dir: Path) -> None:
    session, batch = load_session(model_dir), crops(4)
    (mirrored,) = session.run(batch[:, :, ::-1])
    (expected,) = session.run(np.ascontiguousarray(batch[:, :, ::-1]))
    np.testing.assert_array_equal(mirrored, expected)


def test_a_model_without_metrics_has_none(tmp_path: Path) -> None:
    assert load_session(graphs.write_model(tmp_path, graphs.classifier(), {})).metrics == {}


def test_outputs_come_in_the_order_of_the_config_and_others_not_at_all(tmp_path: Path) -> None:
    folder = graphs.write_model(
        tmp_path, graphs.means(), {}, input=COLOUR_INPUT, labels=None, outputs=["halves"]
    )
    outputs = load_session(folder).run(np.full((2, 32, 64, 3), 200, np.uint8))
    assert len(outputs) == 1
    np.testing.assert_allclose(outputs[0], np.full((2, 3), 100))


def test_detection_is_read_with_its_framing(tmp_path: Path) -> None:
    folder = graphs.write_model(
        tmp_path,
        graphs.means(),
        {},
        input=COLOUR_INPUT,
        labels=None,
        outputs=["halves"],
        detection=DETECTION,
    )
    detection = load_session(folder).config.detection
    assert detection == DetectionConfig(
        stride=4,
        input_side=64,
        fine_side=640,
        coarse_side=160,
        small_face=0.1,
        lone_threshold=0.4,
        turned_threshold=0.7,
        score_threshold=0.5,
        nms_iou=0.3,
        framing=Framing(center=(0.5, 0.5), size=(0.8, 0.9)),
    )


# Precision


@pytest.fixture
def two_graphs(tmp_path: Path) -> Path:
    """model.int8.onnx is another linear map, so that a run tells which graph it is."""
    other = graphs.classifier(scale=-1.0).SerializeToString()
    return graphs.write_model(tmp_path, graphs.classifier(), {"model.int8.onnx": other})


@pytest.mark.parametrize(("precision", "sign"), [("fp32", 1), ("int8", -1)])
def test_the_graph_of_the_precision_runs(
    two_graphs: Path, precision: Literal["fp32", "int8"], sign: int
) -> None:
    session = load_session(two_graphs, precision=precision)
    assert session.precision == precision
    expected = crops(2).reshape(2, -1).astype(np.float32) @ graphs.weights(7) * sign
    np.testing.assert_allclose(session.run(crops(2))[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("needs", "flags", "expected"),
    [
        ("avx2", {"avx2"}, "int8"),
        ("avx2", {"avx", "sse4_2"}, "fp32"),
        ("vnni", {"avx2", "avx512_vnni"}, "int8"),
        ("vnni", {"avx2", "avx_vnni"}, "int8"),
        ("vnni", {"avx2"}, "fp32"),
        (None, {"avx2", "avx512_vnni", "avx_vnni"}, "fp32"),
    ],
)
def test_auto_is_int8_where_the_cpu_is_made_for_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    needs: str | None,
    flags: set[str],
    expected: str,
) -> None:
    monkeypatch.setattr("service.session.cpu_flags", lambda: flags)
    graph = graphs.classifier()
    files = {"model.int8.onnx": graph.SerializeToString()}
    folder = graphs.write_model(tmp_path, graph, files, int8_needs=needs)
    assert load_session(folder, precision="auto").precision == expected


def test_one_thread_works_on_a_run_and_none_spins(model_dir: Path) -> None:
    options = load_session(model_dir)._graph.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_auto_is_fp32_where_there_is_nothing_else(model_dir: Path) -> None:
    assert load_session(model_dir, precision="auto").precision == "fp32"


def test_int8_that_the_directory_lacks_is_refused(model_dir: Path) -> None:
    with pytest.raises(ModelError) as refusal:
        load_session(model_dir, precision="int8")
    assert refusal.value.detail == (
        f"{model_dir / 'model.int8.onnx'}: expected this graph, since int8 was asked for, "
        "found only model.onnx"
    )


# config.json


def test_a_directory_without_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json: .* found No such file"):
        load_session(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "\x00\xff"])
def test_a_config_that_is_no_object_is_refused(model_dir: Path, content: str) -> None:
    (model_dir / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json: expected a model's config, found"):
        load_session(model_dir)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"colour": "gray"}, "colour: Extra inputs are not permitted"),
        ({"name": ""}, "name: String should have at least 1"),
        ({"labels": "angry"}, "labels: Input should be a valid array"),
        ({"labels": ["sad", "sad"]}, "labels: expected each name once"),
        ({"outputs": []}, "outputs: List should have at least 1"),
        ({"outputs": ["logits", "logits"]}, "outputs: expected each name once"),
        ({"temperature": 0}, "temperature: Input should be greater than 0"),
        ({"temperature": "1"}, "temperature: Input should be a valid number"),
        ({"uncertain_below": 1.5}, "uncertain_below: Input should be less than or equal to 1"),
        ({"input": {**COLOUR_INPUT, "dtype": "float32"}}, "input.dtype: Input should be 'uint8'"),
        ({"input": {**COLOUR_INPUT, "layout": "NCHW"}}, "input.layout: Input should be 'NHW' or"),
        ({"input": {**COLOUR_INPUT, "multiple_of": 0}}, "input.multiple_of: Input should be great"),
        ({"input": {**COLOUR_INPUT, "mean": 0}}, "input.mean: Extra inputs are not permitted"),
        ({"detection": {**DETECTION, "nms_iou": 1}}, "detection.nms_iou: Input should be less"),
        (
            {"detection": {**DETECTION, "framing": {"center": [0, 0], "size": [0, 1]}}},
            "detection.framing: Value error, expected finite numbers and a size above 0",
        ),
        (
            {"detection": {**DETECTION, "framing": {"center": [0, 0], "size": [1]}}},
            "detection.framing.size.1: Field required",
        ),
        (
            {"detection": {**DETECTION, "framing": {"center": [0, 0], "size": [1, 1], "roll": 0}}},
            "detection.framing.roll: Unexpected keyword argument",
        ),
        ({"files": {}}, "files: expected the checksum of model.onnx, found none"),
        ({"files": {"model.onnx": "abc"}}, "files.model.onnx: String should match pattern"),
        ({"files": {"../x": "0" * 64}}, "files.../x.[key]: String should match pattern"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_a_malformed_config_is_refused(tmp_path: Path, changes: dict[str, Any], found: str) -> None:
    folder = graphs.write_model(tmp_path, graphs.classifier(), {}, **changes)
    with pytest.raises(ModelError) as refusal:
        load_session(folder)
    assert str(folder / "config.json") in refusal.value.detail
    assert found in refusal.value.detail


def test_every_field_of_the_config_is_required(model_dir: Path) -> None:
    written = json.loads((model_dir / "config.json").read_text())
    for field in written:
        rest = {key: value for key, value in written.items() if key != field}
        with pytest.raises(ValidationError, match=rf"{field}\n.*Field required"):
            ModelConfig.model_validate_json(json.dumps(rest))


# Files


@pytest.mark.parametrize("name", ["model.onnx", "metrics.json", "golden.npz"])
def test_a_missing_file_is_named(model_dir: Path, name: str) -> None:
    expected = hashlib.sha256((model_dir / name).read_bytes()).hexdigest()
    (model_dir / name).unlink()
    with pytest.raises(ModelError) as refusal:
        load_session(model_dir)
    assert refusal.value.detail == (
        f"{model_dir / name}: expected sha256 {expected}, found No such file or directory"
    )


@pytest.mark.parametrize("name", ["model.onnx", "metrics.json", "golden.npz"])
def test_a_changed_file_is_named_with_both_checksums(model_dir: Path, name: str) -> None:
    content = (model_dir / name).read_bytes()
    changed = content[:-1] + bytes([content[-1] ^ 1])
    (model_dir / name).write_bytes(changed)
    expected, found = (hashlib.sha256(data).hexdigest() for data in (content, changed))
    with pytest.raises(ModelError) as refusal:
        load_session(model_dir)
    assert refusal.value.detail == (
        f"{model_dir / name}: expected sha256 {expected}, found {found}"
    )


def test_another_models_graph_is_refused(model_dir: Path, tmp_path: Path) -> None:
    other = graphs.write_model(tmp_path / "other", graphs.classifier(width=8), {})
    (other / "model.onnx").replace(model_dir / "model.onnx")
    with pytest.raises(ModelError, match=r"model\.onnx: expected sha256 .*, found "):
        load_session(model_dir)


def test_metrics_that_are_no_json_are_refused(tmp_path: Path) -> None:
    folder = graphs.write_model(tmp_path, graphs.classifier(), {"metrics.json": b"{"})
    with pytest.raises(ModelError, match=r"metrics\.json: expected JSON, found"):
        load_session(folder)


@pytest.mark.parametrize("content", [b"", b"no graph at all", b"\x08\x08"])
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = graphs.write_model(tmp_path, content, {})
    with pytest.raises(ModelError, match=r"model\.onnx: expected an ONNX graph, found"):
        load_session(folder)


# The graph against the config


def test_labels_must_be_as_many_as_the_output_is_wide(tmp_path: Path) -> None:
    folder = graphs.write_model(tmp_path, graphs.classifier(width=8), {})
    with pytest.raises(ModelError, match=r"shape \(1, 7\), one number .* found \(1, 8\)"):
        load_session(folder)


def test_a_graph_that_takes_floats_is_refused(tmp_path: Path) -> None:
    folder = graphs.write_model(tmp_path, graphs.classifier(dtype=TensorProto.FLOAT), {})
    with pytest.raises(ModelError, match=r"tensor\(uint8\).*found .*tensor\(float\)"):
        load_session(folder)


def test_an_input_of_another_name_is_refused(tmp_path: Path) -> None:
    folder = graphs.write_model(tmp_path, graphs.classifier(input_name="pixels"), {})
    with pytest.raises(ModelError, match=r"expected the input \('image', .*found \[\('pixels'"):
        load_session(folder)


@pytest.mark.parametrize("size", [None, [48, 47]])
def test_an_input_of_another_size_is_refused(tmp_path: Path, size: list[int] | None) -> None:
    changed = {**graphs.config()["input"], "size": size}
    folder = graphs.write_model(tmp_path, graphs.classifier(), {}, input=changed)
    with pytest.raises(ModelError, match=r"expected the input .*found .*\[None, 48, 48\]"):
        load_session(folder)


def test_an_input_of_another_layout_is_refused(tmp_path: Path) -> None:
    changed = {**graphs.config()["input"], "layout": "NHWC"}
    folder = graphs.write_model(tmp_path, graphs.classifier(), {}, input=changed)
    with pytest.raises(ModelError, match=r"expected the input .*\[None, 48, 48, 3\]"):
        load_session(folder)


def test_an_output_that_the_graph_lacks_is_refused(tmp_path: Path) -> None:
    folder = graphs.write_model(tmp_path, graphs.classifier(), {}, outputs=["logits", "votes"])
    with pytest.raises(ModelError, match=r"expected the outputs .*votes.*found \{'logits'"):
        load_session(folder)


def test_an_output_that_is_no_float32_is_refused(tmp_path: Path) -> None:
    folder = graphs.write_model(
        tmp_path, graphs.means(), {}, input=COLOUR_INPUT, labels=None, outputs=["means"]
    )
    with pytest.raises(ModelError, match=r"found \{'means': 'tensor\(double\)'"):
        load_session(folder)


def test_a_graph_that_fails_on_its_own_input_is_refused(tmp_path: Path) -> None:
    folder = graphs.write_model(
        tmp_path, graphs.means(classes=5), {}, input=COLOUR_INPUT, labels=None, outputs=["halves"]
    )
    with pytest.raises(ModelError, match=r"expected to run on \(1, 32, 32, 3\), found .*Reshape"):
        load_session(folder)


# Running


@pytest.mark.parametrize(
    "batch",
    [np.zeros((1, 48, 48), np.float32), np.zeros((1, 48, 47), np.uint8), np.zeros(3, np.uint8)],
    ids=["dtype", "size", "rank"],
)
def test_a_wrong_batch_fails_and_the_next_one_runs(
    model_dir: Path, batch: np.ndarray[Any, np.dtype[Any]]
) -> None:
    session = load_session(model_dir)
    with pytest.raises(InferenceFailed, match=r"expression 0\.0\.1 failed on a batch") as failure:
        session.run(batch)
    assert failure.value.__cause__ is not None
    assert session.run(crops(1))[0].shape == (1, 7)


def test_concurrent_runs_equal_serial_runs(models_dir: Path) -> None:
    session = load_session(models_dir / "face-detector-1.1.0")
    random = np.random.default_rng(3)
    # Several sizes, so that runs which shared a buffer would spoil each other.
    batches = [
        random.integers(0, 256, (1 + n % 2, 32 * (1 + n % 3), 64 + 32 * (n % 2), 3), np.uint8)
        for n in range(24)
    ]
    serial = [session.run(batch) for batch in batches]
    together = threading.Barrier(8)

    def run(share: int) -> list[list[np.ndarray[Any, np.dtype[np.float32]]]]:
        together.wait()
        return [session.run(batch) for batch in batches[share::8]]

    with ThreadPoolExecutor(8) as executor:
        shares = list(executor.map(run, range(8)))
    for share, found in enumerate(shares):
        for outputs, expected in zip(found, serial[share::8], strict=True):
            for output, value in zip(outputs, expected, strict=True):
                np.testing.assert_array_equal(output, value)


# What is released


@pytest.mark.parametrize("folder", RELEASED, ids=lambda folder: folder.name)
def test_a_released_model_gives_its_golden_outputs(folder: Path) -> None:
    session = load_session(folder)
    assert folder.name == f"{session.config.name}-{session.config.version}"
    assert (folder / "MODEL_CARD.md").read_text().startswith(f"# {session.config.name} ")
    assert session.metrics
    with np.load(folder / "golden.npz") as golden:
        found = session.run(golden["image"])
        for name, output in zip(session.config.outputs, found, strict=True):
            np.testing.assert_allclose(output, golden[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("folder", RELEASED, ids=lambda folder: folder.name)
def test_an_image_gets_the_same_outputs_alone_and_in_a_batch(folder: Path) -> None:
    session = load_session(folder)
    with np.load(folder / "golden.npz") as golden:
        images = golden["image"]
    together = session.run(images)
    for number in range(len(images)):
        for alone, batched in zip(session.run(images[number : number + 1]), together, strict=True):
            np.testing.assert_allclose(alone[0], batched[number], rtol=1e-5, atol=1e-4)
