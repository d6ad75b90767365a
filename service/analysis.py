"""What was found in an image, and how long each step took."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.explainer import Heat
from service.faces import Face

Probabilities = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of one image went, in seconds. A step that it did not need took 0.

    `detect` is finding the faces and cutting them out. `queue` is all waiting, for a thread and
    for a batch, and `inference` the run of that batch: of the face that was answered last. `draw`
    is making the picture of an explanation.
    """

    decode: float
    detect: float
    queue: float
    inference: float
    total: float
    draw: float = 0.0

    def stages(self) -> dict[str, float]:
        """The steps that this image needed."""
        stages = {
            "decode": self.decode,
            "detect": self.detect,
            "queue": self.queue,
            "inference": self.inference,
            "draw": self.draw,
        }
        return {stage: seconds for stage, seconds in stages.items() if seconds}


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
