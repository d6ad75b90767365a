"""Where in a face the expression model saw an expression: Grad-CAM (Selvaraju et al. 2017).

The graph has the maps as one more output, exact and without a gradient at run time; how, and what
was checked, is told in training/explain.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.classifier import LOGITS, ExpressionClassifier
from service.errors import InferenceFailed, ModelError
from service.faces import Frame
from service.session import Runnable

MAPS = "maps"  # the graph's output: float32 (N, labels, h, w)


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """What spoke for an expression, place by place.

    `values` (h, w) float32 cover the frame evenly: 1 where most spoke for the expression, 0 where
    nothing did, or something against it. All are 0 where no place of the face spoke for it. `roll`
    is how many degrees the frame is turned clockwise around its middle.
    """

    label: str
    frame: Frame
    values: NDArray[np.float32]
    roll: float = 0.0


class ExpressionExplainer:
    """Tells why. Any number of threads may use it at once.

    At most `max_batch_size` crops run together: their memory is bounded by it. Raises `ModelError`
    when the session's model has no maps, or is no classifier.
    """

    def __init__(self, session: Runnable, *, max_batch_size: int = 8) -> None:
        config = session.config
        if MAPS not in config.outputs:
            raise ModelError(
                f"{config.name} {config.version}: expected an output {MAPS}, found {config.outputs}"
            )
        self._session = session
        self._classifier = ExpressionClassifier(session)
        self._max_batch_size = max_batch_size

    def explain(
        self, crops: Sequence[NDArray[np.uint8]], frames: Sequence[Frame], label: str | None = None
    ) -> tuple[list[NDArray[np.float32]], list[Heat]]:
        """(48, 48) gray crops and where they lie -> (labels,) probabilities and the heat of each.

        `label` is one of the classifier's; None takes each crop's strongest. The probabilities are
        those of `ExpressionClassifier.predict`. Raises `InferenceFailed`.
        """
        labels = self._classifier.labels
        probabilities: list[NDArray[np.float32]] = []
        heats: list[Heat] = []
        for start in range(0, len(crops), self._max_batch_size):
            batch = slice(start, start + self._max_batch_size)
            logits, maps = self._session.run(np.stack(crops[batch]), LOGITS, MAPS)
            if not np.isfinite(maps).all():
                raise InferenceFailed("The expression model gave maps that are not finite.")
            rows = self._classifier.probabilities(logits)
            for row, of_labels, frame in zip(rows, maps, frames[batch], strict=True):
                index = int(row.argmax()) if label is None else labels.index(label)
                heats.append(Heat(labels[index], frame, _relative(of_labels[index])))
            probabilities.extend(rows)
        return probabilities, heats


def _relative(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Not negative -> 0..1, as parts of the largest."""
    most = values.max()
    return values / most if most > 0 else values
