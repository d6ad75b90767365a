from pathlib import Path

import onnx

from tests.training.test_quantize import small_network
from training.speed import CROPS, measure_speed


def test_every_graph_is_timed_for_every_batch_beside_the_peak(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(small_network(), path)
    speed = measure_speed({"one": path, "same": path}, ["logits"], runs=3)
    assert speed["threads"] == 1
    assert speed["cpu"]
    assert speed["float32_matmul_gigaflops"] > 0
    assert list(speed["milliseconds_by_crops"]) == [str(crops) for crops in CROPS]
    for milliseconds in speed["milliseconds_by_crops"].values():
        assert list(milliseconds) == ["one", "same"]
        assert min(milliseconds.values()) > 0
