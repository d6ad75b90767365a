"""What every model directory needs, whatever is in it: checksums, origin, a counter-proof."""

import hashlib
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from onnx import numpy_helper

from training.commit import commit
from training.config import TrainConfig
from training.systems import count_macs

CHECKED = ("*.onnx", "*.npz", "metrics.json")  # what the service reads


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
        "files": checksums(out),
        "commit": commit("training", "constraints.txt"),
    }
    write_json(out / "config.json", whole)
    return whole


def amend(out: Path, metrics: dict[str, Any], **fields: Any) -> None:
    """Replace sections of metrics.json and `fields` of config.json, and bring its checksums up to
    date.

    For what is measured or added after a release; `config.json` keeps its commit and command.
    """
    config, recorded = (
        json.loads((out / name).read_text()) for name in ("config.json", "metrics.json")
    )
    write_json(out / "metrics.json", {**recorded, **metrics})
    write_json(out / "config.json", {**config, **fields, "files": checksums(out)})


def checksums(out: Path) -> dict[str, str]:
    """sha256 of every file of the directory that the service reads, by name."""
    files = [file for pattern in CHECKED for file in sorted(out.glob(pattern))]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def perturbed(graph: onnx.ModelProto, change: float = 0.01) -> onnx.ModelProto:
    """A copy in which the first layer's weights are larger by `change`.

    A comparison that cannot tell this copy from the graph proves nothing about the graph.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    kernels = {tensor.name: tensor for tensor in copy.graph.initializer}
    layers = (node for node in copy.graph.node if node.op_type in ("Conv", "MatMul", "Gemm"))
    weights = next(kernels[node.input[1]] for node in layers if node.input[1] in kernels)
    larger = numpy_helper.to_array(weights) * np.float32(1 + change)
    weights.CopyFrom(numpy_helper.from_array(larger, weights.name))
    return copy


def training_record(run: Path, config: TrainConfig, network: keras.Model) -> dict[str, Any]:
    """How the network of a run was trained, and what it costs."""
    history = json.loads((run / "log.json").read_text())
    return {
        "system": config.system,
        "epochs": len(history),
        "planned_epochs": config.epochs,
        "parameters": network.count_params(),
        "macs": count_macs(network),
        "history": history,
    }
