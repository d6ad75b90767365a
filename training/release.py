"""What every model directory needs, whatever is in it: checksums, origin, a counter-proof."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

CHECKED = ("model.onnx", "golden.npz", "metrics.json")  # what the service reads


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


def write_config(out: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Write config.json: the given fields, name and version, checksums, and the commit.

    It comes last: a directory without it is not a release.
    """
    name, _, version = out.name.rpartition("-")
    whole = {
        "name": name,
        "version": version,
        **config,
        "files": {file: hashlib.sha256((out / file).read_bytes()).hexdigest() for file in CHECKED},
        "commit": commit(),
    }
    write_json(out / "config.json", whole)
    return whole


def commit() -> str:
    """The commit that the training code stands at, "-dirty" when it was changed since."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    changed = git("status", "--porcelain", "--", "training", "constraints.txt")
    return git("rev-parse", "HEAD") + ("-dirty" if changed else "")


def perturbed(graph: onnx.ModelProto, change: float = 0.01) -> onnx.ModelProto:
    """A copy in which the first convolution's weights are larger by `change`.

    A comparison that cannot tell this copy from the graph proves nothing about the graph.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    first = next(node for node in copy.graph.node if node.op_type == "Conv")
    weights = next(w for w in copy.graph.initializer if w.name == first.input[1])
    larger = numpy_helper.to_array(weights) * np.float32(1 + change)
    weights.CopyFrom(numpy_helper.from_array(larger, weights.name))
    return copy
