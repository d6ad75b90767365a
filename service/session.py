"""One loaded graph: a model directory, checked and run by ONNX Runtime.

A model directory describes itself in config.json. Nothing is guessed from its name, and no byte of
it is used before its checksum was seen to be right.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from service.cpus import cpu_flags
from service.errors import InferenceFailed, ModelError
from service.faces import Framing

GRAPH = "model.onnx"
METRICS = "metrics.json"
REFINER = "refiner"  # the model directory inside that of a face detector that looks twice

Precision = Literal["fp32", "int8"]  # what a graph computes with
WantedPrecision = Precision | Literal["auto"]
GRAPHS: dict[Precision, str] = {"fp32": GRAPH, "int8": "model.int8.onnx"}

# Without VNNI, x86 adds pairs of byte products in 16 bits. With weights of eight bits that may
# saturate, with weights of seven it cannot.
_INT8_FLAGS = {"avx2": {"avx2"}, "vnni": {"avx512_vnni", "avx_vnni"}, None: set[str]()}

_ONLY_WHAT_IS_ASKED = onnxruntime.RunOptions()
_ONLY_WHAT_IS_ASKED.only_execute_path_to_fetches = True

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# A file of this directory and of no other.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class InputConfig(_Strict):
    """The one input of a graph."""

    name: str
    layout: Literal["NHW", "NHWC"]
    dtype: Literal["uint8"]
    size: tuple[PositiveInt, PositiveInt] | None  # height, width; None: any multiple_of
    multiple_of: PositiveInt
    range: tuple[int, int]
    colour: Literal["gray", "rgb"]


class RefinementConfig(_Strict):
    """What the first of two looks hands on to the second, whose graph lies in `REFINER`."""

    proposed_from: Annotated[float, Field(gt=0, lt=1)]  # least score
    sure_from: Annotated[float, Field(gt=0, lt=1)]  # score of either look that leaves no doubt
    least: PositiveInt  # so many of a look that is sure of none, however faint
    most: PositiveInt  # of one look
    # Least score of what is judged once more. The best always is, and not what is sure and overlaps
    # its proposal by `settled_iou`: that was judged where it is.
    again_from: Annotated[float, Field(gt=0, lt=1)]
    settled_iou: Annotated[float, Field(gt=0, lt=1)]


class DetectionConfig(_Strict):
    """What turns a face detector's outputs into faces."""

    # Pixels of the input to a cell of the outputs; several where the outputs have several levels.
    stride: PositiveInt | tuple[PositiveInt, ...]
    input_side: PositiveInt  # pixels of the longest side that images are brought to
    fine_side: PositiveInt  # the same for large photos with none but small faces
    small_face: Annotated[float, Field(gt=0, lt=1)]  # longer side of a box, in the image's longest
    coarse_side: PositiveInt  # the same for photos in which nothing was found
    score_threshold: Annotated[float, Field(gt=0, lt=1)]
    lone_threshold: Annotated[float, Field(gt=0, lt=1)]  # for the only face of a photo
    turned_threshold: Annotated[float, Field(gt=0, lt=1)]  # for the surest face of a turned photo
    nms_iou: Annotated[float, Field(gt=0, lt=1)]
    framing: Framing
    refinement: RefinementConfig | None = None  # where one look is all

    @property
    def faintest(self) -> float:
        """Least score of the graph's that counts for itself."""
        return self.refinement.proposed_from if self.refinement else self.lone_threshold

    @property
    def strides(self) -> tuple[int, ...]:
        return self.stride if isinstance(self.stride, tuple) else (self.stride,)


class ModelConfig(_Strict):
    """config.json of a model directory."""

    name: Annotated[str, Field(min_length=1)]
    version: Annotated[str, Field(min_length=1)]
    labels: Annotated[list[str], Field(min_length=2)] | None
    input: InputConfig
    outputs: Annotated[list[str], Field(min_length=1)]
    temperature: Annotated[float, Field(gt=0)] | None
    uncertain_below: Annotated[float, Field(ge=0, le=1)] | None
    opset: PositiveInt
    detection: DetectionConfig | None
    # What an x86 CPU must have for the int8 graph, if there is one, to be exact and fast.
    int8_needs: Literal["avx2", "vnni"] | None
    files: dict[FileName, Sha256]
    commit: str
    command: str

    @model_validator(mode="after")
    def _check(self) -> Self:
        if GRAPH not in self.files:
            raise ValueError(f"files: expected the checksum of {GRAPH}, found none")
        for field, names in (("labels", self.labels or []), ("outputs", self.outputs)):
            if len(set(names)) < len(names):
                raise ValueError(f"{field}: expected each name once, found {names}")
        return self


