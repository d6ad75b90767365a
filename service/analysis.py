"""What was found in an image, and who finds it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.explainer import Heat
from service.faces import Face
from service.timing import Timing

Probabilities = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FaceExpression:
    """One face, None if the whole image was taken as one, and (7,) probabilities.

    `uncertain`: the largest of them is too small to be relied upon.
    """

    face: Face | None
    probabilities: Probabilities
    uncertain: bool


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found in an image of `width` x `height` upright pixels, the largest face first."""

    width: int
    height: int
    faces: tuple[FaceExpression, ...]
    timing: Timing


@dataclass(frozen=True, slots=True)
class ExplainedAnalysis:
    """What was found, the heat of each face in the same order, and a PNG if one was asked for."""

    analysis: Analysis
    heats: list[Heat]
    picture: bytes | None


class Pipeline(Protocol):
    """What the endpoints put their questions to; `ExpressionPipeline` is one."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def healthy(self) -> bool: ...
    async def analyze(
        self,
        data: bytes,
        *,
        detect: bool = ...,
        max_faces: int = ...,
        min_face_size: float = ...,
        rotate: bool = ...,
    ) -> Analysis: ...
    async def explain(
        self,
        data: bytes,
        *,
        detect: bool = ...,
        max_faces: int = ...,
        min_face_size: float = ...,
        rotate: bool = ...,
        label: str | None = ...,
        draw: bool = ...,
        boxes: bool = ...,
    ) -> ExplainedAnalysis: ...
