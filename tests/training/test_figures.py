"""The pictures are small, are SVG, and come out the same each time."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from training.figures import plot_reliability, plot_robustness

CURVE = {"counts": [0, 3, 4], "confidence": [0.0, 0.5, 0.9], "accuracy": [0.0, 0.4, 0.95]}
SPLITS = {name: {"reliability": CURVE, "ece_15": 0.0123} for name in ("PublicTest", "PrivateTest")}
ROBUSTNESS = {
    "clean": 0.7,
    "corruptions": {"low_light": {str(severity): 0.6 for severity in range(1, 6)}},
    "shift": {"0.1": 0.65, "0.2": 0.5},
    "scale": {"0.8": 0.6, "1.2": 0.64},
}


@pytest.mark.parametrize(
    ("plot", "figures", "text"),
    [
        (plot_reliability, SPLITS, "PrivateTest, ECE-15 0.012"),
        (plot_robustness, ROBUSTNESS, "low light"),
    ],
)
def test_a_picture(plot: Any, figures: dict[str, Any], text: str, tmp_path: Path) -> None:
    plot(figures, tmp_path / "one.svg")
    plot(figures, tmp_path / "two.svg")
    content = (tmp_path / "one.svg").read_bytes()
    assert content == (tmp_path / "two.svg").read_bytes()
    assert len(content) < 60_000
    assert text in content.decode()
    assert ElementTree.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