class Runnable(Protocol):
    """What detector, classifier and explainer need of a session."""

    @property
    def config(self) -> ModelConfig: ...
    def run(self, batch: NDArray[np.uint8], *outputs: str) -> list[NDArray[np.float32]]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """A graph that is loaded, checked and warm. Any number of threads may run it at once."""

    config: ModelConfig
    directory: Path
    precision: Precision
    metrics: dict[str, Any]  # metrics.json, {} if the model has none
    _graph: onnxruntime.InferenceSession

    def run(self, batch: NDArray[np.uint8], *outputs: str) -> list[NDArray[np.float32]]:
        """The named outputs for one batch; all of `config.outputs`, in order, if none is named.

        What only other outputs need is not computed. The interpreter lock is free meanwhile.
        Raises `InferenceFailed`.
        """
        try:
            results: list[NDArray[np.float32]] = self._graph.run(
                outputs or self.config.outputs, {self.config.input.name: batch}, _ONLY_WHAT_IS_ASKED
            )
        except Exception as error:
            model = f"{self.config.name} {self.config.version}"
            raise InferenceFailed(f"{model} failed on a batch of {batch.shape}.") from error
        return results


def load_session(
    model_dir: Path, *, precision: WantedPrecision = "fp32", threads: int = 1
) -> Session:
    """Load, check and warm the graph of a model directory.

    `precision` chooses among its graphs; "auto" takes int8 where the directory has it and the CPU
    is faster with it. `threads` work on one run. One is best where many runs go on at once: as many
    callers of `run` as there are CPUs answer more than one caller with as many threads.

    Raises `ModelError`, which names the file and says what was expected and what was found.
    """
    config = _read_config(model_dir / "config.json")
    contents = {name: _read(model_dir / name, checksum) for name, checksum in config.files.items()}
    try:
        metrics = json.loads(contents.get(METRICS, b"{}"))
    except ValueError as error:
        raise ModelError(f"{model_dir / METRICS}: expected JSON, found {error}") from error
    if precision == "auto":
        fast = not _INT8_FLAGS[config.int8_needs].isdisjoint(cpu_flags())
        precision = "int8" if GRAPHS["int8"] in contents and fast else "fp32"
    path = model_dir / GRAPHS[precision]
    if path.name not in contents:
        raise ModelError(
            f"{path}: expected this graph, since {precision} was asked for, found only "
            f"{', '.join(name for name in GRAPHS.values() if name in contents)}"
        )
    graph = _load_graph(path, contents[path.name], threads)
    _check_interface(path, graph, config)
    session = Session(config, model_dir, precision, metrics, graph)
    _warm_up(path, session)
    return session


def _read_config(path: Path) -> ModelConfig:
    try:
        return ModelConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: expected a model's config, found {error.strerror}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ModelError(f"{path}: expected a model's config, found {faults}") from error


def _read(path: Path, expected: str) -> bytes:
    """The bytes of a file, which are those that were checked, also if it changes meanwhile."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: expected sha256 {expected}, found {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ModelError(f"{path}: expected sha256 {expected}, found {found}")
    return content


def _load_graph(path: Path, content: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # A thread that spins while it waits takes its CPU from the requests beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; they come as exceptions as well
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"{path}: expected an ONNX graph, found {error}") from error


def _check_interface(path: Path, graph: onnxruntime.InferenceSession, config: ModelConfig) -> None:
    """The graph's input and outputs are those of the config."""
    size = config.input.size or (None, None)
    channels = (3,) if config.input.layout == "NHWC" else ()
    expected = (config.input.name, f"tensor({config.input.dtype})", [None, *size, *channels])
    # Free dimensions have names, or None.
    found = [
        (value.name, value.type, [d if isinstance(d, int) else None for d in value.shape])
        for value in graph.get_inputs()
    ]
    if found != [expected]:
        raise ModelError(f"{path}: expected the input {expected}, found {found}")
    outputs = {value.name: value.type for value in graph.get_outputs()}
    wanted = dict.fromkeys(config.outputs, "tensor(float)")
    if not wanted.items() <= outputs.items():
        raise ModelError(f"{path}: expected the outputs {wanted}, found {outputs}")


def _warm_up(path: Path, session: Session) -> None:
    """Run once, so that no request pays for it, and look at what comes out."""
    config = session.config
    side = config.detection.input_side if config.detection else config.input.multiple_of
    height, width = config.input.size or (side, side)
    shape = (1, height, width) if config.input.layout == "NHW" else (1, height, width, 3)
    try:
        outputs = session.run(np.zeros(shape, np.uint8))
    except InferenceFailed as error:
        raise ModelError(f"{path}: expected to run on {shape}, found {error.__cause__}") from error
    if config.labels is not None and outputs[0].shape != (1, len(config.labels)):
        raise ModelError(
            f"{path}: expected {config.outputs[0]} of shape {(1, len(config.labels))}, one number "
            f"for each of {config.labels}, found {outputs[0].shape}"
        )
